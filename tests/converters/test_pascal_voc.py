"""Pascal VOC: pixels counted from 1, masks matched to boxes, real XML against its own text, broken files by reason."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.pascal_voc import CLASSES
from tests.converters.vision import by_id, decoded, grey, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "pascal_voc"


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train2012", "val2012", "seg_train2012", "seg_val2012")
    for split in splits:
        records, drops = read(NAME, root, split)
        assert not drops
        for record in records:
            index = int(record.id[5:])
            things = [thing for thing in shot(index).scene.things if thing.category in ("person", "car")]
            assert [region.box_xyxy for region in record.regions] == [thing.box_xyxy for thing in things]
            assert [region.crowd for region in record.regions] == [thing.crowd for thing in things]
            for region, thing in zip(record.regions, things, strict=True):
                if index % 2 == 0:
                    assert np.array_equal(decoded(region), thing.mask)
                else:
                    assert region.mask_rle is None
            assert record.exhaustive


def test_real_xml(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("clarifai_formats") / "voc_dataset"
    source = plugins.load("converters", NAME)
    assert source.find(root) == ("train2017",)  # no year of VOC: the list's own name
    records, drops = read(NAME, root, "train2017")
    assert not drops
    assert [record.id for record in records] == (root / "ImageSets/Main/train2017.txt").read_text().split()
    for record in records:
        text = (root / "Annotations" / f"{record.id}.xml").read_text()
        edges = re.findall(r"<(xmin|ymin|xmax|ymax)>([\d.]+)</\1>", re.sub(r"<part>.*?</part>", "", text, flags=re.S))
        assert 4 * len(record.regions) == len(edges)
        for n, region in enumerate(record.regions):
            box = {side: float(value) for side, value in edges[4 * n : 4 * n + 4]}
            assert region.box_xyxy == (box["xmin"] - 1, box["ymin"] - 1, box["xmax"], box["ymax"])
        names = re.findall(r"<object>\s*<name>(\w+)</name>", text)
        assert [region.category for region in record.regions] == names
        assert sum(region.crowd for region in record.regions) == text.count("<difficult>1</difficult>")
        assert record.photo is not None
        assert record.photo.id == f"pascal_voc:{record.id}"


def test_written_fixtures(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("datumaro_format_fixtures") / "voc_dataset" / "voc_dataset1"
    assert plugins.load("converters", NAME).find(root) == ("seg_test", "seg_train", "test", "train")
    (record,), drops = read(NAME, root, "train")
    assert [(region.category, region.box_xyxy) for region in record.regions[:2]] == [
        ("cat", (0, 1, 3, 4)), ("person", (3, 4, 6, 7))
    ]  # fmt: skip
    assert "reading" in record.regions[1].attributes
    colours = np.asarray(Image.open(root / "SegmentationObject/2007_000001.png").convert("RGB"))
    shown = {tuple(colour) for colour in colours.reshape(-1, 3).tolist()} - {(0, 0, 0), (224, 224, 192)}
    masked = [region for region in record.regions if region.mask_rle is not None]
    assert len(masked) + sum(drop.row.startswith("segmentation") and not drop.repaired for drop in drops) == len(shown)
    (record,), drops = read(NAME, root, "test")
    assert not record.exhaustive  # a photo of a test set without any annotation
    assert not record.regions


def xml(size: str, *objects: str) -> str:
    return f"<annotation><size>{size}</size>{''.join(objects)}</annotation>"


def thing(name: str, *edges: object) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
    return f"<object><name>{name}</name><bndbox>{''.join(f'<{s}>{v}</{s}>' for s, v in sides)}</bndbox></object>"


SIZE = "<width>8</width><height>6</height>"


def folder(root: Path, annotations: dict[str, str | bytes]) -> Path:
    (root / "VOC2012/ImageSets/Main").mkdir(parents=True)
    (root / "VOC2012/Annotations").mkdir()
    for name, text in annotations.items():
        tiny_photo(root / f"VOC2012/JPEGImages/{name}.jpg")
        path = root / f"VOC2012/Annotations/{name}.xml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (root / "VOC2012/ImageSets/Main/train.txt").write_text("\n".join(annotations))
    (root / "VOC2012/ImageSets/Main/cow_train.txt").write_text("a 1")
    return root


def test_faults_cost_their_object_or_record(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><annotation>&z;</annotation>'
    objects = [
        thing("cow", 1, 1, 8, 6), thing("cow", 5, 1, 2, 6), thing("cow", 1, 1, "NaN", 6), thing("cow", 9, 9, 12, 12),
        thing("unicorn", 1, 1, 2, 2), "<object><name>cow</name></object>", thing("", 1, 1, 2, 2), thing("dog", 0, 0, 9, 7),
        thing("dog", "1.5", 1, "2.5", 3),
    ]  # fmt: skip
    root = folder(tmp_path, {
        "a": xml(SIZE, *objects), "b": "<annotation>", "c": xml("<width>8</width>"), "d": bomb, "e": b"\xff\xfe\x00",
        "f": xml("<width>0</width><height>6</height>"), "g": xml("<width>100000</width><height>100000</height>"),
        "h": xml(SIZE), "i": "",
    })  # fmt: skip
    (root / "VOC2012/JPEGImages/h.jpg").unlink()
    records, drops = read(NAME, root, "train2012")
    assert plugins.load("converters", NAME).find(root) == ("train2012",)
    assert list(by_id(records)) == ["a", "c"]  # c's size is the picture's
    assert [region.box_xyxy for region in records[0].regions] == [(0, 0, 8, 6), (0, 0, 8, 6), (0.5, 0, 2.5, 3)]
    assert reasons(drops) == {
        "box: swapped sides": 1, "xml: no number": 2, "box: outside the photo": 1, "category: unknown": 1, "object: no name": 1,
        "box: clipped to the photo": 1, "file: unreadable": 4, "image: no size": 2, "photo: missing": 1,
    }  # fmt: skip


def test_masks_find_their_boxes(tmp_path: Path) -> None:
    cow, dog = CLASSES.index("cow") + 1, CLASSES.index("dog") + 1
    boxes = [thing("dog", 5, 1, 8, 6), thing("cow", 1, 1, 4, 6)]  # the other way round than the masks are numbered
    root = folder(tmp_path, {name: xml(SIZE, *boxes) for name in "abc"})
    objects = np.zeros((6, 8))
    objects[:, :4], objects[:, 4:], objects[0, 0], objects[5, 7] = 1, 2, 255, 3
    classes = np.select([objects == 1, objects == 2, objects == 3], [cow, dog, dog], objects)
    for name in "ab":
        grey(root / f"VOC2012/SegmentationObject/{name}.png", objects)
        grey(root / f"VOC2012/SegmentationClass/{name}.png", classes)
    grey(root / "VOC2012/SegmentationObject/b.png", objects[:5])
    grey(root / "VOC2012/SegmentationObject/c.png", objects)
    records, drops = read(NAME, root, "train2012")
    first = records[0].regions
    assert [(region.id, region.category) for region in first] == [("1", "dog"), ("2", "cow"), ("mask 3", "dog")]
    assert np.array_equal(decoded(first[0]), objects == 2)
    assert np.array_equal(decoded(first[1]), objects == 1)
    assert first[2].box_xyxy == (7, 5, 8, 6)
    assert all(region.mask_rle is None for record in records[1:] for region in record.regions)
    assert reasons(drops) == {"mask: without a box": 1, "picture: another size": 1, "file: missing": 1}


def test_one_line_when_the_list_is_missing(tmp_path: Path) -> None:
    source = plugins.load("converters", NAME)
    with pytest.raises(SourceError, match="ImageSets/Segmentation/"):
        source.open(tmp_path, "seg_val2012")
    with pytest.raises(SourceError, match="splits found: train2012"):
        source.open(folder(tmp_path / "root", {"a": xml(SIZE)}), "val2012")


def test_an_empty_list_is_an_empty_split(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("datumaro_format_fixtures") / "voc_dataset" / "voc_dataset2"
    assert "seg_trainval" in plugins.load("converters", NAME).find(root)
    records, drops = read(NAME, root, "seg_trainval")
    assert records == []
    assert reasons(drops) == {"list: empty": 1}


def test_parts_and_poses_of_a_person(tmp_path: Path) -> None:
    """VOC2012's layout and action rows: a part has a name and a box of its own, but is no object."""
    part = thing("head", 2, 2, 4, 4).replace("object", "part")
    person = thing("person", 1, 1, 8, 6).replace(
        "</object>",
        f"<pose>frontal</pose><point><x>3</x><y>3</y></point>{part}<actions><jumping>1</jumping></actions></object>",
    )
    records, drops = read(NAME, folder(tmp_path, {"a": xml(SIZE, person)}), "train2012")
    assert drops == []
    assert [(region.category, region.box_xyxy) for region in records[0].regions] == [("person", (0, 0, 8, 6))]
    assert records[0].regions[0].attributes == ("frontal view", "jumping")


