"""Pascal VOC (2007 to 2012): boxes of 20 classes, and masks where a photo is segmented.

Format: VOC development kit documentation. A split is a list of `ImageSets`: `train2012` is VOC2012's `Main/train.txt`,
`seg_train2012` its `Segmentation/train.txt`. "Difficult" objects are read as crowds: official scores ignore both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from converters._coco_layout import PhotoFolder, names_in
from converters._label_maps import header_size, segment
from converters._notes import Fault, Notes
from converters._rows import Slotted
from converters._voc_files import NO_OBJECT, VOID, Marked, read_indices, read_xml
from converters.pascal_context import read_list
from vtinstruct.geometry import box_iou, rle_box, rles_of_label_map
from vtinstruct.record import Category, Drop, Origin, Photo, Record, Region
from vtinstruct.source import Source, SourceError, inside
from vtinstruct.units import Rle

NAME = "pascal_voc"
_YEAR = re.compile(r"VOC(20\d\d)(?:_\w+)?")  # VOC2012, VOC2012_train_val
ENDINGS = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")
SETS = ("train", "val", "trainval", "test")
SPLITS = tuple(f"{kind}{part}{year}" for year in ("2007", "2012") for kind in ("", "seg_") for part in SETS)
LICENCE = "LicenseRef-Pascal-VOC"
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
CATEGORIES = {name: Category(number, name) for number, name in enumerate(CLASSES, 1)}
LAYOUT = """\
<root>/VOCdevkit/VOC<year>/ImageSets/{Main,Segmentation}/<set>.txt     (or VOC<year>/, or either in another folder)
<root>/VOCdevkit/VOC<year>/Annotations/<name>.xml
<root>/VOCdevkit/VOC<year>/JPEGImages/<name>.jpg
<root>/VOCdevkit/VOC<year>/Segmentation{Class,Object}/<name>.png       where a photo is segmented"""
SURE = 0.1  # IoU from which on a mask may belong to a box of its class


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    base: str
    photos: PhotoFolder

    def record(self, name: str, notes: Notes) -> Record:
        xml = f"{self.base}Annotations/{name}.xml"
        notes = Notes(NAME, self.split, xml, notes.report)
        path = self._photo(name)
        boxed = (self.root / xml).is_file()

        def size() -> tuple[int, int]:
            return header_size(self.root, path)

        size_wh, marked = read_xml(inside(self.root, xml), xml, size, notes) if boxed else (size(), [])
        regions = self._regions(name, size_wh, marked, notes)
        return Record(
            id=name,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(xml if boxed else path, name),
            photo=Photo(path, size_wh, f"{NAME}:{name}"),
            regions=regions,
            exhaustive=boxed or bool(regions),  # the photos of a test set may come without any annotation
        )

    def _photo(self, name: str) -> str:
        for ending in ENDINGS:
            if (self.root / f"{self.photos.folder}/{name}{ending}").is_file():
                return self.photos.path_of(f"{name}{ending}")
        return self.photos.path_of(f"{name}.jpg")

    def _regions(
        self, name: str, size_wh: tuple[int, int], marked: Sequence[Marked], notes: Notes
    ) -> tuple[Region, ...]:
        found: list[Region] = []
        for each in marked:
            category = CATEGORIES.get(each.name)
            if category is None:
                detail = f"{each.name[:40]!r}; one of the 20 classes is right"
                notes.dropped(f"object {each.number}", "category: unknown", detail)
            else:
                found.append(
                    Region(
                        str(each.number), category.name, category.id, each.box_xyxy, crowd=each.difficult,
                        attributes=each.attributes,
                    )
                )  # fmt: skip
        try:
            masks = self._masks(name, size_wh, notes)
        except Fault as fault:
            notes.fault("segmentation", fault)
            masks = []
        return _joined(found, masks, notes)

    def _masks(self, name: str, size_wh: tuple[int, int], notes: Notes) -> list[tuple[int, Category, Rle]]:
        """The objects of a segmented photo: number, class (of most of its pixels) and mask."""
        paths = [f"{self.base}Segmentation{kind}/{name}.png" for kind in ("Object", "Class")]
        there = [(self.root / path).is_file() for path in paths]
        if not any(there):
            if self.split.startswith("seg_"):
                raise Fault("segmentation: missing", f"no files {' and '.join(paths)}; download them")
            return []
        objects, classes = (read_indices(self.root, path, size_wh) for path in paths)
        found: list[tuple[int, Category, Rle]] = []
        for number, mask_rle in rles_of_label_map(objects).items():
            if number in (NO_OBJECT, VOID):
                continue
            label = int(np.bincount(classes[objects == number].astype(np.int64)).argmax())
            if 1 <= label <= len(CLASSES):
                found.append((number, CATEGORIES[CLASSES[label - 1]], mask_rle))
            else:
                detail = f"most of its pixels have class {label}; 1 to {len(CLASSES)} is right"
                notes.dropped(f"segmentation, object {number}", "mask: no class", detail)
        return found


def _joined(regions: list[Region], masks: Sequence[tuple[int, Category, Rle]], notes: Notes) -> tuple[Region, ...]:
    """Boxes with their masks: the numbers agree in nearly all files; where class or place speak against it, the box of
    the class that overlaps most. A mask without a box is a region of its own."""
    left = dict(enumerate(regions))
    alone: list[Region] = []
    for number, category, mask_rle in masks:
        box = np.asarray([rle_box(mask_rle)])
        fits = [
            (region.id == str(number), float(box_iou(np.asarray([region.box_xyxy]), box)[0, 0]), place)
            for place, region in left.items()
            if region.category == category.name
        ]
        fits = [(iou, same, place) for same, iou, place in fits if iou >= SURE]
        if not fits:
            detail = f"no free box of {category.name} overlaps it; it is kept with the tight box of its mask"
            notes.mended(f"segmentation, object {number}", "mask: without a box", detail)
            alone.append(segment(f"mask {number}", category, mask_rle))
            continue
        own = next((place for iou, same, place in fits if same and iou >= 0.5), max(fits)[2])
        regions[own] = replace(regions[own], mask_rle=mask_rle)
        del left[own]
    return (*regions, *alone)


def _folders(root: Path) -> list[tuple[str, str]]:
    """Folders that look like a year of VOC, with the year ("" where nobody says): [("VOCdevkit/VOC2012/", "2012")]. Archives
    unpacked each into a folder of its own, and torchvision's TrainVal/, are looked into."""
    own = [f"{name}/" for name in names_in(root) if (root / name).is_dir() and name != "VOCdevkit"]
    outer = ["VOCdevkit/", "", *(f"{folder}{inner}" for folder in own for inner in ("", "VOCdevkit/"))]
    named = [
        (f"{base}{name}/", match[1])
        for base in outer
        for name in names_in(root / base)
        if (match := _YEAR.fullmatch(name)) is not None
    ]
    year = _YEAR.fullmatch(root.name)
    return [(base, year) for base, year in (*named, ("", year[1] if year else "")) if _is_one(root / base)]


