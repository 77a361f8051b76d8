"""A file read in windows, from memory or from disk, gives the table that its rows give one by one: same rows, same order, same
drops, same records."""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from converters import _coco_windows, _json_windows, _row_windows
from converters._coco_json import Kinds, Table, read_kinds
from converters._coco_regions import InstanceRow
from converters._coco_windows import read_table
from converters._json_windows import NoJson, pieces
from converters._notes import Notes
from converters.coco_panoptic import PanopticRow
from converters.lvis import LvisCategory, LvisImage
from tests.converters.coco_files import annotation, content, image, read, write
from tests.converters.vision import read_spoken, tiny_photo
from vtinstruct.record import Drop
from vtinstruct.source import SourceError

KINDS = Kinds(InstanceRow, LvisImage, LvisCategory)
CROWD = {"counts": [20, 30, 150], "size": [10, 20]}


@pytest.fixture(params=[16, 300, 1 << 20])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(_json_windows, "WINDOW", request.param)
    monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", "0")
    return request.param


def tables(path: Path, kinds: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a file's rows say one by one, in windows of its bytes, and of the file on disk: (images, categories, rows by
    image, drops)."""
    found = []
    for way in ("one by one", "in memory", "on disk"):
        with monkeypatch.context() as patch:
            patch.setenv("VTINSTRUCT_WINDOW_MB", "0" if way == "on disk" else "1000")
            if way == "one by one":
                patch.setattr(_coco_windows, "read_table", lambda *_: None)
            drops: list[Drop] = []
            table: Table[Any, Any, Any] = read_kinds(path, kinds, Notes("s", "t", "f", drops.append))
        rows = {image_id: [msgspec.json.encode(row) for row in table.by_image[image_id]] for image_id in table.by_image}
        found.append((list(table.images), dict(table.categories), rows, drops))
    return found


def windows_read(path: Path, kinds: Any = KINDS) -> bool:
    """Whether the windows do not leave the file to the reader of whole files."""
    notes = Notes("s", "t", "f", lambda drop: None)
    found = [read_table(path, data, kinds, notes) is not None for data in (None, path.read_bytes())]
    assert found[0] == found[1]
    return found[0]


def big(random: Random) -> dict[str, Any]:
    images = [image(n, coco_url=f"http://x/val2017/{n:012d}.jpg", neg_category_ids=[1]) for n in range(1, 40)]
    rows = [
        annotation(
            n,
            random.choice(range(1, 43)),  # 40 to 42 are not listed
            segmentation=CROWD if n % 9 == 0 else [[random.random() * 9 for _ in range(6)]],
            note='a "}, {" in a text, \\ and \u00e9' if n % 7 == 0 else "",
        )
        for n in range(1, 400)
    ]
    rows[20]["id"] = 5
    rows[30]["category_id"] = "no number"
    rows[31]["category_id"] = "18"
    images.append(image(3))
    return content(
        rows, images, info={"a": {"b": [1, {"c": "}"}]}, "year": 2017}, licenses=[{"id": 1}], empty=[], text="a\\"
    )


@pytest.mark.parametrize("dump", [{}, {"indent": 1}, {"separators": (",", ":")}, {"sort_keys": True}])
def test_the_same_table(tmp_path: Path, window: int, dump: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(big(Random(window)), **dump))
    assert windows_read(path)
    whole, in_memory, on_disk = tables(path, KINDS, monkeypatch)
    assert in_memory == whole
    assert on_disk == whole
    assert {drop.reason for drop in on_disk[3]} == {
        "annotation: id twice", "annotation: unknown image", "annotations: unreadable row", "image: id twice",
    }  # fmt: skip


def test_rows_within_rows(tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = [{"id": n, "category_id": 1, "area": 3, "bbox": [0, 0, 1, 1], "iscrowd": 0} for n in range(12)]
    rows = [{"image_id": n, "file_name": f"{n}.png", "segments_info": segments} for n in (7, 9, 7)]
    path = tmp_path / "panoptic.json"
    path.write_text(json.dumps(content(rows)))
    kinds = Kinds(PanopticRow, LvisImage, LvisCategory)
    assert windows_read(path, kinds)
    whole, in_memory, windows = tables(path, kinds, monkeypatch)
    assert windows == whole
    assert in_memory == whole
    assert [len(rows) for rows in windows[2].values()] == [2, 1]


TEXTS = [
    "}", "{", '"}', '{"', "\\", '\\"', '{"a": 1}, {"b": 2}', "]}", "}]", ":}, ", ', {"x', '"}, {"id', "\u2028}", "a}\\", "~|}",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_braces_in_texts_are_none(tmp_path: Path, window: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever they stand: in the first row, the last, or one in between, beside one another."""
    dumps: list[dict[str, Any]] = [{}, {"ensure_ascii": False, "separators": (",", ":")}, {"indent": 2}]
    for dump in dumps:
        rows = [annotation(n, note=text if n in (1, 4, 5, 9) else "", caption=f"a{text}") for n in range(1, 10)]
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content(rows, text=text), **dump), "utf-8")
        one_by_one, in_memory, on_disk = tables(path, KINDS, monkeypatch)
        assert in_memory == one_by_one
        assert on_disk == one_by_one
        assert [len(rows) for rows in on_disk[2].values()] == [9, 0]
        assert windows_read(path) or "}]" in text


