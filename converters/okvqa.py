"""OK-VQA: questions about COCO photos that need knowledge from outside the photo; ten answers each (five, doubled)."""

from __future__ import annotations

from pathlib import Path

from converters._rows import Slotted
from converters._vqa import Files, find_splits, open_vqa
from vtinstruct.source import Source, SourceError

NAME = "okvqa"
LICENCE = "LicenseRef-OK-VQA"  # none is stated; the photos have Flickr licences of their own
FILES = {
    "train": Files("OpenEnded_mscoco_train2014_questions.json", "mscoco_train2014_annotations.json", "train2014"),
    "val": Files("OpenEnded_mscoco_val2014_questions.json", "mscoco_val2014_annotations.json", "val2014"),
}
LAYOUT = """\
<root>/OpenEnded_mscoco_{train2014,val2014}_questions.json               (or in Questions/)
<root>/mscoco_{train2014,val2014}_annotations.json                       (or in Annotations/)
<root>/Images/mscoco/{train2014,val2014}/COCO_<folder>_<id>.jpg          (or <folder>/, images/<folder>/)"""


def find(root: Path) -> tuple[str, ...]:
    """The splits whose two files are there."""
    return find_splits(root, FILES)


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse one split. Raises `SourceError`."""
    if split not in FILES:
        raise SourceError(f"{split!r} is no split of {NAME}; known: {', '.join(FILES)}")
    return open_vqa(NAME, LICENCE, root, split, FILES[split], lambda row: row.question_type)


SOURCE = Source(
    name=NAME,
    title="OK-VQA",
    homepage="https://okvqa.allenai.org",
    licence=LICENCE,
    offers=frozenset({"image", "questions"}),
    splits=tuple(FILES),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
