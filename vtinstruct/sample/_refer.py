"""What the sample's referring-expression files share: the folder, the photos' names, `instances.json`, the splits.

Format: lichengunc/refer, README: `<dataset>/instances.json` in COCO's form beside `<dataset>/refs(<split by>).p`, a
pickled list of refs with `sentences`; photos in `images/mscoco/images/train2014/COCO_train2014_<id>.jpg`.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtinstruct.sample._coco import LICENCES, image_row, info, instance_row, thing_categories
from vtinstruct.sample._shot import EVALUATION_EVERY, THING_IDS, Shot, scattered, write_json, write_whole
from vtinstruct.sample.drawing.thing import Expression

FOLDER = "refer"
PHOTOS = Path("images/mscoco/images/train2014")
PLACE_WORDS = {
    "left", "right", "leftmost", "rightmost", "front", "behind", "back", "closest", "nearest", "farthest", "away", "middle",
}  # fmt: skip


def unc_split(shot: Shot) -> str:
    """The split of the UNC files: of the evaluation photos every third is val, the rest testA (people) and testB."""
    if shot.split == "train":
        return "train"
    if shot.index // EVALUATION_EVERY % 3 == 0:
        return "val"
    return "testA" if any(thing.category == "person" for _, thing in shot.singles()) else "testB"


def umd_split(shot: Shot) -> str:
    """The split of RefCOCOg's UMD file: evaluation photos alternate between val and test."""
    if shot.split == "train":
        return "train"
    return "test" if shot.index // EVALUATION_EVERY % 2 else "val"


def names_place(text: str) -> bool:
    """Whether the words speak of a place in the photo, which RefCOCO+ forbids."""
    return not PLACE_WORDS.isdisjoint(text.split())


class Referred:
    """Photos, instances and refs of one data set, gathered and written as `<dataset>/instances.json` and refs."""

    def __init__(self, root: Path, dataset: str) -> None:
        self._root, self._dataset = root, dataset
        self._images: list[Any] = []
        self._annotations: list[Any] = []
        self._refs: list[dict[str, Any]] = []
        self._splits: set[str] = set()
        self._sentences = 0

    def add_photo(self, shot: Shot) -> None:
        """Take the photo and all its instances, crowds included, as the official `instances.json` does."""
        name = f"COCO_train2014_{shot.image_id:012d}.jpg"
        shot.place_photo(self._root / PHOTOS / name)
        self._images.append(image_row(shot, name))
        self._annotations += [instance_row(shot, k) for k in range(len(shot.scene.things))]

    def add_ref(self, shot: Shot, split: str, targets: Sequence[int], expressions: Sequence[Expression]) -> None:
        """Take the sentences that name one instance."""
        things = shot.scene.things
        row = self._row(shot, split, expressions)
        row["ann_id"] = shot.annotation_id(targets[0])
        row["category_id"] = THING_IDS[things[targets[0]].category][0]
        self._refs.append(row)

    def add_group_ref(self, shot: Shot, split: str, targets: Sequence[int], expressions: Sequence[Expression]) -> None:
        """Take the sentences that name any number of instances: gRefCOCO's form, [-1] for none."""
        row = self._row(shot, split, expressions)
        row["ann_id"] = [shot.annotation_id(k) for k in targets] or [-1]
        row["category_id"] = [THING_IDS[shot.scene.things[k].category][0] for k in targets] or [-1]
        row["no_target"] = not targets
        self._refs.append(row)

    def _row(self, shot: Shot, split: str, expressions: Sequence[Expression]) -> dict[str, Any]:
        self._splits.add(split)
        sentences: list[dict[str, Any]] = []
        for expression in expressions:
            sentences.append(
                {
                    "tokens": expression.text.split(),
                    "raw": expression.text,
                    "sent_id": self._sentences,
                    "sent": expression.text,
                }
            )
            self._sentences += 1
        return {
            "sent_ids": [sentence["sent_id"] for sentence in sentences],
            # The official name carries a running number that no photo has; readers must use image_id.
            "file_name": f"COCO_train2014_{shot.image_id:012d}_{len(self._refs) % 17}.jpg",
            "ref_id": len(self._refs) * 2 + 5,
            "image_id": shot.image_id,
            "split": split,
            "sentences": sentences,
        }

    def write(self, refs_name: str, order: Sequence[str]) -> tuple[str, ...]:
        """Write both files and name the splits that have refs, in the given order."""
        folder = self._root / self._dataset
        content = {
            "info": info(self._dataset),
            "licenses": LICENCES,
            "images": scattered(self._images, "refer images"),
            "annotations": scattered(self._annotations, "refer annotations"),
            "categories": thing_categories(),
        }
        write_json(folder / "instances.json", content)
        refs = scattered(self._refs, "refs")
        if refs_name.endswith(".json"):
            write_json(folder / refs_name, refs)
        else:
            write_whole(folder / refs_name, pickle.dumps(refs, protocol=2))
        return tuple(split for split in order if split in self._splits)
