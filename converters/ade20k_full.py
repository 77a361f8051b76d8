"""ADE20K, full annotation (2017 and 2021 releases): thousands of names, instances, and parts of parts.

Objects are regions; a part is a region without a category whose caption says of what it is a part ("wheel of the car"), so
that nobody who asks for all things is given wheels. Names are open: there is no vocabulary, and nothing is known to be absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from converters._ade_files import Found, read_2017, read_2021
from converters._coco_layout import PhotoFolder
from converters._label_maps import files_below, first_folder, header_size, segment
from converters._notes import Notes
from converters._rows import Slotted
from vtinstruct.record import Category, Drop, Origin, Photo, Record, Region
from vtinstruct.source import Source, SourceError

NAME = "ade20k_full"
SPLITS = ("training", "validation")
LICENCE = "LicenseRef-ADE20K"  # non-commercial research and education; annotations BSD-3-Clause
OUTER = ("", "ADE20K_2021_17_01", "ADE20K_2016_07_26")
BASES = tuple(f"{outer}/{inner}".strip("/") for outer in OUTER for inner in ("images/ADE", "images", ""))
LAYOUT = """\
<root>/images/{training,validation}/<scene>/.../<name>.jpg       (2017; ADE20K_2016_07_26/ may be above)
    with <name>_seg.png, <name>_parts_<level>.png, <name>_atr.txt beside it
<root>/images/ADE/{training,validation}/<scene>/.../<name>.jpg   (2021; ADE20K_2021_17_01/ may be above)
    with <name>.json and <name>/instance_<n>_<name>.png beside it"""

# objectInfo150.csv, column "Stuff": the official word on what is stuff, by first name
STUFF = frozenset({
    "wall", "building", "sky", "floor", "ceiling", "road", "grass", "sidewalk", "earth", "mountain", "water", "house", "sea",
    "rug", "field", "sand", "skyscraper", "grandstand", "path", "runway", "stairway", "river", "bridge", "hill", "hovel",
    "tower", "dirt track", "land", "escalator", "stage", "conveyer belt", "swimming pool", "waterfall", "lake", "pier",
})  # fmt: skip


def category_of(id_: int, names: str) -> Category:
    """The category behind a list of names such as "car, auto, automobile"."""
    words = [word.strip() for word in names.split(",") if word.strip()] or [""]
    return Category(id_, words[0], thing=words[0] not in STUFF, synonyms=tuple(words[1:]))


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str

    def record(self, stem: str, notes: Notes) -> Record:
        """`stem` is the photo's path without `.jpg`."""
        newer = (self.root / f"{stem}.json").is_file()
        origin = f"{stem}.json" if newer else f"{stem}_seg.png"
        notes = Notes(NAME, self.split, origin, notes.report)
        path = PhotoFolder(self.root, "").path_of(f"{stem}.jpg")
        size_wh = header_size(self.root, path)
        found = (read_2021 if newer else read_2017)(self.root, stem, size_wh, notes)
        return Record(
            id=stem.rpartition(f"{self.split}/")[2],
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(origin, stem.rpartition("/")[2]),
            photo=Photo(path, size_wh, f"ade20k:{stem.rpartition('/')[2]}"),
            regions=_regions(found, notes),
        )


def _regions(found: Sequence[Found], notes: Notes) -> tuple[Region, ...]:
    wholes = {each.id: category_of(each.class_id, each.names).name for each in found}
    regions: list[Region] = []
    for each in found:
        category = category_of(each.class_id, each.names)
        if not category.name:
            notes.dropped(f"object {each.id}", "object: no name", "neither names nor a raw name; one of them is right")
        elif each.level == 0:
            regions.append(segment(each.id, category, each.mask_rle, attributes=each.attributes))
        elif each.whole not in wholes:
            detail = f"level {each.level}, {category.name}: what it belongs to is not there"
            notes.dropped(f"object {each.id}", "part: of nothing", detail)
        else:
            said = (f"{category.name} of the {wholes[each.whole]}",)
            part = Category(each.class_id, "", thing=category.thing)
            regions.append(segment(each.id, part, each.mask_rle, attributes=each.attributes, captions=said))
    return tuple(regions)


def _places(split: str) -> list[str]:
    return [f"{base}/{split}" if base else split for base in BASES]


def _is_annotated(root: Path, folder: str) -> bool:
    wanted = files_below(root, folder, lambda name: name.endswith(("_seg.png", "_atr.txt", ".json")))
    return next(wanted, None) is not None


def find(root: Path) -> tuple[str, ...]:
    """The splits whose folder is there, with an annotation in it."""
    return tuple(split for split in SPLITS if any(_is_annotated(root, place) for place in _places(split)))


def open_split(root: Path, split: str) -> Slotted[str]:
    """List one split: a slot for every photo, and every annotation without one. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    folder = first_folder(root, _places(split), f"split {split!r}")
    if not _is_annotated(root, folder):
        raise SourceError(f"{root / folder}: nothing to read; looked for *_seg.png with *_atr.txt, and *.json")
    stems: set[str] = set()
    files: list[Path] = []
    for path in files_below(root, folder, lambda name: name.endswith((".jpg", "_seg.png", "_atr.txt", ".json"))):
        for ending in (".jpg", "_seg.png", "_atr.txt", ".json"):
            if path.endswith(ending):
                stems.add(path.removesuffix(ending))
                files += [] if ending == ".jpg" else [root / path]
                break
    faults: list[Drop] = []
    reader = _Split(root, split)
    return Slotted(NAME, split, folder, tuple(files), sorted(stems), reader.record, str, faults)


SOURCE = Source(
    name=NAME,
    title="ADE20K, full",
    homepage="https://ade20k.csail.mit.edu",
    licence=LICENCE,
    offers=frozenset({"image", "boxes", "masks", "stuff", "region_captions"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
