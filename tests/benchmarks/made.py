"""Dialogues and datasets for benchmark tests, made by hand or straight from annotation JSON: independent of converters,
tasks and the build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.scorer import Answered, class_key
from vtinstruct.dialogue import Dialogue, Evaluation, Part, Provenance, Reference, StoredPhoto, Triplet, Turn
from vtinstruct.geometry import encode_mask, polygons_to_rle, rle_from_runs
from vtinstruct.manifest import Manifest, Shard, SourceInfo, SplitInfo, content_hash, manifest_to_json
from vtinstruct.prediction import Header, Prediction, PredictionsWriter
from vtinstruct.record import Category
from vtinstruct.shards import write_shard
from vtinstruct.trp import render
from vtinstruct.units import Box, Keypoints, Mask, Rle


def dialogue(
    id_: str,
    task: str,
    parts: Sequence[Part],
    size_wh: tuple[int, int] = (64, 48),
    evaluation: Evaluation | None = None,
    photo: str = "",
    question: Sequence[Part] = ("What is there?",),
) -> Dialogue:
    """A dialogue of one question and one answer."""
    stored = StoredPhoto(f"images/{id_}.jpg", "", size_wh, photo or f"photo:{id_}")
    turns = (Turn("user", tuple(question)), Turn("assistant", tuple(parts)))
    origin = Provenance("made by hand", "", id_, "1", 0, "")
    return Dialogue(id_, task, "hand", "val", "CC0-1.0", stored, turns, evaluation or Evaluation(), origin)


def answered(*parts: Part) -> Answered:
    """A readable answer."""
    return Answered("", tuple(parts), "ok")


def xyxy(box: Sequence[float]) -> tuple[float, float, float, float]:
    return (box[0], box[1], box[0] + box[2], box[1] + box[3])


def rle_of(segmentation: Any, size_wh: tuple[int, int]) -> Rle:
    """COCO's three ways of writing a mask."""
    if isinstance(segmentation, list):
        return polygons_to_rle(segmentation, size_wh)
    if isinstance(segmentation["counts"], list):
        return rle_from_runs(segmentation["counts"], (size_wh[1], size_wh[0]))
    return Rle((size_wh[1], size_wh[0]), segmentation["counts"].encode())


def reference_of(annotation: dict[str, Any], kind: str, size_wh: tuple[int, int], name: str) -> Reference:
    box = xyxy(annotation["bbox"])
    points = annotation.get("keypoints") or [0] * 51
    unit = {
        "box": lambda: Box(box),
        "mask": lambda: Mask(rle_of(annotation["segmentation"], size_wh)),
        "keypoint": lambda: Keypoints(tuple((points[i], points[i + 1], int(points[i + 2])) for i in range(0, 51, 3))),
    }[kind]()
    return Reference(
        unit,
        None,
        name,
        annotation["category_id"],
        str(annotation["id"]),
        annotation["area"],
        bool(annotation.get("iscrowd", 0)),
        box if kind == "keypoint" else None,
    )


def coco_dialogues(coco: dict[str, Any], task: str, kind: str) -> list[Dialogue]:
    """One dialogue a photo, annotated or not; crowds and unlabelled persons go to `ignore`."""
    names = {category["id"]: category["name"] for category in coco["categories"]}
    by_photo: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        by_photo[annotation["image_id"]].append(annotation)
    found: list[Dialogue] = []
    for image in coco["images"]:
        size_wh = (image["width"], image["height"])
        groups: dict[str, list[Reference]] = {}
        ignored: list[Reference] = []
        for annotation in by_photo[image["id"]]:
            name = names[annotation["category_id"]]
            reference = reference_of(annotation, kind, size_wh, name)
            unlabelled = kind == "keypoint" and not annotation["num_keypoints"]
            if annotation.get("iscrowd") or unlabelled:
                ignored.append(reference)
            else:
                groups.setdefault(name, []).append(reference)
        parts: list[Part] = [Triplet(name, kind, tuple(several)) for name, several in sorted(groups.items())]  # type: ignore[arg-type]
        found.append(
            dialogue(
                f"coco/val/{image['id']}/{task}/0",
                task,
                parts or ["Nothing."],
                size_wh,
                Evaluation(
                    ignore=tuple(ignored),
                    negatives=tuple(names[id_] for id_ in image.get("neg_category_ids", ())),
                    not_exhaustive=tuple(names[id_] for id_ in image.get("not_exhaustive_category_ids", ())),
                ),
                f"coco:{image['id']}",
            )
        )
    return found


