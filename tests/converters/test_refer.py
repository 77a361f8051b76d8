"""The RefCOCO family: refs as pickles of every protocol and as JSON, layouts, and every bad ref with its reason."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.converters.coco_files import SIZE_WH, annotation, content, image, read, reasons
from vtinstruct import plugins
from vtinstruct.source import SourceError

PHOTOS = "images/mscoco/images/train2014"


def ref(number: int, ann_id: Any = 1, image_id: int = 7, split: str = "val", **changes: Any) -> dict[str, Any]:
    """A ref of two sentences."""
    row: dict[str, Any] = {
        "ref_id": number,
        "ann_id": ann_id,
        "image_id": image_id,
        "split": split,
        "category_id": 18,
        "file_name": f"COCO_train2014_{image_id:012d}_{number}.jpg",
        "sent_ids": [2 * number, 2 * number + 1],
        "sentences": [
            {"sent_id": 2 * number, "sent": "the left dog", "raw": "The left dog!", "tokens": ["the", "left", "dog"]},
            {"sent_id": 2 * number + 1, "sent": " small  dog", "raw": "small dog", "tokens": ["small", "dog"]},
        ],
    }
    return {key: value for key, value in (row | changes).items() if value is not ...}


def write(
    root: Path,
    refs: Any,
    folder: str = "refcoco",
    name: str = "refs(unc).p",
    protocol: int = 2,
    annotations: list[Any] | None = None,
    photos: str = PHOTOS,
    spelling: str = "COCO_train2014_{:012d}.jpg",
) -> Path:
    """Refs, `instances.json` with annotations 1 and 2 of photo 7 and 3 of photo 9, and the photos."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    path = root / folder / name
    if isinstance(refs, bytes):
        path.write_bytes(refs)
    elif name.endswith(".json"):
        path.write_text(json.dumps(refs))
    else:
        path.write_bytes(pickle.dumps(refs, protocol=protocol))
    rows = annotations or [annotation(1), annotation(2), annotation(3, image_id=9)]
    images = [image(number, file_name=f"COCO_train2014_{number:012d}.jpg") for number in (7, 9)]
    (root / folder / "instances.json").write_text(json.dumps(content(rows, images=images)))
    (root / photos).mkdir(parents=True, exist_ok=True)
    for number in (7, 9):
        Image.new("RGB", SIZE_WH).save(root / photos / spelling.format(number))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_refs_of_one_photo_become_one_record(tmp_path: Path, protocol: int) -> None:
    refs = [
        ref(5, 3, image_id=9),
        ref(6, 2),
        ref(8, 2, sentences=[{"sent_id": 99, "sent": "rex"}]),
        ref(9, split="train"),
    ]
    write(tmp_path, refs, protocol=protocol)
    records, drops = read("refcoco", tmp_path, "val")
    assert drops == []
    nine, seven = records
    assert (nine.id, nine.photo.id) == ("9", "coco:9")  # type: ignore[union-attr]
    assert nine.photo.path == f"{PHOTOS}/COCO_train2014_000000000009.jpg"  # type: ignore[union-attr]
    assert [region.id for region in seven.regions] == ["2"], "only what a sentence names"
    assert not seven.exhaustive
    assert [(one.id, one.text, one.region_ids) for one in seven.expressions] == [
        ("6.12", "the left dog", ("2",)),
        ("6.13", "small dog", ("2",)),
        ("8.99", "rex", ("2",)),
    ]


def test_json_in_place_of_the_pickle(tmp_path: Path) -> None:
    write(tmp_path, [ref(5)], name="refs(unc).json")
    source = plugins.load("converters", "refcoco")
    assert source.find(tmp_path) == ("train", "val", "testA", "testB")
    records, drops = read("refcoco", tmp_path, "val")
    assert len(records) == 1
    assert drops == []


def test_one_several_or_no_targets(tmp_path: Path) -> None:
    refs = [
        ref(1, [1, 2, 1], no_target=False),
        ref(2, [-1], no_target=True, category_id=[-1]),
        ref(3, [], no_target=True),
        ref(4, [2], no_target=True),
        ref(5, [-1], no_target=False),
    ]
    write(tmp_path, refs, folder="grefcoco", name="grefs(unc).json")
    records, drops = read("grefcoco", tmp_path, "val")
    assert [one.region_ids for one in records[0].expressions[::2]] == [("1", "2"), (), (), ("2",), ()]
    assert reasons(drops) == {"ref: no_target disagrees": 2}
    assert all(drop.repaired for drop in drops), "the official loader goes by ann_id alone"


def test_a_photo_that_only_has_no_target_expressions_is_a_record(tmp_path: Path) -> None:
    write(tmp_path, [ref(1, [-1], no_target=True)], folder="grefcoco", name="grefs(unc).json")
    records, _ = read("grefcoco", tmp_path, "val")
    assert records[0].regions == ()
    assert len(records[0].expressions) == 2


