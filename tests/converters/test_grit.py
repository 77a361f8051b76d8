"""GRIT: characters to spans, parts of width and height to pixels, one region for one box."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.photos import open_photo
from vtinstruct.shards import read_dialogues
from vtinstruct.source import SourceError

NAME = "grit"
CAPTION = "a wire hanger with a paper cover that reads we heart our customers"
# A row in the form of the data set's card.
CARD: dict[str, Any] = {
    "clip_similarity_vitb32": 0.2175, "id": 1795296605919, "url": "https://www.thestrapsaver.com/1.jpg", "key": "000373938",
    "caption": CAPTION, "width": 1024, "height": 693, "original_width": 1024, "original_height": 693,
    "noun_chunks": [[19, 32, 0.0196, 0.3105, 0.9622, 0.9603, 0.7930], [0, 13, 0.0194, 0.0028, 0.9633, 0.4832, 0.7993]],
    "ref_exps": [[19, 66, 0.0196, 0.3105, 0.9622, 0.9603, 0.7930], [0, 66, 0.0194, 0.0028, 0.9633, 0.4832, 0.7993]],
}  # fmt: skip


def folder(root: Path, content: Any, key: str = "000000001") -> Path:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (root / "00000").mkdir(exist_ok=True)
    (root / "00000" / f"{key}.json").write_bytes(text)
    tiny_photo(root / "00000" / f"{key}.jpg", (100, 50))
    return root


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    records, drops = read(NAME, root, "train")
    assert drops == []
    for record in records:
        row = json.loads((root / record.origin.file).read_text())
        (caption,) = record.grounded_captions
        assert [(span.start, span.stop) for span in caption.spans] == [(one[0], one[1]) for one in row["noun_chunks"]]
        for span, one in zip(caption.spans, row["noun_chunks"], strict=True):
            box = record.region(span.region_ids[0]).box_xyxy
            assert box == pytest.approx((one[2] * 160, one[3] * 120, one[4] * 160, one[5] * 120))


def test_row_of_the_cards_form(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, CARD), "train")
    assert drops == []
    assert record.photo is not None
    assert (record.photo.id, record.photo.size_wh) == ("coyo:1795296605919", (100, 50))
    assert record.id == "00000:000000001"
    assert [(region.category, region.box_xyxy) for region in record.regions] == [
        ("a paper cover", pytest.approx((1.96, 15.525, 96.22, 48.015))),
        ("a wire hanger", pytest.approx((1.94, 0.14, 96.33, 24.16))),
    ]
    (caption,) = record.grounded_captions
    assert [(CAPTION[s.start : s.stop], s.region_ids) for s in caption.spans] == [
        ("a wire hanger", ("1",)), ("a paper cover", ("0",))
    ]  # fmt: skip
    assert [(e.text, e.region_ids) for e in record.expressions] == [
        ("a paper cover that reads we heart our customers", ("0",)), (CAPTION, ("1",))
    ]  # fmt: skip


def test_one_chunk_with_several_boxes(tmp_path: Path) -> None:
    chunks = [[0, 13, 0.0, 0.0, 0.5, 0.5, 0.9], [0, 13, 0.5, 0.5, 1.0, 1.2, 0.9], [2, 6, 0.0, 0.0, 0.5, 0.5, 0.9]]
    (record,), drops = read(NAME, folder(tmp_path, {**CARD, "noun_chunks": chunks, "ref_exps": []}), "train")
    assert [(span.start, span.stop, span.region_ids) for span in record.grounded_captions[0].spans] == [
        (0, 13, ("0", "1"))
    ]
    assert record.regions[1].box_xyxy == (50, 25, 100, 50)
    assert [drop.reason for drop in drops] == ["tie: overlapping words"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([0, 13, 0.5, 0.1, 0.2, 0.4, 0.9], "box: outside the photo"),
        ([0, 13, 1.5, 0.1, 1.7, 0.4, 0.9], "box: outside the photo"),
        ([60, 99, 0.1, 0.1, 0.2, 0.4, 0.9], "tie: no such words"),
        ([5, 5, 0.1, 0.1, 0.2, 0.4, 0.9], "tie: no such words"),
        ([0, 13, 0.1], "tie: not 6 finite numbers"),
    ],
)
def test_bad_ties_cost_themselves(tmp_path: Path, row: list[float], reason: str) -> None:
    content = {**CARD, "noun_chunks": [*CARD["noun_chunks"], row], "ref_exps": []}
    (record,), drops = read(NAME, folder(tmp_path, content), "train")
    assert [(drop.row, drop.reason) for drop in drops] == [("noun chunk 2", reason)]
    assert len(record.grounded_captions[0].spans) == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[]", b'{"caption": 3}', b'{"caption": " "}', b'{"caption": "a", "noun_chunks": [[NaN]]}'],
)
def test_a_bad_file_costs_one_record(tmp_path: Path, content: bytes) -> None:
    folder(tmp_path, CARD, "000000002")
    (record,), drops = read(NAME, folder(tmp_path, content), "train")
    assert record.id == "00000:000000002"
    assert [drop.row for drop in drops] == ["00000/000000001.json"]


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "00000").mkdir()
    with pytest.raises(SourceError, match=r"looked for <shard>\.tar and <shard>/<key>\.json"):
        plugins.load("converters", NAME).open(tmp_path, "train")


def packed(root: Path, target: Path) -> Path:
    """The shards of a folder as tars, as img2dataset writes them with `--output_format webdataset`."""
    target.mkdir()
    for shard in sorted(path for path in root.iterdir() if path.is_dir()):
        with tarfile.open(target / f"{shard.name}.tar", "w") as archive:
            for path in sorted(shard.iterdir()):
                archive.add(path, path.name)
    return target


def test_tars_are_read_in_place(tmp_path: Path) -> None:
    root, _ = write(NAME, tmp_path / "files")
    records, _ = read(NAME, root, "train")
    tars = packed(root, tmp_path / "tars")
    before = sorted(tars.rglob("*"))
    found, drops = read(NAME, tars, "train")
    assert drops == []
    assert plugins.load("converters", NAME).find(tars) == ("train",)
    assert plugins.load("converters", NAME).open(tars, "train").files == [tars / "00000.tar"]
    assert [record.photo.path for record in found if record.photo][:1] == ["00000.tar/000000000.jpg"]
    for one, other in zip(found, records, strict=True):
        assert (one.regions, one.grounded_captions, one.expressions) == (
            other.regions, other.grounded_captions, other.expressions
        )  # fmt: skip
    assert sorted(tars.rglob("*")) == before, "nothing was unpacked"


@pytest.mark.parametrize("copy", [False, True])
def test_a_build_from_tars_loads_like_one_from_files(tmp_path: Path, copy: bool) -> None:
    root, _ = write(NAME, tmp_path / "files")
    seen: dict[str, Any] = {}
    for name, source in (("files", root), ("tars", packed(root, tmp_path / "tars"))):
        out = tmp_path / f"{name}-built"
        build(choose([f"{NAME}={source}"]), Options(("caption",), copy_photos=copy), out, Silent())
        assert check(out, photos=True).findings == ()
        dialogues = list(read_dialogues(out, "caption", "train"))
        pictures = [open_photo(out, each.photo).tobytes() for each in dialogues if each.photo]
        seen[name] = [(each.turns, each.photo.sha256) for each in dialogues if each.photo], pictures
        assert pictures
    assert seen["tars"] == seen["files"]


def test_a_broken_tar_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "00000.tar").write_bytes(b"no tar" * 500)
    with pytest.raises(SourceError, match=r"00000\.tar") as caught:
        plugins.load("converters", NAME).open(tmp_path, "train")
    assert "\n" not in str(caught.value)


def test_lists_kept_as_text(tmp_path: Path) -> None:
    row = {**CARD, "noun_chunks": json.dumps(CARD["noun_chunks"]), "ref_exps": json.dumps(CARD["ref_exps"])}
    (record,), drops = read(NAME, folder(tmp_path, row), "train")
    assert drops == []
    assert len(record.regions) == 2
    _, drops = read(NAME, folder(tmp_path, {**CARD, "noun_chunks": "[[1,"}), "train")
    assert [drop.reason for drop in drops] == ["tie: unreadable list"]
