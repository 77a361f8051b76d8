"""Cityscapes (gtFine, gtCoarse): street scenes, 19 classes, 8 of them told apart thing by thing.

Format: mcordts/cityscapesScripts, README and `helpers/labels.py`: in `instanceIds` a pixel is `label` for stuff and for
groups that nobody could tell apart, `1000 * label + n` for the n-th thing of its label. Without that picture the polygons
are drawn as `preparation/json2instanceImg.py` does; without these too, `labelIds` gives the classes alone. The coarse
outlines leave much of a photo and many things out, so no class is known to be complete there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters._label_maps import below, files_below, first_folder, photo_like, read_labels, segment
from converters._notes import Fault, Notes
from converters._rows import Slotted, one_object
from vtinstruct.geometry import MAX_COORDINATE, rle_area, rles_of_label_map
from vtinstruct.record import Category, Drop, Origin, Record, Region
from vtinstruct.source import Source, SourceError

NAME = "cityscapes"
COARSE = "coarse_"
SPLITS = ("train", "val", "test", f"{COARSE}train", f"{COARSE}val", f"{COARSE}train_extra")
LICENCE = "LicenseRef-Cityscapes"
STEP = 1000  # instanceIds: label * STEP + number
LAYOUT = """\
<root>/gtFine/{train,val,test}/<city>/<city>_<sequence>_<frame>_gtFine_instanceIds.png
    (or _gtFine_polygons.json, or _gtFine_labelIds.png)
