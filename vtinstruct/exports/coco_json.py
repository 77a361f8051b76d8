"""COCO annotation files: `<task>/<source>_<split>.json`, one for each task, source and split that answers with instances.

Format: cocodataset.org, "Data format". Ids, areas, crowds and categories are the source's own, so that an official tool
gives the official numbers on an exported evaluation split: its crowds and unlabelled persons, and LVIS's lists, are in
the rows. A mask is written as its run lengths, with the box around it; a pose with its annotation's box. An instance
that several dialogues of a photo point at is written once.

What is exported is what the answers of a task say: `det`, `seg`, `keypoints` and `panoptic` name everything in a photo,
other tasks what they were asked for.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from vtinstruct.dialogue import Dialogue, Reference, StoredPhoto
from vtinstruct.export import Export, Item, Job
from vtinstruct.geometry import rle_area, rle_box, rle_to_coco
from vtinstruct.record import Category
from vtinstruct.units import Box, Keypoints, Mask, Unit, kind_of

KINDS = frozenset({"box", "mask", "keypoint"})


def write(items: Iterable[Item], job: Job) -> Iterator[str]:
    """One file for each task, source and split; yields each when it is finished."""
    place, files = ("", ""), dict[str, _CocoFile]()
    for item in items:
        dialogue = item.dialogue
        here = (dialogue.task, dialogue.split)
        if here != place:
            yield from _finish(files)
            place, files = here, {}
        if dialogue.photo is None:
            job.left_out["no photo"] += 1
            continue
        if dialogue.source not in files:
            files[dialogue.source] = _CocoFile(dialogue, job)
        files[dialogue.source].add(dialogue, dialogue.photo)
    yield from _finish(files)


def _finish(files: Mapping[str, _CocoFile]) -> Iterator[str]:
    for file in files.values():
        yield file.finish()


class _Ids:
    """Whole numbers for keys: the number in a key's name where it has one that is free, else the next free one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], int] = {}
        self._used: set[int] = set()
        self._next = 1

    def give(self, *key: str) -> tuple[int, bool]:
        """The number of a key, whose last part is its name, and whether it is new."""
        if key in self._known:
            return self._known[key], False
        hit = re.fullmatch(r"(?:.*:)?0*(\d{1,18})", key[-1])
        wanted = int(hit[1]) if hit else 0
        if wanted < 1 or wanted in self._used:  # pycocotools takes 0 for "no match"
            while self._next in self._used:
                self._next += 1
            wanted = self._next
        self._known[key] = wanted
        self._used.add(wanted)
        return wanted, True


class _CocoFile:
    """One file as it grows: images straight into it, annotations beside it until all images are there."""

    def __init__(self, dialogue: Dialogue, job: Job) -> None:
        self.name = f"{dialogue.task}/{dialogue.source}_{dialogue.split}.json"
        self._job, self._file = job, job.create(self.name)
        self._beside = job.create(f"{self.name}.annotations")
        info = {
            "description": f"{dialogue.task} of {dialogue.source}/{dialogue.split}",
            "version": job.manifest.content_hash,
        }
        licence = [{"id": 1, "name": dialogue.licence, "url": job.manifest.sources[dialogue.source].homepage}]
        self._say(f'{{"info": {json.dumps(info)},\n"licenses": {json.dumps(licence)},\n"images": [')
        self._images, self._annotations = _Ids(), _Ids()
        self._categories = _Categories(job.manifest.vocabulary(dialogue.source, dialogue.split))
        self._begun: set[BinaryIO] = set()

    def _say(self, text: str) -> None:
        self._file.write(text.encode())

    def _put(self, file: BinaryIO, entry: dict[str, Any]) -> None:
        file.write(((",\n" if file in self._begun else "\n") + json.dumps(entry, ensure_ascii=False)).encode())
        self._begun.add(file)

    def add(self, dialogue: Dialogue, photo: StoredPhoto) -> None:
        """One dialogue: its photo, unless it is known, and its instances."""
        image_id, fresh = self._images.give(photo.id or photo.path)
        if fresh:
            self._put(self._file, self._image(dialogue, photo, image_id))
        mentioned = [(triplet.concept, reference) for _, triplet, reference in dialogue.references()]
        mentioned += [(reference.category, reference) for reference in dialogue.evaluation.ignore]
        record = dialogue.id.rsplit("/", 2)[0]  # an annotation's id is unique in its record
        for n, (concept, reference) in enumerate(mentioned):
            kind = "reference without geometry" if reference.unit is None else kind_of(reference.unit)
            if kind not in KINDS:
                self._job.left_out[kind] += 1
                continue
            named = (record, reference.annotation_id) if reference.annotation_id else (dialogue.id, f"{n} of its units")
            number, fresh = self._annotations.give(*named)
            if fresh:
                category = self._categories.of(reference, concept)
                made = {
                    "id": number,
                    "image_id": image_id,
                    "category_id": category.id,
                    **_geometry(reference, category),
                }
                self._put(self._beside, {**made, "iscrowd": int(reference.crowd)})

    def _image(self, dialogue: Dialogue, photo: StoredPhoto, image_id: int) -> dict[str, Any]:
        width, height = photo.size_wh
        made: dict[str, Any] = {"id": image_id, "file_name": self._job.place_photo(photo.path)}
        made |= {"width": width, "height": height, "license": 1}
        said = dialogue.evaluation
        if said.negatives or said.not_exhaustive:  # LVIS's lists
            made["neg_category_ids"] = [self._categories.id(name) for name in said.negatives]
            made["not_exhaustive_category_ids"] = [self._categories.id(name) for name in said.not_exhaustive]
        return made

    def finish(self) -> str:
        """Put annotations and categories behind the images."""
        self._say('\n],\n"annotations": [')
        self._beside.seek(0)
        shutil.copyfileobj(self._beside, self._file)
        self._beside.close()
        (self._job.out / f"{self.name}.annotations").unlink()
        said = json.dumps([_category(category) for category in self._categories.all()], ensure_ascii=False)
        self._say(f'\n],\n"categories": {said}}}\n')
        self._file.close()
        return self.name


