"""Referring expressions on COCO photos in the form of lichengunc/refer: a list of refs beside `instances.json`.

A ref names one annotation (gRefCOCO: any number, [-1] for none) by several sentences. One record is one photo of one
split with the annotations its refs name; the photo's other instances are left out, so nothing here says what else is
in it. Sentences are the files' `sent` (lower case, cleaned), which the official scores use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from converters._coco_json import CategoryRow, ImageRow, Table, read_bytes, read_table
from converters._coco_layout import Candidate, PhotoFolder, find_file, newer_name, photo_folder
from converters._coco_regions import InstanceRow, check_size, regions
from converters._coco_split import photo_id
from converters._notes import Fault, Notes
from converters._plain_pickle import read_plain_pickle
from vtinstruct.record import Category, Drop, Expression, Origin, Photo, Record
from vtinstruct.source import Report, Source, SourceError

LAYOUT = """\
<root>/{folder}/instances.json
<root>/{folder}/{refs}      (or .json)
<root>/images/mscoco/images/train2014/COCO_train2014_<id>.jpg   (or images/train2014/, train2014/, train2017/)"""


class SentenceRow(msgspec.Struct, gc=False):
    """A row of `sentences`."""

    sent_id: int
    sent: str


class RefRow(msgspec.Struct, gc=False):
    """A ref. `ann_id` is a list in gRefCOCO; `file_name` of the official files carries a suffix and is of no use."""

    ref_id: int
    image_id: int
    ann_id: int | list[int]
    split: str
    sentences: list[SentenceRow]
    no_target: bool | None = None

    def targets(self) -> tuple[int, ...]:
        """The annotations meant, as the official loaders read them: by `ann_id` alone."""
        ids = self.ann_id if isinstance(self.ann_id, list) else [self.ann_id]
        return tuple(dict.fromkeys(number for number in ids if number != -1))


@dataclass(frozen=True)
class Dataset:
    """One data set of the family: its folder, its licence, and its splits with the refs file and the name of the split in it."""

    name: str
    folder: str
    licence: str
    splits: Mapping[str, tuple[str, str]]

    def places(self, file_name: str) -> list[str]:
        """Where a file may be, relative to the root: in the data set's folder, below other folders, or the root itself."""
        names = [file_name, re.sub(r"\.p$", ".json", file_name), re.sub(r"\.json$", ".p", file_name)]
        bases = (f"{self.folder}/", f"data/{self.folder}/", f"coco/{self.folder}/", f"{self.folder}/{self.folder}/", "")
        return [f"{base}{name}" for base in bases for name in dict.fromkeys(names)]

    def find(self, root: Path) -> tuple[str, ...]:
        """The splits whose refs file is there; which splits the file holds is known only when it is read."""
        return tuple(
            split
            for split, (file_name, _) in self.splits.items()
            if any((root / place).is_file() for place in self.places(file_name))
        )

    def open(self, root: Path, split: str) -> ReferSplit:
        """Parse one split. Raises `SourceError`."""
        if split not in self.splits:
            raise SourceError(f"{self.name} has no split {split!r}; known: {', '.join(self.splits)}")
        file_name, inner = self.splits[split]
        refs_path = find_file(root, self.places(file_name), f"split {split!r}", self.find(root))
        beside = (refs_path.parent / "instances.json").relative_to(root).as_posix()
        instances_path = find_file(root, [beside], f"the instances of {self.name}")
        faults: list[Drop] = []
        instances = instances_path.relative_to(root).as_posix()
        table = read_table(instances_path, InstanceRow, Notes(self.name, split, instances, faults.append))
        refs_file = refs_path.relative_to(root).as_posix()
        notes = Notes(self.name, split, refs_file, faults.append)
        by_image = _refs_by_image(refs_path, inner, {image.id for image in table.images}, notes)
        images = {image.id: image for image in table.images}
        used = [images[number] for number in by_image]
        photos = photo_folder(root, _photo_places(), (image.file_name for image in used), f"split {split!r}")
        return ReferSplit(
            source=self.name,
            split=split,
            licence=self.licence,
            refs_file=refs_file,
            instances_file=instances,
            files=(refs_path, instances_path),
            table=table,
            images=used,
            refs=by_image,
            photos=photos,
            faults=faults,
            vocabulary=tuple(row.category() for row in table.categories.values()),
        )


def _photo_places() -> list[Candidate]:
    """COCO 2014's folders as the refer tools expect them, then the same photos under COCO 2017's names."""
    old = ["images/mscoco/images", "images/mscoco", "images", "", "coco", "coco/images", "data/images/mscoco/images"]
    new = ["images", "", "coco", "coco/images"]
    return [
        *(f"{base}/train2014".lstrip("/") for base in old),
        "images",
        *((f"{base}/{split}".lstrip("/"), newer_name) for split in ("train2017", "val2017") for base in new),
    ]