def _is_one(base: Path) -> bool:
    return (base / "ImageSets").is_dir() or all((base / name).is_dir() for name in ("Annotations", "JPEGImages"))


def _lists(root: Path) -> dict[str, tuple[str, str]]:
    """Splits -> (base folder, list relative to the root); lists of one class (`cow_train.txt`) are none. Where a folder has
    no lists at all, all its files are one split, and its list is ""."""
    found: dict[str, tuple[str, str]] = {}
    for base, year in _folders(root):
        if not (root / base / "ImageSets").is_dir():
            found.setdefault(f"whole{year}", (base, ""))
        for kind, folder in (("", "Main"), ("seg_", "Segmentation")):
            for path in sorted((root / base / "ImageSets" / folder).glob("*.txt")):
                if re.fullmatch(r"[a-z0-9]+", path.stem):
                    listed = f"{base}ImageSets/{folder}/{path.name}"
                    found.setdefault(f"{kind}{path.stem}{year}", (base, listed))
    return found


def _unlisted(root: Path, base: str) -> list[str]:
    """The names of a folder without lists: of its photos and its annotations, in order."""
    there = (*names_in(root / f"{base}JPEGImages"), *names_in(root / f"{base}Annotations"))
    return sorted({name.rpartition(".")[0] for name in there if name.endswith((*ENDINGS, ".xml"))})


def find(root: Path) -> tuple[str, ...]:
    """The splits whose list is there, the official ones first."""
    found = _lists(root)
    return (*(split for split in SPLITS if split in found), *sorted(set(found) - set(SPLITS)))


def open_split(root: Path, split: str) -> Slotted[str]:
    """Read the list of one split. Raises `SourceError`."""
    if not root.is_dir():
        raise SourceError(f"{root}: no such folder; the source's root is right")
    lists = _lists(root)
    if split not in lists:
        folder = "Segmentation" if split.startswith("seg_") else "Main"
        places = f"VOCdevkit/VOC<year>/ImageSets/{folder}/, VOC<year>/ImageSets/{folder}/, ImageSets/{folder}/"
        there = f"; splits found: {', '.join(find(root))}" if lists else ""
        raise SourceError(f"{root}: no list for split {split!r}; looked for its .txt in {places}{there}")
    base, relative = lists[split]
    faults: list[Drop] = []
    listed = [inside(root, relative)] if relative else []
    notes = Notes(NAME, split, relative, faults.append)
    names = read_list(listed[0], notes) if listed else _unlisted(root, base)
    wanted = ["Annotations/{}.xml", *(f"Segmentation{kind}/{{}}.png" for kind in ("Object", "Class"))]
    there = (root / f"{base}{pattern.format(name)}" for name in names for pattern in wanted)
    files = (*listed, *(path for path in there if path.is_file()))
    reader = _Split(root, split, base, PhotoFolder(root, f"{base}JPEGImages"))
    vocabulary = tuple(CATEGORIES.values())
    return Slotted(NAME, split, relative or f"{base}Annotations", files, names, reader.record, str, faults, vocabulary)


SOURCE = Source(
    name=NAME,
    title="Pascal VOC",
    homepage="http://host.robots.ox.ac.uk/pascal/VOC/",
    licence=LICENCE,
    offers=frozenset({"image", "boxes", "masks"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
