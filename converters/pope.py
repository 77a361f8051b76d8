"""POPE: is there a ... in the image? Six yes/no probes a COCO photo; the absent things are drawn at random, from the most
popular ones, or from those that usually come along (adversarial).

Format: AoiDragon/POPE, `output/coco/coco_pope_{random,popular,adversarial}.json`: JSON lines in spite of the name; and
`output/seem/{aokvqa,gqa}/...`, JSON lists, on photos of A-OKVQA (COCO's) and GQA (Visual Genome's), whose things a
segmentation model named.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from converters._notes import Fault, Notes
from converters._photos import coco_identity
from converters._questions import Asked, asked_words, coco_2014_folders, grouped, open_file, there
from converters._rows import Slotted, line_rows, list_rows
from converters._texts import question
from converters._vg import known_images, vg_identity
from vtinstruct.record import Drop, Question
from vtinstruct.source import Source, SourceError

NAME = "pope"
LICENCE = "MIT"
SETTINGS = ("random", "popular", "adversarial")
FILES = {
    **{setting: ("coco", f"coco_pope_{setting}.json") for setting in SETTINGS},
    **{f"{on}_{setting}": (on, f"{on}_pope_seem_{setting}.json") for on in ("aokvqa", "gqa") for setting in SETTINGS},
}
SPLITS = tuple(FILES)
GQA_FOLDERS = ("gqa/images", "images", "VG_100K", "VG_100K_2", "")
LAYOUT = """\
<root>/coco/coco_pope_{random,popular,adversarial}.json                  (or output/coco/, or below the root)
<root>/{aokvqa,gqa}/{aokvqa,gqa}_pope_seem_<setting>.json                (or output/seem/...): aokvqa_random, gqa_popular ...
<root>/val2014/COCO_val2014_<id>.jpg                                     (or images/val2014/, Images/mscoco/val2014/)
<root>/gqa/images/<id>.jpg                                               (or images/, VG_100K/, VG_100K_2/)
<root>/image_data.json                                optional (Visual Genome's): tells which of GQA's are COCO's"""


class Row(msgspec.Struct, gc=False):
    """One line."""

    question_id: int
    image: str
    text: str
    label: str


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split, (on, name) in FILES.items() if there(root, name, *_folders(on)))


def _folders(on: str) -> tuple[str, ...]:
    return (on, f"output/{on}", f"output/seem/{on}", f"seem/{on}")


def _question(numbered: tuple[int, Row], notes: Notes) -> Question:
    row = numbered[1]
    if row.label not in ("yes", "no"):
        raise Fault("label: neither yes nor no", f"{row.label!r:.40}")
    return question(str(row.question_id), asked_words(row.text), [row.label], kind="yes/no")


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; known: {', '.join(SPLITS)}")
    on, name = FILES[split]
    path = open_file(root, name, split, *_folders(on), known=find(root))
    faults: list[Drop] = []
    notes = Notes(NAME, split, path.relative_to(root).as_posix(), faults.append)
    with path.open("rb") as file:
        is_list = file.read(1) == b"["
    rows = list_rows(path, Row, notes) if is_list else line_rows(path, Row, notes)
    groups = grouped((row.image, (n, row)) for n, row in rows)
    images, more = known_images(root, Notes(NAME, split, "image_data.json", faults.append)) if on == "gqa" else ({}, [])

    def identity(image: str) -> str:
        stem = image.rpartition(".")[0]
        known = on == "gqa" and stem.isascii() and stem.isdigit() and len(stem) < 12
        return vg_identity(int(stem), images) if known else coco_identity(image)

    of = "row" if is_list else "line"
    asked = Asked(NAME, split, LICENCE, root, path, groups, _question, lambda one: f"{of} {one[0]}", identity)
    return asked.opened(list(GQA_FOLDERS) if on == "gqa" else coco_2014_folders("val2014"), [path, *more], faults)


SOURCE = Source(
    name=NAME,
    title="POPE",
    homepage="https://github.com/AoiDragon/POPE",
    licence=LICENCE,
    offers=frozenset({"image", "questions"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
