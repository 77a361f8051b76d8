"""ADE20K scene parsing: the sample pixel by pixel, the three real photos against numpy, broken files by reason."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.converters.vision import by_id, decoded, grey, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.sample.ade20k import CLASSES
from vtinstruct.source import SourceError

NAME = "ade20k"
INFO = "Idx\tRatio\tTrain\tVal\tName\n1\t0.1\t1\t1\twall\n2\t0.1\t1\t1\tbuilding, edifice\n"


def folder(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "objectInfo150.txt").write_text(INFO)
    (root / "annotations" / "training").mkdir(parents=True)
    return root


def pair(root: Path, name: str, labels: object, size_wh: tuple[int, int] = (4, 3)) -> None:
    grey(root / "annotations" / "training" / f"{name}.png", labels)
    tiny_photo(root / "images" / "training" / f"{name}.jpg", size_wh)


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("training", "validation")
    for split in splits:
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            scene = shot(int(record.id[-8:]) - 1).scene
            for region in record.regions:
                assert not region.thing
                word = {CLASSES[word][0]: word for word in CLASSES}[region.category_id]
                masks = [thing.mask for thing in scene.things if thing.category == word]
                if masks:
                    assert np.array_equal(decoded(region), np.any(masks, axis=0))
            people = {thing.category for thing in scene.things}
            assert ("person" in people) == any(region.category == "person" for region in record.regions)


def test_real_photos(shared_data: Callable[[str], Path]) -> None:
    """Read in place: all photos lie in one folder there, told apart by their names."""
    root = shared_data("ade20k_sceneparsing")
    assert plugins.load("converters", NAME).find(root) == ("validation",)
    records, drops = read(NAME, root, "validation")
    vocabulary = plugins.load("converters", NAME).open(root, "validation").vocabulary
    assert not drops
    assert [record.id for record in records] == [f"ADE_val_0000000{n}" for n in (1, 2, 3)]
    assert len(vocabulary) == 150
    assert [category.name for category in vocabulary[:3]] == ["wall", "building", "sky"]
    assert vocabulary[1].synonyms == ("edifice",)
    for record in records:
        truth = np.asarray(Image.open(root / "sampleData" / "annotations" / f"{record.id}.png"))
        assert {region.category_id for region in record.regions} == set(np.unique(truth).tolist()) - {0}
        for region in record.regions:
            mask = truth == region.category_id
            assert np.array_equal(decoded(region), mask)
            assert region.area == mask.sum()
            assert region.box_xyxy is None


@pytest.mark.parametrize("info", ["objectInfo150.txt", "objectInfo150.csv"])
def test_a_folder_for_each_split_and_either_list(tmp_path: Path, shared_data: Callable[[str], Path], info: str) -> None:
    given = shared_data("ade20k_sceneparsing")
    for kind in ("images", "annotations"):
        shutil.copytree(given / "sampleData" / kind, tmp_path / "ADEChallengeData2016" / kind / "validation")
    shutil.copy(given / info, tmp_path / "ADEChallengeData2016" / info)
    apart, _ = read(NAME, tmp_path, "validation")
    together, _ = read(NAME, given, "validation")
    assert [record.regions for record in apart] == [record.regions for record in together]


def test_faults_cost_one_record_each(tmp_path: Path) -> None:
    root = folder(tmp_path)
    pair(root, "a", [[0, 1, 2, 2], [1, 1, 2, 7], [0, 0, 0, 0]])  # 7 is no class here
    pair(root, "another_size", np.ones((2, 2)))
    pair(root, "cut", np.ones((3, 4)))
    cut = root / "annotations/training/cut.png"
    cut.write_bytes(cut.read_bytes()[:-30])
    pair(root, "text", np.ones((3, 4)))
    (root / "annotations/training/text.png").write_bytes("ÄÖÜ\xff".encode("latin-1"))
    tiny_photo(root / "images/training/lonely.jpg")
    grey(root / "annotations/training/nothing.png", np.ones((3, 4)))
    pair(root, "colour", np.ones((3, 4)))
    Image.new("RGB", (4, 3)).save(root / "annotations/training/colour.png")
    os.symlink("/etc/hostname", root / "annotations/training/zlink.png")
    records, drops = read(NAME, root, "training")
    assert list(by_id(records)) == ["a"]
    assert [region.category for region in records[0].regions] == ["wall", "building"]
    assert reasons(drops) == {
        "label: unknown": 1,
        "photo: another size": 1,
        "picture: unreadable": 2,
        "file: missing": 1,
        "photo: missing": 1,
        "picture: another kind": 1,
        "file: path leaves the root": 1,
    }


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda root: shutil.rmtree(root / "annotations"), "annotations/training"),
        (lambda root: (root / "objectInfo150.txt").unlink(), "objectInfo150.txt"),
        (lambda root: (root / "objectInfo150.txt").write_bytes(b"Idx\tName\n1\t\xff\n"), "not UTF-8"),
        (lambda root: (root / "objectInfo150.txt").write_text("Idx\tName\none\twall\n"), "line 2"),
        (lambda root: (root / "objectInfo150.txt").write_text("wall\n"), "columns"),
    ],
)
def test_one_line_when_nothing_can_be_read(tmp_path: Path, prepare: Callable[[Path], None], says: str) -> None:
    root = folder(tmp_path / "root")
    prepare(root)
    with pytest.raises(SourceError) as caught:
        plugins.load("converters", NAME).open(root, "training")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