class _Categories:
    """The source's vocabulary, and a category for every name that is not in it."""

    def __init__(self, vocabulary: Iterable[Category]) -> None:
        self._known = {category.id: category for category in vocabulary}
        self._named = {category.name: category for category in self._known.values()}

    def of(self, reference: Reference, concept: str) -> Category:
        """The category of an instance: by its id, or by the name it has or is called."""
        known = self._known.get(reference.category_id)
        return known if known is not None else self._of_name(reference.category or concept)

    def id(self, name: str) -> int:
        """The id of a name."""
        return self._of_name(name).id

    def _of_name(self, name: str) -> Category:
        if name not in self._named:
            made = Category(max(self._known, default=0) + 1, name)
            self._known[made.id] = self._named[name] = made
        return self._named[name]

    def all(self) -> list[Category]:
        """Every category, by the source's order."""
        return list(self._known.values())


def _category(category: Category) -> dict[str, Any]:
    made: dict[str, Any] = {"id": category.id, "name": category.name, "supercategory": category.supercategory}
    made |= {"isthing": int(category.thing)}
    for key, value in (("keypoints", list(category.keypoints)), ("synonyms", list(category.synonyms))):
        if value:
            made[key] = value
    if category.keypoints:
        made["skeleton"] = []
    if category.frequency:
        made["frequency"] = category.frequency
    return made


def _geometry(reference: Reference, category: Category) -> dict[str, Any]:
    box, area, unit = reference.box_xyxy, reference.area, reference.unit
    made: dict[str, Any] = {}
    match unit:
        case Box():
            box = unit.box_xyxy
        case Mask():
            rle = unit.mask_rle
            made["segmentation"] = rle_to_coco(rle)
            box = box or rle_box(rle)
            area = float(rle_area(rle)) if area is None else area
        case Keypoints():
            points = unit.keypoints_xyv or ((0, 0, 0),) * len(category.keypoints)
            made |= {"keypoints": [value for point in points for value in point]}
            made["num_keypoints"] = sum(v > 0 for _, _, v in points)
        case _:
            pass
    x0, y0, x1, y1 = box or _around(reference.unit)
    bbox = [x0, y0, side(x0, x1), side(y0, y1)]
    return {**made, "bbox": bbox, "area": bbox[2] * bbox[3] if area is None else area}


def _around(unit: Unit | None) -> tuple[float, float, float, float]:
    """The box of a pose whose annotation has none: around its labelled points."""
    labelled = [(x, y) for x, y, v in unit.keypoints_xyv if v > 0] if isinstance(unit, Keypoints) else []
    xs, ys = zip(*labelled, strict=True) if labelled else ((0.0,), (0.0,))
    return min(xs), min(ys), max(xs), max(ys)


def side(start: float, stop: float) -> float:
    """The width that COCO's file had: the shortest decimal that gives `stop` when added to `start`, because the difference
    of two floats seldom is the number that was added."""
    length = stop - start
    for digits in range(13):
        short = round(length, digits)
        if start + short == stop:
            return short
    return length


EXPORT = Export("coco-json", "COCO annotation files of boxes, masks and poses", KINDS, write)