@pytest.mark.parametrize("size", ["", "<width>0</width><height>0</height>", SIZE])
def test_without_a_size_the_photo_says_it(tmp_path: Path, size: str) -> None:
    """torchvision's fixtures have no <size>, some label tools write 0 x 0."""
    root = folder(tmp_path, {"a": xml(size, thing("cow", 1, 1, 4, 3)).replace("<size></size>", "")})
    records, drops = read(NAME, root, "train2012")
    assert drops == []
    assert records[0].photo is not None
    assert (records[0].photo.size_wh, records[0].regions[0].box_xyxy) == ((8, 6), (0, 0, 4, 3))


@pytest.mark.parametrize(
    ("place", "splits"),
    [
        ("VOCdevkit/VOC2007", ("train2007",)),
        ("VOC2007", ("train2007",)),
        ("VOCtrainval_06-Nov-2007/VOCdevkit/VOC2007", ("train2007",)),  # an archive in a folder of its own
        ("TrainVal/VOCdevkit/VOC2011", ("train2011",)),  # torchvision
        ("VOC2012_train_val/VOC2012_train_val", ("train2012",)),  # Kaggle
        (".", ("train",)),
    ],
)
def test_everyday_layouts(tmp_path: Path, place: str, splits: tuple[str, ...]) -> None:
    made = folder(tmp_path / "made", {"a": xml(SIZE, thing("cow", 1, 1, 4, 3))}) / "VOC2012"
    (tmp_path / "root" / place).parent.mkdir(parents=True, exist_ok=True)
    made.rename(tmp_path / "root" / place)
    assert plugins.load("converters", NAME).find(tmp_path / "root") == splits
    records, drops = read(NAME, tmp_path / "root", splits[0])
    assert drops == []
    assert records[0].regions[0].category == "cow"


