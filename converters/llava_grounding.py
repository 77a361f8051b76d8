"""LLaVA-Grounding: conversations whose answers are grounded in COCO instances, or whose questions point at them.

Format: UX-Decoder/LLaVA-Grounding, README and `datasets_os/registration/`. In a grounded answer `<g_s> words <g_e> <seg>` stands
for the instances of the next list in `gd_ls`; in a visual prompt each `<obj>` of a question stands for the next instance of
that question's list in `q_gd_ls`. Instances are in a COCO file beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._chats import ROLES, Said, chat, without_image
from converters._coco_json import CategoryRow, ImageRow, Table, read_table
from converters._coco_layout import find_file
from converters._coco_regions import InstanceRow, check_size, regions
from converters._notes import Fault, Notes
from converters._photos import Photos, coco_identity, photos_in
from converters._questions import coco_2014_folders, grouped
from converters._rows import Slotted, list_rows
from converters._texts import TextBuilder
from vtinstruct.record import Chat, Drop, GroundedText, Origin, Record, Region
from vtinstruct.source import Source, SourceError

NAME = "llava_grounding"
LICENCE = "LicenseRef-LLaVA-Grounding"
FILES = {
    "train": ("grounded_visual_chat_data.json", "instances_train2017_gvc.json"),
    "train_visual_prompt": ("llava_instruct_150k_visual_prompt.json", "instances_train2014_filter.json"),
}
FOLDERS = ("llava/annotations/", "coco/annotations/", "annotations/", "")
LAYOUT = """\
<root>/llava/annotations/grounded_visual_chat_data.json             train    (or coco/annotations/, annotations/)
<root>/coco/annotations/instances_train2017_gvc.json
<root>/llava/annotations/llava_instruct_150k_visual_prompt.json     train_visual_prompt
<root>/coco/annotations/instances_train2014_filter.json
<root>/coco/train2014/COCO_train2014_<id>.jpg                       (or train2014/, images/train2014/)"""

_GROUNDED = re.compile(r"<g_s>\s*(.*?)\s*<g_e>\s*(?:<seg>)?", re.S)
_REQUEST = re.compile(r"\s*\(with grounding\)")
# The instructions of LLaVA's detailed descriptions: their answers are captions.
_DESCRIBE = re.compile(
    r"descri(?:be|ption|ptive)|elaborat|rundown|analy[sz]|aspects of the image|contents of|elements of|details of|"
    r"depiction|narrat|portray|illustrate|examine|do you see|going on in this",
    re.I,
)


class Row(msgspec.Struct, gc=False):
    """A conversation about a photo; instances per `<seg>` of its answers, or per question."""

    id: str
    conversations: list[Said]
    gd_ls: list[list[int] | None] | None = None
    q_gd_ls: list[list[int] | None] | None = None


@dataclass(frozen=True)
class _Split:
    split: str
    file: str
    instances_file: str
    photos: Photos
    table: Table[InstanceRow, ImageRow, CategoryRow]
    images: dict[int, ImageRow]
    groups: dict[int, list[tuple[int, Row]]]

    def record(self, id_: int, notes: Notes) -> Record:
        image, rows = self.images[id_], self.groups[id_]
        photo = self.photos.photo(image.file_name, coco_identity(image.file_name), check_size(image))
        wanted = {n for _, row in rows for ids in (*(row.gd_ls or ()), *(row.q_gd_ls or ())) for n in ids or ()}
        elsewhere = Notes(NAME, self.split, self.instances_file, notes.report)
        meant = [row for row in self.table.by_image[id_] if row.id in wanted]
        known = {region.id: region for region in regions(image, meant, self.table.categories, elsewhere)}
        chats: list[Chat] = []
        captions: list[GroundedText] = []
        for n, row in rows:
            try:
                found = _chat(n, row, known, notes)
            except Fault as fault:
                notes.fault(f"row {n}", fault)
                continue
            chats.append(found)
            captions += _caption(found)
        if not chats:
            raise Fault("conversation: none", f"no readable conversation of {len(rows)}")
        return Record(
            id=str(id_),
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(self.file, f"row {rows[0][0]}"),
            photo=photo,
            regions=tuple(known.values()),
            grounded_captions=tuple(captions),
            chats=tuple(chats),
        )


def _caption(found: Chat) -> list[GroundedText]:
    """The answer of a conversation that only asks for a description, when it is grounded."""
    if len(found.turns) != 2 or not _DESCRIBE.search(found.turns[0].words.text):
        return []
    answer = found.turns[1].words
    return [answer] if answer.spans else []


def _chat(n: int, row: Row, known: dict[str, Region], notes: Notes) -> Chat:
    where = f"row {n}"
    groups = iter(row.gd_ls or ())
    asked = [one for one in row.conversations if ROLES.get(one.by) == "user"]
    if row.q_gd_ls is not None and len(row.q_gd_ls) != len(asked):
        raise Fault("grounding: lists of different length", f"{len(row.q_gd_ls)} in q_gd_ls, {len(asked)} questions")
    texts: list[GroundedText] = []
    questions = 0
    for said in row.conversations:
        text = without_image(said.value)
        if ROLES.get(said.by) == "user":
            meant = row.q_gd_ls[questions] if row.q_gd_ls is not None else None
            questions += 1
            texts.append(_question(_REQUEST.sub("", text), meant or (), known))
        else:
            texts.append(_answer(text, groups, known, where, notes))
    if row.gd_ls is not None and next(groups, "end") != "end":
        notes.mended(where, "grounding: more lists than <seg>", f"{len(row.gd_ls)} lists; the first ones are used")
    kind = "visual prompt" if row.q_gd_ls is not None else "grounded"
    return chat(str(n), row.conversations, lambda turn, _: texts[turn], kind, where, notes)


def _question(text: str, meant: Sequence[int], known: dict[str, Region]) -> GroundedText:
    """A question whose `<obj>` become places for marks. Raises `Fault` when instances and places do not fit."""
    pieces = text.split("<obj>")
    if len(pieces) - 1 != len(meant):
        raise Fault(
            "grounding: places and instances", f"{len(pieces) - 1} <obj>, {len(meant)} instances; as many is right"
        )
    builder = TextBuilder()
    builder.add(pieces[0])
    for number, piece in zip(meant, pieces[1:], strict=True):
        if str(number) not in known:
            raise Fault("grounding: unknown instance", f"annotation {number} of a question's <obj>")
        builder.tied("[region]", [str(number)])
        builder.add(piece)
    return builder.done()


def _answer(
    text: str, groups: Iterator[list[int] | None], known: dict[str, Region], where: str, notes: Notes
) -> GroundedText:
    """An answer without its marks; words with a `<seg>` are tied to the instances of the next list."""
    builder, at = TextBuilder(), 0
    for match in _GROUNDED.finditer(text):
        builder.add(text[at : match.start()])
        at = match.end()
        ids: list[str] = []
        if match[0].endswith("<seg>"):
            meant = next(groups, None)
            ids = [str(number) for number in meant or () if str(number) in known]
            if meant and len(ids) < len(set(meant)):
                detail = f"{match[1]!r:.60}: {len(ids)} of {len(set(meant))} instances are there"
                notes.mended(where, "grounding: unknown instance", detail)
        builder.tied(match[1], ids)
    builder.add(text[at:])
    grounded = builder.done()
    if re.search(r"<g_s>|<g_e>|<seg>", grounded.text):
        raise Fault("grounding: broken marks", f"{text[:80]!r}; <g_s> words <g_e> <seg> is right")
    return grounded


def _places(name: str) -> list[str]:
    return [f"{folder}{name}" for folder in FOLDERS]


def find(root: Path) -> tuple[str, ...]:
    """The splits whose two files are there."""
    return tuple(
        split
        for split, names in FILES.items()
        if all(any((root / place).is_file() for place in _places(name)) for name in names)
    )


def open_split(root: Path, split: str) -> Slotted[int]:
    """Parse conversations and instances of one split; a photo is a slot. Raises `SourceError`."""
    if split not in FILES:
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; known: {', '.join(FILES)}")
    path, instances = (find_file(root, _places(name), f"split {split!r}", find(root)) for name in FILES[split])
    file, instances_file = path.relative_to(root).as_posix(), instances.relative_to(root).as_posix()
    faults: list[Drop] = []
    notes = Notes(NAME, split, file, faults.append)
    table = read_table(instances, InstanceRow, Notes(NAME, split, instances_file, faults.append))
    images = {image.id: image for image in table.images}
    pairs: list[tuple[int, tuple[int, Row]]] = []
    for n, row in list_rows(path, Row, notes):
        number = int(row.id) if row.id.isascii() and row.id.isdigit() and len(row.id) < 19 else -1
        if number in images:
            pairs.append((number, (n, row)))
        else:
            detail = f"image {row.id!r:.40} is not in {instances.name}"
            notes.dropped(f"row {n}", "conversation: unknown image", detail)
    groups = grouped(pairs)
    names = (images[id_].file_name for id_ in groups)
    photos = photos_in(root, coco_2014_folders("train2014", "train2017"), names, f"split {split!r}")
    reader = _Split(split, file, instances_file, photos, table, images, groups)
    vocabulary = tuple(row.category() for row in table.categories.values())
    return Slotted(
        NAME,
        split,
        file,
        [path, instances],
        list(groups),
        reader.record,
        lambda id_: f"image {id_}",
        faults,
        vocabulary,
    )


SOURCE = Source(
    name=NAME,
    title="LLaVA-Grounding",
    homepage="https://github.com/UX-Decoder/LLaVA-Grounding",
    licence=LICENCE,
    offers=frozenset({"image", "region_chats", "grounded_captions", "grounded_caption_masks"}),
    splits=tuple(FILES),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
