"""GranD: SA-1B photos annotated by a pipeline: objects with labels, masks and attributes, grounded captions.

Format: mbzuai-oryx/groundingLMM, `docs/GranD.md` and `GranD/utils/`: one JSON a photo, `{"sa_1.jpg": {"objects",
"floating_objects", "short_captions", "dense_caption", ...}}`. Files of an earlier level, with `captions` and
`relationships`, are grounded as the pipeline's `ground_short_captions.py` does. Attributes are cleaned and chosen as
`prepare_grand_referring_expression.py` does. Annotations and photos are read in place out of uncompressed tars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._coco_layout import PhotoFolder
from converters._coco_regions import segmentation_mask
from converters._grand_files import FOLDERS, PHOTO_FOLDERS, compressed_part, listed
from converters._notes import Fault, Notes
from converters._photos import photo_size
from converters._rows import Slotted, one_object
from converters._sa1b import shard_photos
from converters._texts import one_line, without_overlaps
from vtinstruct.containers import ContainerError
from vtinstruct.geometry import GeometryError, clip_box
from vtinstruct.record import Drop, Expression, GroundedText, Origin, Photo, Record, Region, Span
from vtinstruct.source import Source, SourceError, inside

NAME = "grand"
LICENCE = "Apache-2.0"  # of the annotations; SA-1B's photos have a licence of their own
LAYOUT = """\
<root>/annotations/sa_<id>.json             (or in folders below it, as the parts are unpacked; or straight below the root)
or <root>/annotations/part_1_1.tar          a part, only gunzipped
<root>/images/sa_<id>.jpg                   SA-1B (or images/<part>/, where <part> is the annotation's folder)
or <root>/images/sa_000000.tar              SA-1B as downloaded (or images/sa_000000/sa_<id>.jpg)"""


class ObjectRow(msgspec.Struct):
    """An object; `bbox` is [x1, y1, x2, y2] in pixels, `segmentation` COCO run lengths."""

    id: int
    bbox: list[float]
    labels: list[str] = []
    attributes: list[str] | str | None = None
    segmentation: msgspec.Raw = msgspec.Raw()


class Detail(msgspec.Struct):
    """A grounded phrase of a caption: short captions name one object by `id`, dense captions several by `ids`."""

    phrase: str
    tokens_positive: list[int] | None = None
    id: int | None = None
    ids: list[int] = []


class Caption(msgspec.Struct):
    """A caption with its grounded phrases."""

    caption: str
    details: list[Detail] = []


class Grounding(msgspec.Struct):
    """A phrase of an earlier level."""

    phrase: str
    object_ids: list[int]


class Relationships(msgspec.Struct):
    """The grounded phrases of an earlier level."""

    grounding: list[Grounding] = []


class PhotoRow(msgspec.Struct):
    """All that is said of a photo."""

    objects: list[ObjectRow]
    floating_objects: list[ObjectRow] = []
    short_captions: list[Caption] = []
    dense_caption: Caption | None = None
    captions: list[str] = []
    relationships: Relationships | None = None


@dataclass(frozen=True)
class _Reader:
    root: Path
    in_shards: Mapping[str, tuple[str, str]]

    def record(self, path: str, notes: Notes) -> Record:
        content = one_object(self.root / path, dict[str, PhotoRow])
        if len(content) != 1:
            raise Fault("file: not one photo", f"{path} tells of {len(content)}; one is right")
        ((name, row),) = content.items()
        where = self._photo(path, name)
        stem = name.rpartition("/")[2].rpartition(".")[0]
        number = re.fullmatch(r"sa_(\d+)", stem)
        identity = f"sa1b:{int(number[1])}" if number else f"grand:{stem}"
        photo = Photo(where, photo_size(self.root / where, name), identity)
        notes = Notes(NAME, "train", path, notes.report)
        regions = _regions(row, photo.size_wh, notes)
        grounded = tuple(_grounded(caption, regions, notes) for caption in _captions(row))
        return Record(
            id=stem,
            source=NAME,
            split="train",
            licence=LICENCE,
            origin=Origin(path, name),
            photo=photo,
            regions=tuple(regions.values()),
            captions=tuple(text.text for text in grounded),
            expressions=tuple(_expressions(row.objects, regions)),
            grounded_captions=grounded,
        )

    def _photo(self, path: str, name: str) -> str:
        """Where the photo is: in a shard of SA-1B, below a folder of photos, or in a part of the same name as the
        annotation's."""
        if name in self.in_shards:
            shard, inner = self.in_shards[name]
            return PhotoFolder(self.root, shard).path_of(inner)
        part = path.rpartition("/")[0].rpartition("/")[2]
        last, looked_for = Fault("photo: missing", f"no file {name}"), list[str]()
        for folder in PHOTO_FOLDERS:
            for place in (folder, f"{folder}/{part}" if folder else part):
                try:
                    return PhotoFolder(self.root, place).path_of(name)
                except Fault as fault:
                    last = fault
                    looked_for.extend(fault.looked_for)
                    if fault.reason != "photo: missing":
                        raise
        raise Fault(last.reason, last.detail, tuple(looked_for))


def _regions(row: PhotoRow, size_wh: tuple[int, int], notes: Notes) -> dict[int, Region]:
    """Objects and floating objects by id. Floating ones were seen by one model only: they can be pointed at, but have no
    category, so that nobody asks for them."""
    found: dict[int, Region] = {}
    for floating, rows in ((False, row.objects), (True, row.floating_objects)):
        for one in rows:
            where = f"object {one.id}"
            try:
                if one.id in found:
                    raise Fault("object: id twice", "the first one is kept; unique ids are right")
                found[one.id] = _region(one, floating, size_wh, notes, where)
            except (Fault, GeometryError) as fault:
                notes.fault(where, fault)
    return found


def _region(row: ObjectRow, floating: bool, size_wh: tuple[int, int], notes: Notes, where: str) -> Region:
    if len(row.bbox) != 4:
        raise Fault("box: not 4 finite numbers", f"{row.bbox!r:.60}; [x1, y1, x2, y2] is right")
    edges = (row.bbox[0], row.bbox[1], row.bbox[2], row.bbox[3])
    box = clip_box(edges, size_wh)
    if box != edges:
        notes.mended(where, "box: clipped to the photo", f"{list(edges)} in {size_wh[0]} x {size_wh[1]}")
    labels = [one_line(label.replace("_", " ")) for label in row.labels if label.strip()]
    mask = segmentation_mask(row.segmentation, size_wh, notes, where)
    return Region(
        id=str(row.id),
        category=labels[0] if labels and not floating else "",
        box_xyxy=box,
        mask_rle=mask,
        attributes=tuple(_cleaned(row.attributes)),
    )


def _cleaned(attributes: list[str] | str | None) -> list[str]:
    """Attributes without the "Assistant:" (or what is left of it) that the annotating model put before them."""
    given = [attributes] if isinstance(attributes, str) else attributes or []
    words = (one_line(re.sub(r"(?i)\b(?:ass)?istant:?\s*", "", attribute)) for attribute in given)
    return list(dict.fromkeys(word for word in words if word))


def _expressions(rows: Sequence[ObjectRow], regions: dict[int, Region]) -> Iterator[Expression]:
    """Of several attributes those that name the object, or else the first: the pipeline's own choice."""
    said: set[int] = set()
    for row in rows:
        if row.id not in regions or row.id in said:
            continue
        said.add(row.id)
        attributes = regions[row.id].attributes
        labels = [label.replace("_", " ") for label in row.labels]
        naming = [words for words in attributes if any(label in words for label in labels)]
        for n, words in enumerate(naming or attributes[:1]):
            yield Expression(f"{row.id}_{n}", words, (str(row.id),))


def _captions(row: PhotoRow) -> Iterator[Caption]:
    yield from row.short_captions
    if row.dense_caption is not None:
        yield row.dense_caption
    if not row.short_captions and row.relationships is not None:
        for words in row.captions:
            caption = words.strip()
            found = [one for one in row.relationships.grounding if one.phrase in caption and one.object_ids]
            yield Caption(caption, [Detail(one.phrase, None, min(one.object_ids)) for one in found])


def _grounded(caption: Caption, regions: dict[int, Region], notes: Notes) -> GroundedText:
    spans: list[Span] = []
    for detail in caption.details:
        ids = [str(id_) for id_ in dict.fromkeys((*detail.ids, *([detail.id] if detail.id is not None else [])))]
        known = tuple(id_ for id_ in ids if int(id_) in regions)
        bounds = _bounds(caption.caption, detail)
        if bounds is None or not known:
            reason = "phrase: not in the caption" if bounds is None else "phrase: unknown object"
            notes.mended("captions", reason, f"{detail.phrase!r:.60} of {caption.caption!r:.60} is tied to nothing")
        else:
            spans.append(Span(*bounds, known))
    text, left_out = without_overlaps(caption.caption, spans)
    if left_out:
        detail = f"{len(left_out)} phrases of {caption.caption!r:.60} lie inside longer ones"
        notes.mended("captions", "phrase: overlapping", detail)
    return text


def _bounds(text: str, detail: Detail) -> tuple[int, int] | None:
    """The characters of a phrase: where the file says, if the phrase stands there, else where it is first found."""
    place = detail.tokens_positive
    if place is not None and len(place) == 2 and 0 <= place[0] < place[1] <= len(text):
        return place[0], place[1]
    start = text.lower().find(detail.phrase.lower()) if detail.phrase.strip() else -1
    return (start, start + len(detail.phrase)) if start >= 0 else None


def find(root: Path) -> tuple[str, ...]:
    """`train`, where there is an annotation file, or a part that would hold some."""
    try:
        return ("train",) if listed(root) or compressed_part(root) else ()
    except ContainerError:
        return ("train",)  # there is a tar; what is wrong with it is said when it is opened


def open_split(root: Path, split: str) -> Slotted[str]:
    """List the annotation files; each is a slot and read when asked for. Raises `SourceError`."""
    if split != "train":
        raise SourceError(f"{split!r} is no split of {NAME} in {root}; it has no official ones, all of it is train")
    try:
        paths = listed(root)
    except ContainerError as error:
        raise SourceError(f"{root}: {error.detail}") from error
    if not paths and (part := compressed_part(root)):
        raise SourceError(f"{root / part}: compressed; `gunzip` it (the .tar is read in place) or unpack it")
    if not paths:
        places = ", ".join(f"{folder or '.'}/**/sa_*.json" for folder in FOLDERS)
        raise SourceError(f"{root}: no annotation files; looked for {places}, and for tars with them")
    photos = shard_photos(root, PHOTO_FOLDERS, {f"{path.rpartition('/')[2][:-5]}.jpg" for path in paths})
    own = dict.fromkeys(f"{path.partition('.tar/')[0]}.tar" if ".tar/" in path else path for path in paths)
    files = [inside(root, path) if path.endswith(".tar") else root / path for path in own]
    faults: list[Drop] = []
    return Slotted(NAME, split, "annotations", files, paths, _Reader(root, photos).record, str, faults)


SOURCE = Source(
    name=NAME,
    title="GranD",
    homepage="https://grounding-anything.com",
    licence=LICENCE,
    offers=frozenset(
        {
            "image",
            "boxes",
            "masks",
            "captions",
            "grounded_captions",
            "grounded_caption_masks",
            "expressions",
            "expression_masks",
        }
    ),
    splits=("train",),
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
