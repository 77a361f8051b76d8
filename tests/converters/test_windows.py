"""A file read in windows gives the table that the whole file gives: same rows, same order, same drops, same records."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from converters import _json_windows
from converters._coco_json import Kinds, Table, read_kinds
from converters._coco_regions import InstanceRow
from converters._coco_windows import read_table
from converters._json_windows import NoJson, pieces
from converters._notes import Notes
from converters.coco_panoptic import PanopticRow
from converters.lvis import LvisCategory, LvisImage
from tests.converters.coco_files import annotation, content, image, read, write
from vtinstruct.record import Drop
from vtinstruct.source import SourceError

KINDS = Kinds(InstanceRow, LvisImage, LvisCategory)
CROWD = {"counts": [20, 30, 150], "size": [10, 20]}


@pytest.fixture(params=[16, 300, 4 << 20])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(_json_windows, "WINDOW", request.param)
    monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", "0")
    return request.param


def both(path: Path, kinds: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """What the whole file and the windows say: (images, categories, rows by image, drops)."""
    found = []
    for megabytes in ("1000", "0"):
        monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", megabytes)
        drops: list[Drop] = []
        table: Table[Any, Any, Any] = read_kinds(path, kinds, Notes("s", "t", "f", drops.append))
        rows = {image_id: [msgspec.json.encode(row) for row in table.by_image[image_id]] for image_id in table.by_image}
        found.append((list(table.images), dict(table.categories), rows, drops))
    return found[0], found[1]


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
    said: list[Drop] = []
    assert read_table(path, KINDS, Notes("s", "t", "f", said.append)) is not None, "the windows gave up"
    whole, windows = both(path, KINDS, monkeypatch)
    assert windows == whole
    assert {drop.reason for drop in said} == {
        "annotation: id twice", "annotation: unknown image", "annotations: unreadable row", "image: id twice",
    }  # fmt: skip


def test_rows_within_rows(tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = [{"id": n, "category_id": 1, "area": 3, "bbox": [0, 0, 1, 1], "iscrowd": 0} for n in range(12)]
    rows = [{"image_id": n, "file_name": f"{n}.png", "segments_info": segments} for n in (7, 9, 7)]
    path = tmp_path / "panoptic.json"
    path.write_text(json.dumps(content(rows)))
    whole, windows = both(path, Kinds(PanopticRow, LvisImage, LvisCategory), monkeypatch)
    assert windows == whole
    assert [len(rows) for rows in windows[2].values()] == [2, 1]


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
        list(pieces(path, ("annotations",)))
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
            found = both(path, KINDS, monkeypatch)
        except SourceError:
            with pytest.raises(SourceError):
                read_kinds(path, KINDS, Notes("s", "t", "f", lambda drop: None))  # in windows: the environment says so
        else:
            assert found[1] == found[0]


def test_the_setting_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "instances", content([]))
    monkeypatch.setenv("VTINSTRUCT_WINDOW_MB", "little")
    with pytest.raises(SourceError, match="VTINSTRUCT_WINDOW_MB=little"):
        read("coco_instances", tmp_path)
