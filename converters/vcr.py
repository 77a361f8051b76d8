"""VCR (Visual Commonsense Reasoning): questions about marked people in film stills, four choices, and why.

Format: rowanz/r2c, `dataloaders/vcr.py`; visualcommonsense.com/download. Texts are lists of words, in which a list of numbers
means detected objects; `metadata_fn` of a still holds size, boxes `[x1, y1, x2, y2, score]`, class names and polygons. A
still's metadata is read when its record is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._coco_layout import find_file
from converters._notes import Fault, Notes
from converters._photos import Photos, photos_in
from converters._questions import grouped
from converters._rows import Slotted, line_rows, one_object
from converters._texts import TextBuilder
from vtinstruct.geometry import GeometryError, clip_box, polygons_to_rle
from vtinstruct.record import Drop, GroundedText, Origin, Question, Record, Region
from vtinstruct.source import Source, SourceError, inside
from vtinstruct.units import Rle

NAME = "vcr"
LICENCE = "LicenseRef-VCR"  # visualcommonsense.com/license: for research, no commercial use
SPLITS = ("train", "val", "test")
PHOTO_FOLDERS = ("vcr1images", "images", "")
LAYOUT = """\
<root>/{train,val,test}.jsonl               (or in vcr1annots/)
<root>/vcr1images/<img_fn>                  stills, and beside each its <metadata_fn> (.json)"""
CLOSE_LEFT = {",", ".", "?", "!", ";", ":", "'s", "n't", "'re", "'ve", "'ll", "'d", "'m", "'", ")", "%"}

Words = list[str | list[int]]


class Row(msgspec.Struct, gc=False):
    """A line; labels are missing in the test split."""

    img_fn: str
    metadata_fn: str
    objects: list[str]
    question: Words
    answer_choices: list[Words]
    annot_id: str
    rationale_choices: list[Words] = []
    answer_label: int | None = None
    rationale_label: int | None = None


class Metadata(msgspec.Struct):
    """What is known of a still; sizes and coordinates in pixels."""

    boxes: list[list[float]]
    names: list[str]
    width: int
    height: int
    segms: list[list[list[tuple[float, float]]]] = []


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    file: str
    photos: Photos
    groups: dict[str, list[tuple[int, Row]]]

    def record(self, name: str, notes: Notes) -> Record:
        rows = self.groups[name]
        path = self.photos.path_of(name)
        meta_path = self.photos.path_of(rows[0][1].metadata_fn)
        meta = one_object(inside(self.root, meta_path), Metadata)
        photo = self.photos.photo(name, f"vcr:{name.rpartition('/')[2]}", (meta.width, meta.height))
        regions = _regions(meta, photo.size_wh, Notes(NAME, self.split, meta_path, notes.report))
        questions: dict[str, Question] = {}
        for n, row in rows:
            try:
                if row.annot_id in questions:
                    raise Fault("question: id twice", f"{row.annot_id!r:.60}; the first one is kept")
                questions[row.annot_id] = _question(row, regions)
            except Fault as fault:
                notes.fault(f"line {n}", fault)
        return Record(
            id=path.rpartition("/")[2].rpartition(".")[0],
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.file, f"line {rows[0][0]}"),
            photo=photo,
            regions=tuple(regions.values()),
            questions=tuple(questions.values()),
        )


def _regions(meta: Metadata, size_wh: tuple[int, int], notes: Notes) -> dict[int, Region]:
    """Detected objects by their number; one that cannot be used is missing."""
    if len(meta.boxes) != len(meta.names):
        raise Fault("metadata: lists of different length", f"{len(meta.boxes)} boxes, {len(meta.names)} names")
    found: dict[int, Region] = {}
    for n, (box, name) in enumerate(zip(meta.boxes, meta.names, strict=True)):
        try:
            if len(box) < 4:
                raise Fault("box: not 4 finite numbers", f"{box!r:.60}; [x1, y1, x2, y2, score] is right")
            edges = (box[0], box[1], box[2], box[3])
            kept = clip_box(edges, size_wh)
            mask = _mask(meta.segms[n] if n < len(meta.segms) else [], size_wh)
        except (Fault, GeometryError) as fault:
            notes.fault(f"object {n}", fault)
            continue
        if max(abs(a - b) for a, b in zip(edges, kept, strict=True)) > 1.0:
            notes.mended(f"object {n}", "box: clipped to the photo", f"{list(edges)} in {size_wh[0]} x {size_wh[1]}")
        found[n] = Region(id=str(n), category=name, box_xyxy=kept, mask_rle=mask)
    return found


def _mask(polygons: Sequence[Sequence[tuple[float, float]]], size_wh: tuple[int, int]) -> Rle | None:
    parts = [[value for point in polygon for value in point] for polygon in polygons if len(polygon) > 2]
    return polygons_to_rle(parts, size_wh) if parts else None


def _question(row: Row, regions: dict[int, Region]) -> Question:
    words = _text(row.question, row.objects, regions)
    choices = tuple(_text(choice, row.objects, regions) for choice in row.answer_choices)
    if row.answer_label is None:
        return Question(row.annot_id, words, (), choices=choices)
    if not 0 <= row.answer_label < len(choices):
        raise Fault("label: no such choice", f"answer {row.answer_label} of {len(choices)}; 0 to 3 is right")
    reason = None
    if row.rationale_label is not None:
        if not 0 <= row.rationale_label < len(row.rationale_choices):
            raise Fault("label: no such choice", f"rationale {row.rationale_label} of {len(row.rationale_choices)}")
        reason = _text(row.rationale_choices[row.rationale_label], row.objects, regions)
    answer = choices[row.answer_label]
    spoken = dict.fromkeys(id_ for span in (*words.spans, *answer.spans) for id_ in span.region_ids)
    return Question(row.annot_id, words, (answer,), reason=reason, choices=choices, evidence_ids=tuple(spoken))


def _text(words: Words, objects: Sequence[str], regions: dict[int, Region]) -> GroundedText:
    """Words with `[person1]` where the file has a list of objects; numbers count from 1, as the site shows them."""
    builder = TextBuilder()
    for word in words:
        if isinstance(word, str):
            if word not in CLOSE_LEFT:
                builder.space()
            builder.add(word)
            continue
        if not word or any(n not in regions or n >= len(objects) for n in word):
            raise Fault("text: unknown object", f"objects {word} of {len(objects)}; ones with a sound box are right")
        builder.space()
        names = ", ".join(f"{objects[n]}{n + 1}" for n in word)
        builder.tied(f"[{names}]", [str(n) for n in word])
    text = builder.done()
    if not text.text.strip():
        raise Fault("text: empty", "words are right")
    return text


def _place(root: Path, split: str) -> list[str]:
    return [place for place in (f"{split}.jsonl", f"vcr1annots/{split}.jsonl") if (root / place).is_file()]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split in SPLITS if _place(root, split))


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse the lines of one split; a still is a slot. Raises `SourceError`."""
    if split not in SPLITS:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(SPLITS)}")
    places = _place(root, split) or [f"{split}.jsonl", f"vcr1annots/{split}.jsonl"]
    path = find_file(root, places, f"split {split!r}", find(root))
    file = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    rows = line_rows(path, Row, Notes(NAME, split, file, faults.append))
    groups = grouped((row.img_fn, (n, row)) for n, row in rows)
    photos = photos_in(root, PHOTO_FOLDERS, groups, f"split {split!r}")
    files = [path]
    for of_still in groups.values():
        for folder in photos.folders:
            meta = root / folder.folder / of_still[0][1].metadata_fn
            if ".." not in meta.parts and meta.is_file():
                files.append(meta)
                break
    reader = _Split(root, split, file, photos, groups)
    return Slotted(NAME, split, file, files, list(groups), reader.record, str, faults)


SOURCE = Source(
    name=NAME,
    title="VCR",
    homepage="https://visualcommonsense.com",
    licence=LICENCE,
    offers=frozenset({"image", "region_questions", "grounded_answers"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