def _refs_by_image(path: Path, split: str, images: set[int], notes: Notes) -> dict[int, list[RefRow]]:
    """The sound refs of one split by photo, in file order."""
    data = read_bytes(path)
    rows: object
    if path.suffix == ".json":
        try:
            rows = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            where = f"cut at byte {len(data)}" if "truncated" in str(error) else str(error)
            raise SourceError(f"{path}: no JSON ({where}); download the file again") from error
    else:
        rows = read_plain_pickle(path, data)
    if not isinstance(rows, list):
        raise SourceError(f"{path}: holds a {type(rows).__name__}; a list of refs is right")
    found: dict[int, list[RefRow]] = {}
    seen: set[int] = set()
    for position, row in enumerate(rows):
        try:
            ref = msgspec.convert(row, RefRow, strict=False)
        except (msgspec.ValidationError, RecursionError) as error:
            notes.dropped(f"refs[{position}]", "ref: unreadable row", f"{error}")
            continue
        if ref.split != split:
            continue
        if ref.image_id not in images:
            detail = f"image {ref.image_id} is not in instances.json; a listed id is right"
            notes.dropped(f"ref {ref.ref_id}", "ref: unknown image", detail)
        elif ref.ref_id in seen:
            notes.dropped(f"ref {ref.ref_id}", "ref: id twice", "the first one is kept; unique ids are right")
        else:
            seen.add(ref.ref_id)
            found.setdefault(ref.image_id, []).append(ref)
    if not found:
        notes.dropped(f"split {split}", "split: no refs", "the file has none of this split")
    return found


@dataclass
class ReferSplit:
    """A parsed split (`vtinstruct.source.Opened`): every photo with refs a slot, in the order of its first ref."""

    source: str
    split: str
    licence: str
    refs_file: str
    instances_file: str
    files: Sequence[Path]
    table: Table[InstanceRow, ImageRow, CategoryRow]
    images: Sequence[ImageRow]
    refs: Mapping[int, Sequence[RefRow]]
    photos: PhotoFolder
    faults: Sequence[Drop]
    vocabulary: Sequence[Category]

    def __len__(self) -> int:
        return len(self.images)

    def records(self, start: int, stop: int, report: Report) -> Iterator[Record]:
        """Records of slots start..stop-1; what cannot be used is dropped with a note."""
        for image in self.images[max(start, 0) : max(stop, 0)]:
            notes = Notes(self.source, self.split, self.refs_file, report)
            try:
                photo = Photo(self.photos.path_of(image.file_name), check_size(image), photo_id(image.file_name))
            except Fault as fault:
                notes.fault(f"image {image.id}", fault)
            else:
                yield self._record(image, photo, notes)

    def _record(self, image: ImageRow, photo: Photo, notes: Notes) -> Record:
        rows = {row.id: row for row in self.table.by_image[image.id]}
        wanted: list[tuple[RefRow, tuple[int, ...]]] = []
        for ref in self.refs[image.id]:
            targets, where = ref.targets(), f"image {image.id}, ref {ref.ref_id}"
            if ref.no_target is not None and ref.no_target != (not targets):
                detail = f"no_target {ref.no_target} with ann_id {ref.ann_id}; ann_id counts, as in the official loader"
                notes.mended(where, "ref: no_target disagrees", detail)
            try:
                if not ref.sentences:
                    raise Fault("ref: no sentences", "one or more are right; the official loader asks nothing either")
                unknown = [number for number in targets if number not in rows]
                if unknown:
                    raise Fault("ref: unknown annotation", f"{unknown} are no annotations of image {image.id}")
                wanted.append((ref, targets))
            except Fault as fault:
                notes.fault(where, fault)
        used = {number for _, targets in wanted for number in targets}
        of_instances = Notes(self.source, self.split, self.instances_file, notes.report)
        found = regions(image, [row for row in rows.values() if row.id in used], self.table.categories, of_instances)
        sound = {region.id for region in found}
        return Record(
            id=str(image.id),
            source=self.source,
            split=self.split,
            licence=self.licence,
            origin=Origin(self.refs_file, f"image {image.id}"),
            photo=photo,
            regions=found,
            expressions=tuple(_expressions(image, wanted, sound, notes)),
        )


def _as_written(text: str) -> str:
    """Words whose UTF-8 bytes Python 2 pickled as a byte string, which is read as Latin-1; all other words as they are."""
    try:
        return text if text.isascii() else text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _expressions(
    image: ImageRow, wanted: Sequence[tuple[RefRow, tuple[int, ...]]], sound: set[str], notes: Notes
) -> Iterator[Expression]:
    seen: set[str] = set()
    for ref, targets in wanted:
        region_ids = tuple(str(number) for number in targets)
        where = f"image {image.id}, ref {ref.ref_id}"
        if not sound.issuperset(region_ids):
            notes.dropped(where, "ref: region dropped", f"annotations {list(targets)}; see instances.json")
            continue
        for sentence in ref.sentences:
            number, text = f"{ref.ref_id}.{sentence.sent_id}", " ".join(_as_written(sentence.sent).split())
            if not text or number in seen:
                reason = "sentence: id twice" if text else "sentence: empty"
                notes.dropped(f"{where}, sentence {sentence.sent_id}", reason, "words under a unique id are right")
                continue
            seen.add(number)
            yield Expression(number, text, region_ids)


def refer_source(dataset: Dataset, title: str, homepage: str) -> Source:
    """The `Source` of a data set of the family. Boxes and masks are not offered as facts of the photo: only those that
    some sentence names are listed."""
    first_file = next(iter(dataset.splits.values()))[0]
    return Source(
        name=dataset.name,
        title=title,
        homepage=homepage,
        licence=dataset.licence,
        offers=frozenset({"image", "expressions", "expression_masks"}),
        splits=tuple(dataset.splits),
        layout=LAYOUT.format(folder=dataset.folder, refs=first_file),
        version="2",
        find=dataset.find,
        open=dataset.open,
    )
