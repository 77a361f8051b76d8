"""PNG, Panoptic Narrative Grounding: long narratives of COCO photos whose noun phrases are tied to panoptic segments.

Format: BCV-Uniandes/PNG, README and `data/pre_process.py`: `png_coco_<split>.json` beside COCO's panoptic annotation. A narrative
is cut into utterances in order; a noun with segment ids is grounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from converters._coco_json import ImageRow
from converters._coco_layout import PhotoFolder, find_file
from converters._coco_regions import check_size
from converters._coco_split import ANNOTATION_LICENCE, open_table, photo_id
from converters._notes import Notes
from converters._rows import Slotted, list_rows
from converters._segments import picture_folder, segment_regions
from converters._texts import one_line
from converters.coco_panoptic import PanopticRow, SegmentRow
from vtinstruct.record import Category, GroundedText, Origin, Photo, Record, Region, Span
from vtinstruct.source import Source, SourceError

NAME = "png"
SPLITS = ("train2017", "val2017")
LAYOUT = """\
<root>/annotations/png_coco_{train2017,val2017}.json                      (or beside annotations/)
<root>/annotations/panoptic_{train2017,val2017}.json                      COCO's own
<root>/annotations/panoptic_segmentation/{train2017,val2017}/<id>.png     (or annotations/panoptic_<split>/)
<root>/images/{train2017,val2017}/<id>.jpg                                (or {train2017,val2017}/)"""


class Phrase(msgspec.Struct, gc=False):
    """A piece of a narrative."""

    utterance: str
    segment_ids: list[int | str] = []
    noun: bool = False
    plural: bool = False


class Narrative(msgspec.Struct, gc=False):
    """A row of the file; a photo has one or more."""

    image_id: int | str
    caption: str
    segments: list[Phrase]


@dataclass(frozen=True)
class Slot:
    """A photo and its narratives, each with its position in the file."""

    image: ImageRow
    narratives: list[tuple[int, Narrative]]


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    relative: str
    pictures: str
    photos: PhotoFolder
    panoptic: Mapping[int, Sequence[PanopticRow]]
    categories: Mapping[int, Category]

    def record(self, slot: Slot, notes: Notes) -> Record:
        image = slot.image
        photo = Photo(self.photos.path_of(image.file_name), check_size(image), photo_id(image.file_name))
        rows = self.panoptic[image.id]
        wanted = {
            number
            for _, row in slot.narratives
            for phrase in row.segments
            for number in _numbers(phrase)
            if phrase.noun
        }
        listed: list[SegmentRow] = rows[0].segments_info if rows else []
        spoken = [row for row in listed if row.id in wanted]
        regions: dict[int, Region] = {}
        if rows:
            picture = f"{self.pictures}{rows[0].file_name}"
            where = f"image {image.id}"
            regions = segment_regions(self.root, picture, photo.size_wh, spoken, self.categories, notes, where)
        captions = [_grounded(number, row, regions, notes) for number, row in slot.narratives]
        return Record(
            id=str(image.id),
            source=NAME,
            split=self.split,
            licence=ANNOTATION_LICENCE,
            origin=Origin(self.relative, f"row {slot.narratives[0][0]}"),
            photo=photo,
            regions=tuple(_named(regions, captions)),
            grounded_captions=tuple(captions),
        )


def _numbers(phrase: Phrase) -> list[int]:
    """Segment ids as numbers; the file has them as text. What is no number is none of the picture's."""
    return [int(id_) for id_ in phrase.segment_ids if isinstance(id_, int) or (id_.isdecimal() and len(id_) < 12)]


def _grounded(number: int, row: Narrative, regions: Mapping[int, Region], notes: Notes) -> GroundedText:
    """The narrative with its grounded nouns as spans: each utterance is looked for behind the one before."""
    text = one_line(row.caption)
    lowered = text.lower() if len(text.lower()) == len(text) else text
    spans: list[Span] = []
    position = 0
    for n, phrase in enumerate(row.segments):
        words = one_line(phrase.utterance).strip(" .,")
        start = lowered.find(words.lower() if lowered is not text else words, position) if words else -1
        grounds = phrase.noun and bool(phrase.segment_ids)
        if start < 0:
            if grounds:
                detail = f"{words[:40]!r} is not behind character {position}; words of the caption are right"
                notes.dropped(f"row {number}, segment {n}", "phrase: not in the caption", detail)
            continue
        position = start + len(words)
        if not grounds:
            continue
        known = [str(id_) for id_ in dict.fromkeys(_numbers(phrase)) if id_ in regions]
        if len(known) < len(set(map(str, phrase.segment_ids))):
            detail = f"{words[:40]!r} names {phrase.segment_ids}, of these {known} are segments of the photo"
            notes.dropped(f"row {number}, segment {n}", "phrase: unknown segment", detail)
        if known:
            spans.append(Span(start, position, tuple(known)))
    return GroundedText(text, tuple(spans))


def _named(regions: Mapping[int, Region], captions: Sequence[GroundedText]) -> list[Region]:
    """Regions with the phrases that mean them alone as captions."""
    said: dict[str, dict[str, None]] = {}
    for caption in captions:
        for span in caption.spans:
            if len(span.region_ids) == 1:
                said.setdefault(span.region_ids[0], {})[caption.text[span.start : span.stop]] = None
    return [replace(region, captions=tuple(said.get(region.id, ()))) for region in regions.values()]


def _places(split: str) -> list[str]:
    return [f"annotations/png_coco_{split}.json", f"png_coco_{split}.json"]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split in SPLITS if any((root / place).is_file() for place in _places(split)))


def open_split(root: Path, split: str) -> Slotted[Slot]:
    """Parse the narratives and the panoptic annotation of one split. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME}; {', '.join(SPLITS)} are right")
    path = find_file(root, _places(split), f"split {split!r}", find(root))
    relative = path.relative_to(root).as_posix()
    table, photos, panoptic, _, faults = open_table(root, split, NAME, "panoptic", PanopticRow)
    folders = (f"annotations/panoptic_segmentation/{split}", f"annotations/panoptic_{split}", f"panoptic_{split}")
    pictures = picture_folder(root, folders, f"split {split!r}")
    notes = Notes(NAME, split, relative, faults.append)
    images = {str(image.id): image for image in table.images}
    slots: dict[str, Slot] = {}
    for number, row in list_rows(path, Narrative, notes):
        id_ = str(row.image_id).strip()
        if id_ in images:
            slots.setdefault(id_, Slot(images[id_], [])).narratives.append((number, row))
        else:
            detail = f"image {id_[:20]} is not in {panoptic.name}; a listed id is right"
            notes.dropped(f"row {number}", "narrative: unknown image", detail)
    categories = {id_: row.category() for id_, row in table.categories.items()}
    reader = _Split(root, split, relative, pictures, photos, table.by_image, categories)
    vocabulary = tuple(categories.values())
    ordered = list(slots.values())
    return Slotted(
        NAME, split, relative, (path, panoptic), ordered, reader.record, lambda slot: f"row {slot.narratives[0][0]}",
        faults, vocabulary,
    )  # fmt: skip


SOURCE = Source(
    name=NAME,
    title="Panoptic Narrative Grounding",
    homepage="https://bcv-uniandes.github.io/panoptic-narrative-grounding/",
    licence=ANNOTATION_LICENCE,
    offers=frozenset({"image", "grounded_captions", "grounded_caption_masks", "region_captions"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
