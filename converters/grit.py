"""GRIT (Kosmos-2): web photos whose captions' noun chunks and referring expressions are tied to boxes.

Format: huggingface.co/datasets/zzliang/GRIT, as img2dataset writes it: a photo and a JSON of the same name in numbered tars
(`--output_format webdataset`, the card's own command; read in place) or folders (`files`). `noun_chunks` and `ref_exps` are
rows `[start, stop, x1, y1, x2, y2, score]`: characters of the caption, and edges as parts of width and height.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._coco_layout import names_in
from converters._notes import Fault, Notes
from converters._photos import photo_size
from converters._rows import Slotted, one_object
from converters._texts import without_overlaps
from vtinstruct.containers import ContainerError, has_member, members
from vtinstruct.geometry import GeometryError, clip_box
from vtinstruct.record import Drop, Expression, GroundedText, Origin, Photo, Record, Region, Span
from vtinstruct.source import Source, SourceError, inside

NAME = "grit"
LICENCE = "MS-PL"  # of the annotations, as the data set's card says; photos belong to their sites
ENDINGS = (".jpg", ".png", ".webp")
LAYOUT = """\
<root>/<shard>.tar                          img2dataset with --output_format webdataset: 00000.tar with 000000012.{jpg,json}
or <root>/<shard>/<key>.json                img2dataset with --output_format files (00000/000000012.json)
and <root>/<shard>/<key>.jpg                (or .png, .webp)"""


class Row(msgspec.Struct):
    """What img2dataset keeps of a photo."""

    caption: str
    noun_chunks: list[list[float]] | str = []  # text: the list as JSON once more, as some tools keep a column
    ref_exps: list[list[float]] | str = []
    id: int | str | None = None
    key: str = ""


class _Boxes:
    """Regions by their box, so that a chunk and an expression about one thing share one region."""

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self._size_wh = size_wh
        self._found: dict[tuple[float, float, float, float], list[str]] = {}

    def region(self, tie: Sequence[float], words: str) -> str:
        """The id of the region of a row, which names it if it had no name. Raises `GeometryError`."""
        width, height = self._size_wh
        box = clip_box((tie[2] * width, tie[3] * height, tie[4] * width, tie[5] * height), self._size_wh)
        known = self._found.setdefault(box, [str(len(self._found)), ""])
        known[1] = known[1] or words
        return known[0]

    def regions(self) -> tuple[Region, ...]:
        """All regions in the order they came."""
        return tuple(Region(id=id_, category=name, box_xyxy=box) for box, (id_, name) in self._found.items())


@dataclass(frozen=True)
class _Reader:
    root: Path

    def record(self, path: str, notes: Notes) -> Record:
        row = one_object(self.root / path, Row)
        notes = Notes(NAME, "train", path, notes.report)
        if not row.caption.strip():
            raise Fault("caption: empty", f"{row.caption!r:.40}; words are right")
        where = self._photo(path)
        number = path.rpartition(".")[0].replace(".tar/", "/")  # packed or not, the same
        identity = f"coyo:{row.id}" if row.id is not None else f"grit:{number}"
        photo = Photo(where, photo_size(self.root / where, where), identity)
        boxes = _Boxes(photo.size_wh)
        chunks = list(_tied(row.caption, row.noun_chunks, boxes, "noun chunk", notes, naming=True))
        named = list(_tied(row.caption, row.ref_exps, boxes, "expression", notes, naming=False))
        caption = _grounded(row.caption, chunks, notes)
        meant: dict[tuple[int, int], list[str]] = {}
        for span in named:
            meant.setdefault((span.start, span.stop), []).extend(span.region_ids)
        return Record(
            id=number.replace("/", ":"),
            source=NAME,
            split="train",
            licence=LICENCE,
            origin=Origin(path, row.key or path),
            photo=photo,
            regions=boxes.regions(),
            captions=(row.caption,),
            expressions=tuple(
                Expression(f"{start}_{stop}", row.caption[start:stop].strip(), tuple(dict.fromkeys(ids)))
                for (start, stop), ids in meant.items()
            ),
            grounded_captions=(caption,) if caption.spans else (),
        )

    def _photo(self, path: str) -> str:
        stem = path.rpartition(".")[0]
        for ending in ENDINGS:
            if (self.root / f"{stem}{ending}").is_file() or has_member(self.root / f"{stem}{ending}"):
                try:
                    inside(self.root, f"{stem}{ending}")
                except SourceError as error:
                    raise Fault("photo: path leaves the root", str(error)) from error
                return f"{stem}{ending}"
        detail = f"no file {stem}.jpg; its site may not serve it any more"
        raise Fault("photo: missing", detail, tuple(f"{stem}{ending}" for ending in ENDINGS))


def _tied(
    caption: str, given: list[list[float]] | str, boxes: _Boxes, what: str, notes: Notes, naming: bool
) -> Iterator[Span]:
    for n, row in enumerate(_rows(given, what)):
        where = f"{what} {n}"
        try:
            if len(row) < 6 or not all(math.isfinite(value) for value in row):
                raise Fault("tie: not 6 finite numbers", f"{row!r:.80}; start, stop, x1, y1, x2, y2 are right")
            start, stop = int(row[0]), int(row[1])
            if not 0 <= start < stop <= len(caption) or not caption[start:stop].strip():
                raise Fault("tie: no such words", f"characters {row[0]} to {row[1]} of {len(caption)}")
            id_ = boxes.region(row, caption[start:stop].strip() if naming else "")
        except (Fault, GeometryError) as fault:
            notes.fault(where, fault)
            continue
        yield Span(start, stop, (id_,))


def _rows(given: list[list[float]] | str, what: str) -> list[list[float]]:
    try:
        return msgspec.json.decode(given, type=list[list[float]]) if isinstance(given, str) else given
    except msgspec.DecodeError as error:
        raise Fault("tie: unreadable list", f"{what}s {given!r:.60}: {error}; rows of numbers are right") from error


def _grounded(caption: str, spans: Sequence[Span], notes: Notes) -> GroundedText:
    """The caption with its chunks; a chunk with several boxes is one span."""
    together: dict[tuple[int, int], list[str]] = {}
    for span in spans:
        together.setdefault((span.start, span.stop), []).extend(span.region_ids)
    text, left_out = without_overlaps(
        caption, [Span(start, stop, tuple(dict.fromkeys(ids))) for (start, stop), ids in together.items()]
    )
    if left_out:
        notes.mended("noun chunks", "tie: overlapping words", f"{len(left_out)} lie inside longer ones")
    return text


def _listed(root: Path) -> Iterator[str]:
    """Annotation files of all shards, in order: of folders, and of tars. Raises `ContainerError` at a broken tar."""
    try:
        shards = sorted(entry.name for entry in os.scandir(root) if entry.name.removesuffix(".tar").isdigit())
    except OSError:
        return
    for shard in shards:
        packed = shard.endswith(".tar")
        inside(root, shard)
        for name in sorted(members(root / shard) if packed else names_in(root / shard)):
            if name.endswith(".json") and name[:-5].isdigit():
                yield f"{shard}/{name}"


def find(root: Path) -> tuple[str, ...]:
    """`train`, where there is an annotation file in a shard."""
    try:
        return ("train",) if next(_listed(root), None) is not None else ()
    except (ContainerError, SourceError):
        return ("train",)  # there is a shard; what is wrong with it is said when it is opened


def open_split(root: Path, split: str) -> Slotted[str]:
    """List the annotation files; each is a slot and read when asked for. Raises `SourceError`."""
    if split != "train":
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; it has no official ones, all of it is train")
    try:
        paths = list(_listed(root))
    except ContainerError as error:
        raise SourceError(f"{root}: {error.detail}") from error
    if not paths:
        raise SourceError(f"{root}: no annotation files; looked for <shard>.tar and <shard>/<key>.json")
    faults: list[Drop] = []
    own = dict.fromkeys(path.partition("/")[0] if ".tar/" in path else path for path in paths)
    files = [inside(root, path) for path in own]
    return Slotted(NAME, split, "<shard>/<key>.json", files, paths, _Reader(root).record, str, faults)


SOURCE = Source(
    name=NAME,
    title="GRIT",
    homepage="https://huggingface.co/datasets/zzliang/GRIT",
    licence=LICENCE,
    offers=frozenset({"image", "boxes", "captions", "grounded_captions", "expressions"}),
    splits=("train",),
    layout=LAYOUT,
    version="1",
    find=find,
    open=open_split,
)
