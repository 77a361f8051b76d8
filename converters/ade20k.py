"""ADE20K scene parsing (2016 challenge): every pixel one of 150 classes, or other (0).

Format: CSAILVision/sceneparsing, README ("Data") and `objectInfo150.txt`; label = class index, 0 = other objects and
unlabelled. Things of one class are not told apart, so all 150 classes are read as stuff; see `ade20k_full` for instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from converters._coco_json import read_bytes
from converters._coco_layout import find_file, names_in
from converters._label_maps import files_below, first_folder, photo_like, read_labels, semantic_regions
from converters._notes import Notes
from converters._rows import Slotted
from vtinstruct.record import Category, Drop, Origin, Record
from vtinstruct.source import Source, SourceError

NAME = "ade20k"
SPLITS = ("training", "validation")
LICENCE = "LicenseRef-ADE20K"  # images for non-commercial research and education; annotations BSD-3-Clause
BASES = ("", "ADEChallengeData2016", "sceneparsing", "sampleData")
NAMED = {"training": "ADE_train_", "validation": "ADE_val_"}  # how photos of a split begin, where all lie in one folder
INFO = ("objectInfo150.txt", "objectInfo150.csv")
LAYOUT = """\
<root>/objectInfo150.txt                    (or .csv; all of it may be in ADEChallengeData2016/)
<root>/images/{training,validation}/<name>.jpg
<root>/annotations/{training,validation}/<name>.png  (or both without folders for the splits: names tell them apart)"""


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    base: str
    part: str
    categories: Mapping[int, Category]

    def record(self, name: str, notes: Notes) -> Record:
        label_file = f"{self.base}annotations/{self.part}{name}.png"
        notes = Notes(NAME, self.split, label_file, notes.report)
        labels = read_labels(self.root, label_file)
        photo = photo_like(self.root, f"{self.base}images/{self.part}{name}.jpg", f"ade20k:{name}", labels, label_file)
        return Record(
            id=name,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(label_file, name),
            photo=photo,
            regions=semantic_regions(labels, self.categories, (0,), notes, name),
            exhaustive=True,
        )


def read_vocabulary(path: Path) -> dict[int, Category]:
    """The classes of `objectInfo150.txt` (or `.csv`) by index. Raises `SourceError` when there is none."""
    try:
        lines = read_bytes(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 at byte {error.start}; the official file is right") from error
    blank, join = (",", ";") if path.suffix == ".csv" else ("\t", ",")
    head = [column.strip() for column in lines[0].split(blank)] if lines else []
    if "Idx" not in head or "Name" not in head:
        raise SourceError(f"{path}: columns {head!r:.80}; Idx and Name are right")
    found: dict[int, Category] = {}
    for number, line in enumerate(lines[1:], 2):
        cells = line.split(blank)
        if not line.strip():
            continue
        try:
            index, names = int(cells[head.index("Idx")]), cells[head.index("Name")].split(join)
        except (IndexError, ValueError) as error:
            raise SourceError(f"{path}: line {number}: {line!r:.60}; an index and a name are right") from error
        words = [name.strip() for name in names if name.strip()]
        if words:
            found[index] = Category(index, words[0], thing=False, synonyms=tuple(words[1:]))
    return found


def _bases(root: Path) -> tuple[str, ...]:
    return tuple(f"{base}/" if base else "" for base in BASES if (root / base).is_dir())


def find(root: Path) -> tuple[str, ...]:
    """The splits whose label pictures are there."""
    return tuple(split for split in SPLITS if any(_has(root, base, split) for base in _bases(root)))


def _has(root: Path, base: str, split: str) -> bool:
    folder = root / f"{base}annotations"
    return (folder / split).is_dir() or any(name.startswith(NAMED[split]) for name in names_in(folder))


def open_split(root: Path, split: str) -> Slotted[str]:
    """List one split: a slot for every name that has a photo or a label picture. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    together = next((f"{base}annotations" for base in _bases(root) if _has(root, base, split)), "")
    places = [f"{base}/annotations/{split}".lstrip("/") for base in BASES]
    apart = not together or (root / together / split).is_dir()
    folder = first_folder(root, places, f"split {split!r}") if apart else together
    base, part = folder.partition("annotations")[0], f"{split}/" if apart else ""
    info = find_file(root, [f"{base}{name}" for base in dict.fromkeys((base, "")) for name in INFO], "the 150 classes")
    categories = read_vocabulary(info)
    begins = "" if part else NAMED[split]
    labels = list(files_below(root, folder, lambda name: name.startswith(begins) and name.endswith(".png")))
    photos = list(
        files_below(root, f"{base}images/{part}", lambda name: name.startswith(begins) and name.endswith(".jpg"))
    )
    names = sorted({PurePosixPath(path).stem for path in (*labels, *photos)})
    faults: list[Drop] = []
    reader = _Split(root, split, base, part, categories)
    files = (info, *(root / path for path in labels))
    vocabulary = tuple(categories.values())
    return Slotted(NAME, split, folder, files, names, reader.record, str, faults, vocabulary)


SOURCE = Source(
    name=NAME,
    title="ADE20K scene parsing",
    homepage="https://sceneparsing.csail.mit.edu",
    licence=LICENCE,
    offers=frozenset({"image", "masks", "stuff", "segments_all"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
