"""The quick road by columns and the long one by dialogues end at the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks import sweep
from benchmarks.dataset import open_dataset
from benchmarks.score import score_file
from benchmarks.shares import Options, read_truths
from tests.benchmarks.made import coco_dialogues, made_coco, prediction_of, write_dataset, write_predictions
from tests.benchmarks.perturbed import perturbed
from tests.benchmarks.test_lvis import made_lvis
from vtinstruct.dialogue import Dialogue, Reference, Triplet

TASKS = {"det": "box", "seg": "mask", "keypoints": "keypoint", "panoptic": "mask"}


def answers(root: Path, seed: int, damage: bool, source: str = "hand") -> tuple[Path, Path]:
    """A dataset of boxes, masks, poses and label maps, and perturbed answers, some of them damaged in many ways, some left out. The source
    "open" has no list of classes, and no numbers for them."""
    coco, rng = made_lvis(seed) if source == "lvis" else made_coco(seed, photos=30), np.random.default_rng(seed)
    names = {c["id"]: c["name"] for c in coco["categories"]}
    often = {c["id"]: c.get("frequency", "") for c in coco["categories"]}
    truths = [replace(t, source=source) for task, kind in TASKS.items() for t in coco_dialogues(coco, task, kind)]
    if source == "open":
        truths = [without_numbers(truth) for truth in truths]
    known = {} if source == "open" else {name: id_ for id_, name in names.items()}
    data = write_dataset(root / "data", truths, known, False, often)
    found = []
    for truth in truths:
        kind = TASKS[truth.task]
        parts: list[Any] = [Triplet(n, kind, (r,)) for n, r in perturbed(truth, rng, names)]  # type: ignore[arg-type]
        parts += [Triplet("unicorn", kind, ())] if rng.random() < 0.1 else []  # type: ignore[arg-type]
        if rng.random() < 0.9:
            found.append(prediction_of(truth, parts or ["Nothing."]))
    path = write_predictions(root / "predictions.jsonl", open_dataset(data)[0].hash, found)
    if damage:
        head, *lines = path.read_text().splitlines()
        path.write_text("\n".join([head, *(spoiled(line, rng) for line in lines)]) + "\n")
    return data, path


def without_numbers(truth: Dialogue) -> Dialogue:
    """Annotations say their class's name alone."""

    def bare(references: tuple[Reference, ...]) -> tuple[Reference, ...]:
        return tuple(replace(one, category_id=-1) for one in references)

    parts = [replace(p, references=bare(p.references)) if isinstance(p, Triplet) else p for p in truth.turns[-1].parts]
    turns = (*truth.turns[:-1], replace(truth.turns[-1], parts=tuple(parts)))
    return replace(truth, turns=turns, evaluation=replace(truth.evaluation, ignore=bare(truth.evaluation.ignore)))


def spoiled(line: str, rng: np.random.Generator) -> str:
    wire = json.loads(line)
    unit = wire["units"][0] if wire["units"] else {}
    match int(rng.integers(0, 15)):
        case 0:
            wire["text"] = wire["text"].replace("<Phrase>", "<Phrase", 1)
        case 1:
            wire["units"] = wire["units"][1:]
        case 2:
            wire["text"] = wire["text"].replace("dog", "a unicorn")
        case 3:
            wire["turn"] = 1
        case 4:
            wire["turn"] = 0
        case 5 if "box_xyxy" in unit:
            unit["box_xyxy"] = [5, 0, 1, 1e9]
        case 6 if "mask_rle" in unit:
            unit["mask_rle"]["counts"] += "4"
        case 7 if "mask_rle" in unit:
            unit["mask_rle"]["size_hw"] = [160, 120]
        case 8 if "score" in unit:
            unit.pop("score")
        case 9 if unit:
            wire["units"][0] = None
        case 10 if "keypoints_xyv" in unit:
            unit["keypoints_xyv"][0] = [1e9, 0, 2]
        case 11:
            wire["text"] = f"<Task>\nUnit decode (False).\n</Task>\n{wire['text']}"
        case 12 if "box_xyxy" in unit:
            return json.dumps(wire).replace(str(unit["box_xyxy"][0]), "NaN", 1)
        case 13 | 14 if unit and "box_xyxy" not in unit:  # answered by another kind of unit
            for kind in ("mask", "keypoint"):
                wire["text"] = wire["text"].replace(f"<Unit>{kind}</Unit>", "<Unit>box</Unit>")
            wire["units"] = [{"kind": "box", "box_xyxy": [1, 1, 9, 9], "score": 0.5} for _ in wire["units"]]
        case _:
            pass
    return json.dumps(wire)