def test_two_archives_of_one_year_beside_each_other(tmp_path: Path) -> None:
    for archive, part, photo in (("VOCtrainval_06-Nov-2007", "train", "a"), ("VOCtest_06-Nov-2007", "test", "b")):
        made = folder(tmp_path / archive, {photo: xml(SIZE, thing("cow", 1, 1, 4, 3))}) / "VOC2012"
        (tmp_path / "root" / archive / "VOCdevkit").mkdir(parents=True)
        made.rename(tmp_path / "root" / archive / "VOCdevkit/VOC2007")
        lists = tmp_path / "root" / archive / "VOCdevkit/VOC2007/ImageSets/Main"
        (lists / "train.txt").rename(lists / f"{part}.txt")
    assert plugins.load("converters", NAME).find(tmp_path / "root") == ("train2007", "test2007")
    for split, id_ in (("train2007", "a"), ("test2007", "b")):
        assert [record.id for record in read(NAME, tmp_path / "root", split)[0]] == [id_]


def test_a_folder_without_lists_is_one_split(tmp_path: Path) -> None:
    """mmdetection's fixture, and what label tools export: annotations and photos alone, some photos as PNG."""
    root = folder(tmp_path, {name: xml(SIZE, thing("cow", 1, 1, 4, 3)) for name in ("a", "b.rf.1", "c")})
    shutil.rmtree(root / "VOC2012/ImageSets")
    (root / "VOC2012/JPEGImages/a.jpg").unlink()
    tiny_photo(root / "VOC2012/JPEGImages/a.png")
    (root / "VOC2012/Annotations/c.xml").unlink()
    assert plugins.load("converters", NAME).find(root) == ("whole2012",)
    records, drops = read(NAME, root, "whole2012")
    assert drops == []
    assert [(record.id, len(record.regions), record.exhaustive) for record in records] == [
        ("a", 1, True), ("b.rf.1", 1, True), ("c", 0, False),
    ]  # fmt: skip


def test_names_with_folders_and_dots(tmp_path: Path) -> None:
    """CVAT and datumaro list photos in folders; a name never leads out of the data set."""
    root = folder(tmp_path, {"a": xml(SIZE), "@": xml(SIZE)})
    (root / "VOC2012/JPEGImages/cam.1").mkdir()
    (root / "VOC2012/Annotations/cam.1").mkdir()
    tiny_photo(root / "VOC2012/JPEGImages/cam.1/b.jpg")
    (root / "VOC2012/Annotations/cam.1/b.xml").write_text(xml(SIZE, thing("cow", 1, 1, 4, 3)))
    (root / "VOC2012/ImageSets/Main/train.txt").write_text("@\ncam.1/b\n../a\ncam.1/../../a\n/a\n# a comment\n")
    records, drops = read(NAME, root, "train2012")
    assert [record.id for record in records] == ["@", "cam.1/b"]
    assert reasons(drops) == {"list: no photo name, or one twice": 4}
