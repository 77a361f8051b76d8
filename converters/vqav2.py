"""VQA v2.0: questions about COCO photos with ten people's answers each, the most common one first."""

from __future__ import annotations

from pathlib import Path

from converters._rows import Slotted
from converters._vqa import Files, find_splits, open_vqa
from vtinstruct.source import Source, SourceError

NAME = "vqav2"
LICENCE = "CC-BY-4.0"  # visualqa.org/terms; the photos have Flickr licences of their own
FILES = {
    "train": Files("v2_OpenEnded_mscoco_train2014_questions.json", "v2_mscoco_train2014_annotations.json", "train2014"),
    "val": Files("v2_OpenEnded_mscoco_val2014_questions.json", "v2_mscoco_val2014_annotations.json", "val2014"),
    "test_dev": Files("v2_OpenEnded_mscoco_test-dev2015_questions.json", None, "test2015"),
    "test": Files("v2_OpenEnded_mscoco_test2015_questions.json", None, "test2015"),
}
LAYOUT = """\
<root>/Questions/v2_OpenEnded_mscoco_{train2014,val2014,test-dev2015,test2015}_questions.json
<root>/Annotations/v2_mscoco_{train2014,val2014}_annotations.json        (both also straight below the root)
<root>/Images/mscoco/{train2014,val2014,test2015}/COCO_<folder>_<id>.jpg (or <folder>/, images/<folder>/)"""


def find(root: Path) -> tuple[str, ...]:
    """The splits whose files are there."""
    return find_splits(root, FILES)


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse one split. Raises `SourceError`."""
    if split not in FILES:
        raise SourceError(f"{split!r} is no split of {NAME}; known: {', '.join(FILES)}")
    return open_vqa(NAME, LICENCE, root, split, FILES[split], lambda row: row.answer_type)


SOURCE = Source(
    name=NAME,
    title="VQA v2.0",
    homepage="https://visualqa.org",
    licence=LICENCE,
    offers=frozenset({"image", "questions"}),
    splits=tuple(FILES),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
