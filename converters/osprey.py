"""Osprey-724K: conversations and descriptions about masked regions of COCO photos.

Format: CircleRadon/Osprey, `dataset.md` and `osprey/datasets/osprey_724k.py`. `annotation` holds the regions of a row in the
order of their numbers; words speak of them as `<region1>`, or not at all, and then the regions come before the question.
Every file is a split of its own, all for training.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._chats import ROLES, Said, chat, without_image
from converters._coco_regions import segmentation_mask
from converters._notes import Fault, Notes
from converters._photos import Photos, coco_identity, photos_in
from converters._questions import grouped, open_file, there
from converters._rows import Slotted, list_rows
from converters._texts import TextBuilder, one_line
from vtinstruct.geometry import GeometryError, rle_area, rle_box
from vtinstruct.record import Chat, Drop, GroundedText, Origin, Record, Region
from vtinstruct.source import Source, SourceError

NAME = "osprey"
LICENCE = "CC-BY-NC-4.0"  # huggingface.co/datasets/AntGroup-MI/Osprey-724K; made with GPT-4, whose terms apply as well
FILES = {
    "train_conversation": ("osprey_conversation.json", "conversation"),
    "train_detail": ("osprey_detail_description.json", "detail"),
    "train_short_form": ("osprey_short_form.json", "short form"),
    "train_part_level": ("osprey_part_level.json", "part level"),
    "train_positive_negative": ("osprey_lvis_positive_negative.json", "positive negative"),
}
FOLDERS = ("Osprey-724K",)
PHOTO_FOLDERS = ("coco/imgs", "imgs", "train2017", "val2017", "images/train2017", "images", "")
LAYOUT = """\
<root>/Osprey-724K/osprey_{conversation,detail_description,short_form,part_level,lvis_positive_negative}.json
                                            (or straight below the root; each is a split)
<root>/coco/imgs/<id>.jpg                   COCO 2017, train and val together (or train2017/ and val2017/)"""

_MENTION = re.compile(r"<?\bregion\s?(\d{1,3})\b>?", re.I)
_SAID_OF = re.compile(r"\s*<region\s?(\d{1,3})>\s*:\s*", re.I)


class AnnotationRow(msgspec.Struct, gc=False):
    """One region of a row."""

    segmentation: msgspec.Raw


class Row(msgspec.Struct, gc=False):
    """A row of any of the five files: conversations, or a description of every region."""

    file_name: str
    height: int
    width: int
    annotation: list[AnnotationRow]
    conversations: list[Said] = []
    description: list[str] = []


@dataclass(frozen=True)
class _Split:
    split: str
    file: str
    kind: str
    photos: Photos
    groups: dict[str, list[tuple[int, Row]]]

    def record(self, name: str, notes: Notes) -> Record:
        rows = self.groups[name]
        photo = self.photos.photo(name, coco_identity(name), (rows[0][1].width, rows[0][1].height))
        regions: list[Region] = []
        chats: list[Chat] = []
        for n, row in rows:
            try:
                if (row.width, row.height) != photo.size_wh:
                    raise Fault(
                        "image: another size", f"{row.width} x {row.height}; the photo's other rows say {photo.size_wh}"
                    )
                found = _regions(n, row, photo.size_wh, notes)
                if row.description:
                    found = _described(n, row, found, notes)
                if row.conversations:
                    chats.append(_chat(n, row, found, self.kind, notes))
            except (Fault, GeometryError) as fault:
                notes.fault(f"row {n}", fault)
                continue
            regions += found
        if not regions:
            raise Fault("row: none", f"no readable row of {len(rows)}")
        return Record(
            id=name.rpartition(".")[0],
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.file, f"row {rows[0][0]}"),
            photo=photo,
            regions=tuple(regions),
            chats=tuple(chats),
        )


def _regions(n: int, row: Row, size_wh: tuple[int, int], notes: Notes) -> list[Region]:
    """The row's regions in the order of their numbers; all must be sound, for words speak of them by number."""
    found: list[Region] = []
    for k, one in enumerate(row.annotation):
        mask = segmentation_mask(one.segmentation, size_wh, notes, f"row {n}, region {k + 1}")
        if mask is None or rle_area(mask) == 0:
            raise Fault("region: no mask", f"region {k + 1} of {len(row.annotation)} covers nothing")
        found.append(Region(id=f"{n}_{k + 1}", box_xyxy=rle_box(mask), mask_rle=mask))
    return found


def _described(n: int, row: Row, regions: Sequence[Region], notes: Notes) -> list[Region]:
    """The regions with their descriptions, `<region1>: ...`."""
    words: dict[int, str] = {}
    for text in row.description:
        match = _SAID_OF.match(text)
        number = int(match[1]) if match else 0
        said = one_line(text[match.end() :]) if match else ""
        if not 1 <= number <= len(regions) or not said:
            notes.dropped(f"row {n}", "description: of no region", f"{text[:80]!r}; <region1>: words are right")
        else:
            words[number] = said
    return [
        Region(
            region.id, box_xyxy=region.box_xyxy, mask_rle=region.mask_rle, captions=(words[k],) if k in words else ()
        )
        for k, region in enumerate(regions, 1)
    ]


def _chat(n: int, row: Row, regions: Sequence[Region], kind: str, notes: Notes) -> Chat:
    """A conversation; regions that no question mentions stand before the first one, as in Osprey's own training."""
    asked = [one for one in row.conversations if ROLES.get(one.by) == "user"]
    mentioned = {int(match[1]) for one in asked for match in _MENTION.finditer(one.value)}
    unspoken = [k for k in range(1, len(regions) + 1) if k not in mentioned]

    def words(turn: int, said: Said) -> GroundedText:
        builder = TextBuilder()
        question = ROLES[said.by] == "user"
        if asked and said is asked[0]:
            for k in unspoken:
                builder.tied(f"[region{k}]", [regions[k - 1].id])
                builder.add(" ")
        text, at = without_image(said.value), 0
        for match in _MENTION.finditer(text):
            number = int(match[1])
            if not 1 <= number <= len(regions):
                raise Fault("conversation: unknown region", f"{match[0]!r} of {len(regions)} regions")
            builder.add(text[at : match.start()])
            builder.tied(f"[region{number}]" if question else f"region{number}", [regions[number - 1].id])
            at = match.end()
        builder.add(text[at:])
        return builder.done()

    return chat(str(n), row.conversations, words, kind, f"row {n}", notes)


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split, (name, _) in FILES.items() if there(root, name, *FOLDERS))


def open_split(root: Path, split: str) -> Slotted[str]:
    """Parse one file; its rows about one photo make one slot. Raises `SourceError`."""
    if split not in FILES:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(FILES)}")
    name, kind = FILES[split]
    path = open_file(root, name, split, *FOLDERS, known=find(root))
    file = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    rows = list_rows(path, Row, Notes(NAME, split, file, faults.append))
    # Some rows have COCO's name of 2014; the photos are those of 2017.
    groups = grouped((row.file_name.rpartition("_")[2], (n, row)) for n, row in rows)
    photos = photos_in(root, PHOTO_FOLDERS, groups, f"split {split!r}")
    reader = _Split(split, file, kind, photos, groups)
    return Slotted(NAME, split, file, [path], list(groups), reader.record, str, faults)


SOURCE = Source(
    name=NAME,
    title="Osprey-724K",
    homepage="https://huggingface.co/datasets/AntGroup-MI/Osprey-724K",
    licence=LICENCE,
    offers=frozenset({"image", "region_chats", "region_captions"}),
    splits=tuple(FILES),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