def test_texts_put_together_at_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random, path = Random(3), tmp_path / "instances.json"
    read = 0
    for n in range(150):
        monkeypatch.setattr(_json_windows, "WINDOW", random.choice((16, 64, 300, 1 << 20)))
        rows = [
            annotation(n, note="".join(random.choice('{}[],:" \\\u00e9ab') for _ in range(random.randint(0, 6))))
            for n in range(1, 12)
        ]
        path.write_text(
            json.dumps(content(rows), separators=random.choice([(", ", ": "), (",", ":"), (" ,\n", " : ")]))
        )
        one_by_one, in_memory, on_disk = tables(path, KINDS, monkeypatch)
        assert in_memory == on_disk == one_by_one, n
        read += windows_read(path)
    assert read > 120


def test_records_and_slots_are_the_same(tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [annotation(1), annotation(2, iscrowd=1, segmentation=CROWD), annotation(3, 9), annotation(4, 77)]
    write(tmp_path, "instances", content(rows))
    in_windows = read("coco_instances", tmp_path)
    monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", "1000")
    assert in_windows == read("coco_instances", tmp_path)
    assert [[region.id for region in record.regions] for record in in_windows[0]] == [["1", "2"], ["3"]]


def test_what_is_no_json_is_left_to_the_reader_of_whole_files(tmp_path: Path, window: int) -> None:
    path = write(tmp_path, "instances", content([annotation(1), annotation(2, bbox=[1, 2, math.nan, 4])]))
    with pytest.raises(NoJson):
        [piece.rows() for piece in pieces(io.BytesIO(path.read_bytes()), ("annotations",))]
    records, drops = read("coco_instances", tmp_path)
    assert [region.id for region in records[0].regions] == ["1"]
    assert [drop.reason for drop in drops] == ["box: not 4 finite numbers"]
    for broken in (
        b"",
        b"[]",
        b"{",
        b'{"images": [',
        b'{"images": 3, "annotations": []}',
        b'{"images": [], "annotations": []} x',
    ):
        path.write_bytes(broken)
        with pytest.raises(SourceError, match=r"instances_val2017\.json"):
            read("coco_instances", tmp_path)


def test_damage_is_told_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes changed at random places: windows and whole file end in the same table or the same error."""
    monkeypatch.setattr(_json_windows, "WINDOW", 500)
    whole = json.dumps(big(Random(1))).encode()
    random, path = Random(2), tmp_path / "instances.json"
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(random.randint(1, 3)):
            data[random.randrange(len(data))] = random.choice(b'0123456789-.e[]{},:" a\xff')
        path.write_bytes(data)
        try:
            found = tables(path, KINDS, monkeypatch)
        except SourceError:
            monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", "0")
            with pytest.raises(SourceError):
                read_kinds(path, KINDS, Notes("s", "t", "f", lambda drop: None))
        else:
            assert found[1] == found[0]
            assert found[2] == found[0]


def test_the_setting_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "instances", content([]))
    monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", "little")
    with pytest.raises(SourceError, match="VTINSTRUCT_WINDOW_MB=little"):
        read("coco_instances", tmp_path)


def test_visual_genome_in_windows(tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows read from disk, from memory and one by one give the same records and drops, broken rows and all."""
    images = [{"image_id": n, "width": 80, "height": 60} for n in range(1, 30)]
    regions: list[Any] = [
        {"id": n, "regions": [{"region_id": 9 * n + k, "x": k, "y": 2, "width": 9, "height": 9, "phrase": text}]}
        for n in range(1, 30)
        for k, text in enumerate(("a cat", 'braces } in "texts" {')[: n % 2 + 1])
    ]
    regions[7] = {"id": "seven", "regions": []}
    regions[11] = 5 if window == 300 else regions[11]  # no object: the windows give up
    asked = [{"id": n, "qas": [{"qa_id": n, "question": "What?", "answer": "It."}]} for n in range(40, 3, -3)]
    for name, listed in (("image_data", images), ("region_descriptions", regions), ("question_answers", asked)):
        (tmp_path / f"{name}.json").write_text(json.dumps(listed))
    for row in images:
        tiny_photo(tmp_path / "VG_100K" / f"{row['image_id']}.jpg", (80, 60))
    found: list[Any] = []
    for megabytes in ("0", "1000", "one by one"):
        with monkeypatch.context() as patch:
            patch.setenv("VTINSTRUCT_WINDOW_MB", "1000" if megabytes == "one by one" else megabytes)
            if megabytes == "one by one":
                patch.setattr(_row_windows, "list_pieces", _no_pieces)
            records, drops = read_spoken("visual_genome", tmp_path, "train")
        found.append((records, drops))
    assert found[0] == found[1] == found[2]
    records, drops = found[0]
    assert len(records) == 29
    assert sum(len(record.regions) for record in records) > 20
    assert Counter(drop.reason for drop in drops)["row: unreadable"] == (2 if window == 300 else 1)


def _no_pieces(file: Any) -> Any:
    raise NoJson("not in windows")
