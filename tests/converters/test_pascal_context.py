"""Pascal Context: both releases of the sample against the drawn masks, names and void labels, broken files by reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from converters.pascal_context import read_names
from tests.converters.vision import decoded, grey, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.sample.drawing.backdrops import STUFF
from vtinstruct.sample.pascal_context import NAMES_59, NAMES_459
from vtinstruct.source import SourceError

NAME = "pascal_context"


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("59_train", "59_val", "459_train", "459_val")
    for split in splits:
        words = {official: word for word, official in (NAMES_459 if split.startswith("459") else NAMES_59).items()}
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            scene = shot(int(record.id[5:])).scene
            for region in record.regions:
                word = words[region.category]
                if word in STUFF:
                    truth = scene.stuff == STUFF.index(word) + 1
                else:
                    truth = np.any([thing.mask for thing in scene.things if thing.category == word], axis=0)
                assert np.array_equal(decoded(region), truth)
            seen = {thing.category for thing in scene.things} | {STUFF[v - 1] for v in np.unique(scene.stuff) if v}
            assert {words[region.category] for region in record.regions} == seen & set(words.values())
    assert len(plugins.load("converters", NAME).open(root, "459_val").vocabulary) == len(NAMES_459)


def folder(root: Path, names: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/train.txt").write_text(names)
    (root / "labels.txt").write_text("1: accordion\n2: aeroplane\n3: unknown\n")
    (root / "59_labels.txt").write_text("0: empty\n1: aeroplane\n")
    (root / "trainval").mkdir()
    (root / "JPEGImages").mkdir()
    return root


def test_matlab_faults_cost_one_record_each(tmp_path: Path) -> None:
    root = folder(tmp_path, "a\nb\nc\nd\ne\nf\n../../etc/passwd\na\n")
    for name in "abcdef":
        tiny_photo(root / f"JPEGImages/{name}.jpg", (3, 2))
        savemat(root / f"trainval/{name}.mat", {"LabelMap": np.asarray([[0, 1, 1], [2, 3, 9]], np.uint16)})
    savemat(root / "trainval/b.mat", {"LabelMap": np.ones((3, 2))})
    savemat(root / "trainval/c.mat", {"Labels": np.ones((2, 3))})
    (root / "trainval/d.mat").write_bytes((root / "trainval/d.mat").read_bytes()[:150])
    savemat(root / "trainval/e.mat", {"LabelMap": np.asarray([[0.5, 1, 1], [2, 3, np.nan]])})
    (root / "trainval/f.mat").unlink()
    records, drops = read(NAME, root, "459_train")
    assert [record.id for record in records] == ["a"]
    assert [(region.category, region.area) for region in records[0].regions] == [("accordion", 2.0), ("aeroplane", 1.0)]
    assert records[0].photo is not None
    assert records[0].photo.id == "pascal_voc:a"
    assert reasons(drops) == {
        "label: unknown": 1, "mat: another size": 2, "mat: unreadable": 1, "mat: no labels": 1, "file: missing": 1,
        "list: no photo name, or one twice": 2,
    }  # fmt: skip


def test_png_release(tmp_path: Path) -> None:
    root = folder(tmp_path, "a\nb\n")
    for name in "ab":
        tiny_photo(root / f"JPEGImages/{name}.jpg", (3, 2))
        grey(root / f"59_context_labels/{name}.png", [[0, 1, 1], [0, 0, 0]])
    (root / "59_context_labels/b.png").write_bytes(b"")
    records, drops = read(NAME, root, "59_train")
    assert [[region.category for region in record.regions] for record in records] == [["aeroplane"]]
    assert reasons(drops) == {"picture: unreadable": 1}


@pytest.mark.parametrize("text", [b"accordion\n", b"1: \xff\n", b""])
def test_one_line_for_broken_names(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "labels.txt").write_bytes(text)
    with pytest.raises(SourceError, match=r"labels\.txt"):
        read_names(tmp_path / "labels.txt")


def test_one_line_when_something_is_missing(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match="59_context_labels/"):
        source.open(tmp_path, "59_val")
    root = folder(tmp_path / "root", "a\n")
    with pytest.raises(SourceError, match=r"VOCdevkit/VOC2010/ImageSets/Main/val\.txt"):
        source.open(root, "459_val")
    (root / "labels.txt").unlink()
    with pytest.raises(SourceError, match=r"looked for labels\.txt"):
        source.open(root, "459_train")