def vocabulary_of(coco: dict[str, Any]) -> dict[str, int]:
    return {class_key(category["name"]): category["id"] for category in coco["categories"]}


def made_coco(seed: int = 0, photos: int = 40, classes: int = 4) -> dict[str, Any]:
    """A made-up COCO file: rectangles and discs with crowds, persons with poses, photos without anything."""
    rng = np.random.default_rng(seed)
    images = [{"id": 10 * i + 1, "width": 160, "height": 120, "file_name": f"{i}.jpg"} for i in range(photos)]
    annotations: list[dict[str, Any]] = []
    for image in images:
        for _ in range(int(rng.integers(0, 6))):
            w, h = rng.uniform(6, 110), rng.uniform(6, 90)
            x, y = rng.uniform(0, 160 - w), rng.uniform(0, 120 - h)
            yy, xx = np.mgrid[:120, :160]
            disc = ((xx + 0.5 - x - w / 2) / (w / 2)) ** 2 + ((yy + 0.5 - y - h / 2) / (h / 2)) ** 2 <= 1
            rle = encode_mask(disc)
            pose = np.zeros((17, 3))
            if rng.random() < 0.8:
                seen = rng.random(17) < 0.7
                pose[seen] = np.c_[rng.uniform(x, x + w, 17), rng.uniform(y, y + h, 17), np.full(17, 2)][seen]
            crowd = int(rng.random() < 0.1)
            pose *= 1 - crowd
            annotations.append(
                {
                    "id": len(annotations),  # from 0: the trap
                    "image_id": image["id"],
                    "category_id": int(rng.integers(1, classes + 1)),
                    "bbox": [float(v) for v in (x, y, w, h)],
                    "area": float(disc.sum()) * 0.97,  # not the mask's own: COCO's is the polygon's
                    "iscrowd": crowd,
                    "segmentation": {"size": [120, 160], "counts": rle.counts.decode()},
                    "keypoints": [float(v) for v in pose.ravel()],
                    "num_keypoints": int((pose[:, 2] > 0).sum()),
                }
            )
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(("person", "dog", "red_car", "kite")[:classes])]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_dataset(
    root: Path,
    dialogues: Sequence[Dialogue],
    names: Mapping[str, int] | None = None,
    photos: bool = True,
    frequencies: Mapping[int, str] | None = None,
) -> Path:
    """A whole dataset folder: one shard a task and split, grey photos, the manifest. `names` is every source's vocabulary,
    `frequencies` LVIS's of its classes."""
    groups: dict[tuple[str, str], list[Dialogue]] = {}
    for one in dialogues:
        groups.setdefault((one.task, one.split), []).append(one)
    files: list[Shard] = []
    for (task, split), several in sorted(groups.items()):
        path = f"data/{task}/{split}/data-00000-of-00001.arrow"
        written = write_shard(root / path, several)
        files.append(Shard(path, written.sha256, written.bytes, written.rows, written.units, task, split))
    often = frequencies or {}
    vocabulary = tuple(Category(id_, name, frequency=often.get(id_, "")) for name, id_ in (names or {}).items())
    splits = {split: SplitInfo((), 0, 0, vocabulary) for split in {d.split for d in dialogues}}
    sources = {s: SourceInfo("hand", "", "CC0-1.0", "1", splits) for s in {d.source for d in dialogues}}
    manifest = Manifest(content_hash(files, sources), "0", 0, {}, sources, tuple(files))
    (root / "manifest.json").write_text(manifest_to_json(manifest))
    for photo in {one.photo.path: one.photo for one in dialogues if one.photo and photos}.values():
        (root / photo.path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", photo.size_wh, (90, 110, 130)).save(root / photo.path)
    return root


def prediction_of(truth: Dialogue, parts: Sequence[Part]) -> Prediction:
    """An answer as a model writes it."""
    references = tuple(r for part in parts if isinstance(part, Triplet) for r in part.references)
    return Prediction(truth.id, render(tuple(parts)), references)


def write_predictions(path: Path, dataset_hash: str, predictions: Sequence[Prediction], model: str = "by hand") -> Path:
    """A predictions file."""
    with PredictionsWriter(path, Header(model, dataset_hash)) as writer:
        for one in predictions:
            writer.write(one)
    return path