@pytest.mark.parametrize("damage", [False, True])
@pytest.mark.parametrize(("seed", "source"), [(0, "hand"), (1, "hand"), (2, "lvis"), (3, "open")])
def test_both_roads_give_the_same_rows(
    tmp_path: Path, seed: int, source: str, damage: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, predictions = answers(tmp_path, seed, damage, source)
    dataset, splits = open_dataset(data)
    options = Options(splits, resamples=0)
    looked: list[str] = []
    careful = sweep.check_answer

    def check(prediction: Any, *rest: Any) -> Any:
        looked.append(prediction.id)
        return careful(prediction, *rest)

    monkeypatch.setattr(sweep, "check_answer", check)
    quick = score_file(predictions, dataset, tmp_path / "quick", options, read_truths(dataset, options))
    careful_ones = len(looked)
    monkeypatch.setattr(sweep.Sweep, "_is_plain", lambda self, batch: np.zeros(10_000, dtype=bool))
    slow = score_file(predictions, dataset, tmp_path / "slow", options, read_truths(dataset, options))
    assert quick == slow
    for suite in quick.suites:
        one, other = (pl.read_parquet(tmp_path / road / suite.rows) for road in ("quick", "slow"))
        assert one.equals(other), suite.suite
    ending = "_lvis" if source == "lvis" else ""
    assert {suite.suite for suite in quick.suites} >= {
        f"det{ending}",
        f"seg{ending}",
        "keypoints",
        "panoptic",
        "panoptic_sem",
        "trp",
    }
    # label maps without a list of classes take the long road
    slow_ones = ("/keypoints/", "/panoptic/") if source == "open" else ("/keypoints/",)
    every, careful_now = (
        sum(1 for id_ in ids if not any(task in id_ for task in slow_ones))
        for ids in (looked[careful_ones:], looked[:careful_ones])
    )
    assert every - careful_now > 0.4 * every if damage else careful_now == 0  # the quick road was taken
    if source == "open":
        kept = [suite for suite in quick.suites if suite.suite in ("det", "seg", "keypoints")]
        seen = [row["words"] for suite in kept for row in pl.read_parquet(tmp_path / "quick" / suite.rows).to_dicts()]
        names = {word["name"] for words in seen for word in words}
        assert names >= {"person", "dog", "red_car", "kite"}
        for suite in quick.suites:
            assert not any(one["class"].isdigit() for one in suite.details.get("classes", []))


ALONE = """
import sys
from pathlib import Path
from benchmarks.dataset import open_dataset
from benchmarks.score import score_file
from benchmarks.shares import Options, read_truths
dataset, splits = open_dataset(Path(sys.argv[1]))
options = Options(splits, suites=tuple(sys.argv[4:]), resamples=20)
score_file(Path(sys.argv[2]), dataset, Path(sys.argv[3]), options, read_truths(dataset, options))
print("pandas" in sys.modules)
"""


@pytest.mark.parametrize(("source", "suites"), [("hand", ("det", "seg")), ("lvis", ("det_lvis", "seg_lvis"))])
def test_scoring_boxes_and_masks_does_not_import_pandas(tmp_path: Path, source: str, suites: tuple[str, ...]) -> None:
    """It takes longer than thousands of photos, and 40 MB (`benchmarks/arrow.py`)."""
    data, predictions = answers(tmp_path, 0, True, source)
    words = [sys.executable, "-c", ALONE, str(data), str(predictions), str(tmp_path / "out"), *suites]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=os.environ)
    assert done.stdout.split() == ["False"]