<root>/gtCoarse/{train,val,train_extra}/<city>/<city>_<sequence>_<frame>_gtCoarse_instanceIds.png     (likewise)
<root>/leftImg8bit/{train,val,test,train_extra}/<city>/<city>_<sequence>_<frame>_leftImg8bit.png
All of it may be in folders named as the archives (gtFine_trainvaltest/gtFine/...) or in cityscapes/"""
OUTER = {
    "gtFine": ("", "gtFine_trainvaltest/", "cityscapes/"),
    "gtCoarse": ("", "gtCoarse/", "cityscapes/"),
    "leftImg8bit": ("", "leftImg8bit_trainvaltest/", "leftImg8bit_trainextra/", "cityscapes/"),
}
KINDS = ("instanceIds.png", "polygons.json", "labelIds.png")  # the first that is there is read

# cityscapesScripts/helpers/labels.py: the 19 classes that are evaluated: id, name, category, whether things
_CLASSES = (
    (7, "road", "flat", False), (8, "sidewalk", "flat", False), (11, "building", "construction", False),
    (12, "wall", "construction", False), (13, "fence", "construction", False), (17, "pole", "object", False),
    (19, "traffic light", "object", False), (20, "traffic sign", "object", False), (21, "vegetation", "nature", False),
    (22, "terrain", "nature", False), (23, "sky", "sky", False), (24, "person", "human", True),
    (25, "rider", "human", True), (26, "car", "vehicle", True), (27, "truck", "vehicle", True),
    (28, "bus", "vehicle", True), (31, "train", "vehicle", True), (32, "motorcycle", "vehicle", True),
    (33, "bicycle", "vehicle", True),
)  # fmt: skip
CATEGORIES = {id_: Category(id_, name, things, group) for id_, name, group, things in _CLASSES}
# ... and those that no official score looks at (trainId 255); caravan and trailer are things too.
IGNORED = {
    "unlabeled": 0, "ego vehicle": 1, "rectification border": 2, "out of roi": 3, "static": 4, "dynamic": 5,
    "ground": 6, "parking": 9, "rail track": 10, "guard rail": 14, "bridge": 15, "tunnel": 16, "polegroup": 18,
    "caravan": 29, "trailer": 30,
}  # fmt: skip
_IDS = {**IGNORED, **{category.name: id_ for id_, category in CATEGORIES.items()}}
_THINGS = {29, 30, *(id_ for id_, category in CATEGORIES.items() if category.thing)}
_UNDRAWN = {"license plate"}  # id -1


class Outline(msgspec.Struct):
    """One object of a polygons file, in pixels; later ones lie over earlier ones."""

    label: str
    polygon: list[tuple[float, float]]
    deleted: int | bool = 0


class Polygons(msgspec.Struct):
    """A `_gtFine_polygons.json`."""

    imgHeight: int
    imgWidth: int
    objects: list[Outline]


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    labels: str
    photos: str

    def record(self, stem: str, notes: Notes) -> Record:
        """`stem` is `<city>/<city>_<sequence>_<frame>`."""
        base = f"{self.labels}/{stem}_{_kind(self.split)}_"
        kind = next((kind for kind in KINDS if (self.root / f"{base}{kind}").is_file()), KINDS[0])
        notes = Notes(NAME, self.split, f"{base}{kind}", notes.report)
        labels = self._polygons(f"{base}{kind}", notes) if kind == KINDS[1] else read_labels(self.root, f"{base}{kind}")
        name = stem.rpartition("/")[2]
        photo_path = f"{self.photos}/{stem}_leftImg8bit.png"
        coarse = self.split.startswith(COARSE)
        return Record(
            id=name,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(f"{base}{kind}", name),
            photo=photo_like(self.root, photo_path, f"{NAME}:{name}", labels, f"{base}{kind}"),
            regions=_regions(labels, notes, name),
            # The public test files have no labels but the frame of the photo.
            exhaustive=self.split != "test" and not coarse,
            not_exhaustive=tuple(category.name for category in CATEGORIES.values()) if coarse else (),
        )

    def _polygons(self, relative: str, notes: Notes) -> NDArray[Any]:
        return draw(one_object(below(self.root, relative), Polygons), notes)


def _kind(split: str) -> str:
    return "gtCoarse" if split.startswith(COARSE) else "gtFine"


def _places(kind: str, part: str) -> list[str]:
    return [f"{outer}{kind}/{part}" for outer in OUTER[kind]]


def _regions(labels: NDArray[Any], notes: Notes, name: str) -> tuple[Region, ...]:
    """Every class segment or thing by its number; things that were not told apart are crowds."""
    found: list[Region] = []
    for number, mask_rle in rles_of_label_map(labels).items():
        id_ = number // STEP if number >= STEP else number
        category = CATEGORIES.get(id_)
        if category is not None and (number < STEP or category.thing):
            found.append(segment(str(number), category, mask_rle, crowd=category.thing and number < STEP))
        elif id_ not in IGNORED.values() or (number >= STEP and id_ not in _THINGS):
            detail = f"{rle_area(mask_rle)} pixels count as void; an id of helpers/labels.py is right"
            notes.dropped(f"{name}, label {number}", "label: unknown", detail)
    return tuple(found)


def draw(polygons: Polygons, notes: Notes) -> NDArray[np.int32]:
    """The `instanceIds` (H, W) that the official script makes of a polygons file, by the same library."""
    from PIL import Image, ImageDraw

    width, height = polygons.imgWidth, polygons.imgHeight
    if width < 1 or height < 1 or width * height > 1 << 26:
        raise Fault("image: no size", f"imgWidth x imgHeight = {width} x {height}; pixels above 0 are right")
    canvas = Image.new("I", (width, height), 0)
    pen = ImageDraw.Draw(canvas)
    counts: dict[int, int] = {}
    for position, outline in enumerate(polygons.objects):
        if outline.deleted:
            continue
        group = outline.label not in _IDS and outline.label.endswith("group")
        id_ = _IDS.get(outline.label.removesuffix("group") if group else outline.label)
        if id_ is None:
            if outline.label not in _UNDRAWN:
                detail = f"{outline.label[:40]!r}; a name of helpers/labels.py is right"
                notes.dropped(f"objects[{position}]", "label: unknown", detail)
            continue
        if id_ in _THINGS and not group:
            counts[id_] = counts.get(id_, -1) + 1
            id_ = id_ * STEP + counts[id_]
        points = outline.polygon
        if len(points) < 2 or any(abs(value) > MAX_COORDINATE for point in points for value in point):
            detail = f"{len(points)} points; 2 or more within {MAX_COORDINATE:.0f} pixels are right"
            notes.dropped(f"objects[{position}]", "polygon: cannot be drawn", detail)
            continue
        pen.polygon(points, fill=id_)
    return np.asarray(canvas)


def find(root: Path) -> tuple[str, ...]:
    """The splits whose labels are there."""
    return tuple(split for split in SPLITS if any((root / place).is_dir() for place in _label_places(split)))


def _label_places(split: str) -> list[str]:
    return _places(_kind(split), split.removeprefix(COARSE))


def open_split(root: Path, split: str) -> Slotted[str]:
    """List one split: a slot for every name that has a photo or labels. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    folder = first_folder(root, _label_places(split), f"split {split!r}")
    places = _places("leftImg8bit", split.removeprefix(COARSE))
    photo_folder = next((place for place in places if (root / place).is_dir()), places[0])
    endings = tuple(f"_{_kind(split)}_{kind}" for kind in KINDS)
    labels = list(files_below(root, folder, lambda name: name.endswith(endings)))
    photos = files_below(root, photo_folder, lambda name: name.endswith("_leftImg8bit.png"))
    stems = {path.removeprefix(f"{folder}/").rpartition(f"_{_kind(split)}_")[0] for path in labels}
    stems |= {path.removeprefix(f"{photo_folder}/").removesuffix("_leftImg8bit.png") for path in photos}
    faults: list[Drop] = []
    files = tuple(root / path for path in labels)
    vocabulary = tuple(CATEGORIES.values())
    reader = _Split(root, split, folder, photo_folder)
    return Slotted(NAME, split, folder, files, sorted(stems), reader.record, str, faults, vocabulary)


SOURCE = Source(
    name=NAME,
    title="Cityscapes",
    homepage="https://www.cityscapes-dataset.com",
    licence=LICENCE,
    offers=frozenset({"image", "boxes", "masks", "stuff", "segments_all"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
