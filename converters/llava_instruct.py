"""LLaVA-Instruct: conversations, descriptions and reasoning about COCO photos, and LLaVA-1.5's mixture of 665k.

Format: haotian-liu/LLaVA, docs/Data.md. All of it is for training; each file is a split of its own, because they repeat
each other: the 150k are the three kinds together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._chats import Said, chat, without_image
from converters._notes import Fault, Notes
from converters._photos import Photos, coco_identity, photos_in
from converters._questions import open_file, there
from converters._rows import Slotted, list_rows
from vtinstruct.record import Chat, Drop, GroundedText, Origin, Record
from vtinstruct.source import Source, SourceError

NAME = "llava_instruct"
LICENCE = "CC-BY-4.0"  # of LLaVA-Instruct-150K; made with GPT-4, whose terms of use apply as well
FILES = {
    "train": ("llava_instruct_150k.json", ""),
    "train_80k": ("llava_instruct_80k.json", ""),
    "train_conversation": ("conversation_58k.json", "conversation"),
    "train_detail": ("detail_23k.json", "detail"),
    "train_complex": ("complex_reasoning_77k.json", "complex reasoning"),
    "train_mix665k": ("llava_v1_5_mix665k.json", ""),
}
FOLDERS = ("annotations", "llava", "llava/annotations")
PHOTO_FOLDERS = ("train2017", "coco/train2017", "images/train2017", "coco/images/train2017", "")
LAYOUT = """\
<root>/llava_instruct_150k.json             train                (or in annotations/)
<root>/{conversation_58k,detail_23k,complex_reasoning_77k,llava_instruct_80k}.json   their own splits
<root>/train2017/<id>.jpg                   COCO                 (or coco/train2017/, images/train2017/)
<root>/llava_v1_5_mix665k.json              train_mix665k, with its photos where it names them:
<root>/{coco/train2017,gqa/images,ocr_vqa/images,textvqa/train_images,vg/VG_100K,vg/VG_100K_2}/..."""


class Row(msgspec.Struct, gc=False):
    """A conversation; without `image` it is about no photo."""

    conversations: list[Said]
    id: str | int = ""
    image: str | None = None


@dataclass(frozen=True)
class _Slot:
    image: str | None
    rows: list[tuple[int, Row]]

    @property
    def name(self) -> str:
        return self.image if self.image is not None else f"row {self.rows[0][0]}"


def identity(name: str) -> str:
    """The photo's identity across sources: by the folder that the 665k name, COCO's where they name none."""
    folder, _, stem = name.rpartition("/")
    number = stem.partition(".")[0]
    if folder.startswith(("vg/", "gqa/")) and number.isascii() and number.isdigit():
        return f"vg:{int(number)}"
    return coco_identity(stem) if folder in ("", "coco/train2017") else f"file:{name}"


@dataclass(frozen=True)
class _Split:
    split: str
    file: str
    kind: str
    photos: Photos | None

    def record(self, slot: _Slot, notes: Notes) -> Record:
        photo = None
        if slot.image is not None:
            if self.photos is None:
                raise Fault("photo: missing", f"no file {slot.image}")
            photo = self.photos.photo(slot.image, identity(slot.image))
        chats: list[Chat] = []
        for n, row in slot.rows:
            try:
                chats.append(chat(str(n), row.conversations, _words, self.kind, f"row {n}", notes))
            except Fault as fault:
                notes.fault(f"row {n}", fault)
        if not chats:
            raise Fault("conversation: none", f"no readable conversation of {len(slot.rows)}")
        return Record(
            id=slot.name.replace("/", ":").replace(" ", "_"),
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.file, f"row {slot.rows[0][0]}"),
            photo=photo,
            chats=tuple(chats),
        )


def _words(n: int, said: Said) -> GroundedText:
    return GroundedText(without_image(said.value))


def find(root: Path) -> tuple[str, ...]:
    """The splits whose file is there."""
    return tuple(split for split, (name, _) in FILES.items() if there(root, name, *FOLDERS))


def open_split(root: Path, split: str) -> Slotted[_Slot]:
    """Parse one file; conversations about one photo make one slot. Raises `SourceError`."""
    if split not in FILES:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(FILES)}")
    name, kind = FILES[split]
    path = open_file(root, name, split, *FOLDERS, known=find(root))
    file = path.relative_to(root).as_posix()
    faults: list[Drop] = []
    slots: list[_Slot] = []
    by_image: dict[str, _Slot] = {}
    for n, row in list_rows(path, Row, Notes(NAME, split, file, faults.append)):
        if row.image is None or row.image not in by_image:
            slots.append(_Slot(row.image, []))
            if row.image is not None:
                by_image[row.image] = slots[-1]
        (slots[-1] if row.image is None else by_image[row.image]).rows.append((n, row))
    photos = photos_in(root, PHOTO_FOLDERS, by_image, f"split {split!r}") if by_image else None
    reader = _Split(split, file, kind, photos)
    return Slotted(NAME, split, file, [path], slots, reader.record, lambda slot: slot.name, faults)


SOURCE = Source(
    name=NAME,
    title="LLaVA-Instruct",
    homepage="https://llava-vl.github.io",
    licence=LICENCE,
    offers=frozenset({"image", "chats"}),
    splits=tuple(FILES),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
