"""Official files with any one field changed into anything: scored, or refused in one line; never a traceback of native code."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.official import OfficialError, Table, captions, coco, gcg, gqa, lvis, noc, panoptic, pope, rec, vqa
from tests.benchmarks.test_lvis import made_lvis
from tests.benchmarks.test_official import panoptic_files, plain_coco, results_of
from vtinstruct.dialect import dialect_named

Files = dict[str, Any]  # name -> what its JSON holds
GONE, TWICE = "<gone>", "<twice>"
VALUES: tuple[Any, ...] = (
    GONE, TWICE, None, True, False, "x", "", "1", -1, 0, 1.0, 1.5, -2.5, 1e308, -1e308, 2**70, 10**9, [], [1], [[]], [None], {}, {"a": 1},
    [1, 2, 3, 4], [[1, 2, 3, 4, 5, 6]], {"size": [1, 1], "counts": "0"}, {"size": [120, 160], "counts": [5]}, "\U0001f600",
)  # fmt: skip
RLE = {"size": [20, 20], "counts": [50, 100, 250]}


def instances(kind: str, federated: bool = False) -> Files:
    table = made_lvis(4) if federated else plain_coco(9)
    rows, table["images"] = results_of(table, kind, 9), table["images"][:6]
    there = {image["id"] for image in table["images"]}
    table["annotations"] = [row for row in table["annotations"] if row["image_id"] in there]
    return {"gt": table, "dt": [row for row in rows if row["image_id"] in there]}


def words(command: str) -> Files:
    if command == "captions":
        spoken = [{"image_id": i, "id": 3 * i + k, "caption": f"dog {k} on {i}"} for i in (1, 2) for k in range(3)]
        return {
            "gt": {"annotations": spoken},
            "dt": [{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "two"}],
        }
    if command == "vqa":
        answers = [{"answer": "red", "answer_id": k} for k in range(10)]
        asked = [
            {"question_id": q, "question_type": "what", "answer_type": "other", "answers": answers} for q in (1, 2)
        ]
        return {"gt": {"annotations": asked}, "dt": [{"question_id": q, "answer": "red"} for q in (1, 2)]}
    if command == "pope":
        return {
            "gt": [{"question_id": q, "label": ("yes", "no")[q % 2]} for q in range(4)],
            "dt": [{"question_id": q, "answer": "Yes"} for q in range(4)],
        }
    box = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 100, "segmentation": RLE}
    return {
        "gt": {"images": [{"id": 1, "height": 20, "width": 20}], "annotations": [box], "categories": [{"id": 1}]},
        "said": {"annotations": [{"id": 1, "image_id": 1, "caption": "a dog", "labels": ["a dog"]}]},
        "1": {"x": {"caption": "a dog", "phrases": ["a dog"], "pred_masks": [RLE]}},
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value; of a list the first three and the last."""
    if path:
        yield path
    several = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in several:
        if isinstance(value, dict) or key < 3 or key == len(value) - 1:
            yield from places(value[key], (*path, key))


def changed(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    whole = copy.deepcopy(whole)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    if value == GONE:
        del inner[path[-1]]
    elif value == TWICE and isinstance(inner, list):
        inner.append(copy.deepcopy(inner[path[-1]]))
    else:
        inner[path[-1]] = value
    return whole


def pair(score: Callable[..., Table], folder: Path, files: Files) -> Table:
    return score(folder / "gt.json", folder / "dt.json")


CASES: dict[str, tuple[Callable[[Path], Files], Callable[[Path, Files], Table]]] = {
    **{
        f"coco {kind}": (lambda _, kind=kind: instances(kind), partial(pair, partial(coco, iou_type=kind)))
        for kind in ("bbox", "segm", "keypoints")
    },
    "lvis": (lambda _: instances("bbox", True), partial(pair, partial(lvis, iou_type="bbox"))),
    **{
        name: (lambda _, name=name: words(name), partial(pair, score))
        for name, score in {"captions": captions, "vqa": vqa, "pope": pope}.items()
    },
    "gcg": (lambda _: words("gcg"), lambda folder, _: gcg(folder / "gt.json", folder / "said.json", folder)),
    "gqa": (
        lambda _: {
            "gt": {
                str(q): {"answer": "red", "isBalanced": True, "types": {"structural": "query", "semantic": "attr"}, "groups": {"global": "color"}}
                for q in range(3)
            },
            "dt": [{"questionId": str(q), "prediction": "red"} for q in range(3)],
        },
        partial(pair, gqa),
    ),
    "rec": (
        lambda _: {"gt": [{"answer": "[[0, 0, 500, 500]]", "gt_bbox": [0, 0, 9, 9], "hw": [20, 20], "input_wh": [9, 9]}] * 3},
        lambda folder, _: rec(folder / "gt.json", dialect_named("internvl")),
    ),
    "noc": (lambda _: {"gt": {"a": [0.1, 0.5, 0.95], "b": [0.3] * 20}}, lambda folder, _: noc(folder / "gt.json")),
    "panoptic": (lambda folder: dict(zip(("gt", "dt"), panoptic_files(folder, 3)[4:], strict=True)), partial(pair, panoptic)),
}  # fmt: skip


@pytest.mark.parametrize("command", CASES)
def test_any_field_may_be_anything(command: str, tmp_path: Path) -> None:
    make, score = CASES[command]
    whole, rng, refusals = make(tmp_path), random.Random(command), list[str]()
    every = [(name, path) for name, value in whole.items() for path in places(value)]
    for _ in range(80):
        (name, path), value = rng.choice(every), rng.choice(VALUES)
        for other, content in whole.items():
            (tmp_path / f"{other}.json").write_text(
                json.dumps(changed(content, path, value) if other == name else content)
            )
        try:
            score(tmp_path, whole)
        except OfficialError as error:
            refusals.append(str(error))
    assert not [words for words in refusals if "\n" in words or str(tmp_path) not in words]
    assert 0 < len(refusals) < 80