BAD_REFS: list[tuple[str, Any, str]] = [
    ("unknown annotation", ref(2, 77), "ref: unknown annotation"),
    ("annotation of another photo", ref(2, 3), "ref: unknown annotation"),
    ("unknown image", ref(2, image_id=12345), "ref: unknown image"),
    ("id twice", ref(1), "ref: id twice"),
    ("no sentences", ref(2, sentences=...), "ref: unreadable row"),
    ("an empty list of sentences", ref(2, sentences=[]), "ref: no sentences"),  # gRefCOCO's val has some
    ("sentence without words", ref(2, sentences=[{"sent_id": 5, "sent": " \n"}]), "sentence: empty"),
    ("ann_id is text", ref(2, "first"), "ref: unreadable row"),
    ("not a dict", "ref", "ref: unreadable row"),
    ("annotation broken", ref(2, 4), "ref: region dropped"),
]


@pytest.mark.parametrize(("bad", "reason"), [row[1:] for row in BAD_REFS], ids=[row[0] for row in BAD_REFS])
def test_a_bad_ref_costs_itself_and_is_said(tmp_path: Path, bad: Any, reason: str) -> None:
    rows = [annotation(1), annotation(3, image_id=9), annotation(4, segmentation=[[1, 1, 2, 2]])]
    write(tmp_path, [ref(1), bad], annotations=rows)
    records, drops = read("refcoco", tmp_path, "val")
    assert [one.id for one in records[0].expressions] == ["1.2", "1.3"]
    assert reasons(drops)[reason] == 1
    said = next(drop for drop in drops if drop.reason == reason)
    assert said.file == "refcoco/refs(unc).p"
    assert said.detail
    others = {"polygon: fewer than 3 points"} if reason == "ref: region dropped" else set()
    assert set(reasons(drops)) == {reason} | others


def test_a_split_without_refs_is_empty_and_said(tmp_path: Path) -> None:
    write(tmp_path, [ref(1)])
    records, drops = read("refcoco", tmp_path, "testA")
    assert records == []
    assert reasons(drops) == {"split: no refs": 1}


class MakesAFolder:
    """Runs `os.mkdir` when an ordinary unpickler reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_code_in_the_refs_is_refused_and_does_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    path = write(tmp_path / "root", [ref(1), MakesAFolder(proof)])
    with pytest.raises(SourceError, match=r"refused: GLOBAL at byte \d+ could run code"):
        read("refcoco", tmp_path / "root", "val")
    assert not proof.exists()
    pickle.loads(path.read_bytes())
    assert proof.exists(), "the pickle would have worked"


@pytest.mark.parametrize("refs", [b"", b"no pickle", pickle.dumps([ref(1)])[:-9], pickle.dumps({"refs": []})])
def test_a_broken_pickle_is_one_clear_line(tmp_path: Path, refs: bytes) -> None:
    path = write(tmp_path, refs)
    with pytest.raises(SourceError) as caught:
        read("refcoco", tmp_path, "val")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("photos", "spelling"),
    [
        (PHOTOS, "COCO_train2014_{:012d}.jpg"),
        ("images/train2014", "COCO_train2014_{:012d}.jpg"),
        ("train2014", "COCO_train2014_{:012d}.jpg"),
        ("images", "COCO_train2014_{:012d}.jpg"),
        ("train2017", "{:012d}.jpg"),
        ("coco/train2017", "{:012d}.jpg"),
    ],
)
@pytest.mark.parametrize("folder", ["refcoco+", "data/refcoco+", "coco/refcoco+", "refcoco+/refcoco+", "."])
def test_everyday_layouts(tmp_path: Path, folder: str, photos: str, spelling: str) -> None:
    write(tmp_path, [ref(1)], folder=folder, photos=photos, spelling=spelling)
    records, drops = read("refcoco_plus", tmp_path, "val")
    assert drops == []
    assert records[0].photo.path == f"{photos}/{spelling.format(7)}"  # type: ignore[union-attr]
    assert records[0].photo.id == "coco:7"  # type: ignore[union-attr]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"looked for refcocog/refs\(umd\)\.p, refcocog/refs\(umd\)\.json"):
        read("refcocog", tmp_path, "test")
    write(tmp_path, [ref(1, split="test")], folder="refcocog", name="refs(umd).p")
    (tmp_path / "refcocog" / "instances.json").unlink()
    with pytest.raises(SourceError, match=r"looked for refcocog/instances\.json"):
        read("refcocog", tmp_path, "test")


def test_google_splits_come_from_their_own_file(tmp_path: Path) -> None:
    write(tmp_path, [ref(1, split="val")], folder="refcocog", name="refs(google).p")
    source = plugins.load("converters", "refcocog")
    assert source.find(tmp_path) == ("google_train", "google_val")
    records, _ = read("refcocog", tmp_path, "google_val")
    assert len(records) == 1


def test_words_beyond_ascii(tmp_path: Path) -> None:
    """As text, as UTF-8 bytes of Python 2 (protocol 2, SHORT_BINSTRING), and as Latin-1 bytes."""
    plain = pickle.dumps([ref(1, sentences=[{"sent_id": 1, "sent": "caf__"}])], protocol=2)
    as_text = pickle.dumps([ref(1, sentences=[{"sent_id": 1, "sent": "caf\u00e9"}])], protocol=2)
    unicode_ = b"X\x05\x00\x00\x00caf__"
    assert unicode_ in plain
    for data in (as_text, plain.replace(unicode_, b"U\x05caf\xc3\xa9"), plain.replace(unicode_, b"U\x04caf\xe9")):
        write(tmp_path, data)
        (record, *_), drops = read("refcoco", tmp_path, "val")
        assert drops == []
        assert [expression.text for expression in record.expressions] == ["caf\u00e9"]
