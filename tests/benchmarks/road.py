"""A small dataset, perfect answers to it, and the command run inside the test."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.cli import main
from benchmarks.dataset import open_dataset
from tests.benchmarks.made import coco_dialogues, dialogue, made_coco, prediction_of, write_predictions
from vtinstruct.dialogue import Dialogue, Evaluation, Reference, Triplet
from vtinstruct.units import Depth

EVIL = "<script>alert(1)</script>"
COCO = made_coco(3, photos=6)


def samples(root: Path) -> list[Dialogue]:
    """Six photos with boxes and masks, three captions (one of them hostile), a depth map; and a training split."""
    found = coco_dialogues(COCO, "det", "box") + coco_dialogues(COCO, "seg", "mask")
    for n, words in enumerate(("a dog on grass", EVIL, "two people")):
        found.append(dialogue(f"cap{n}", "caption", [words], (160, 120), Evaluation(references=(words,))))
    (root / "depth").mkdir(parents=True)
    Image.fromarray(np.full((120, 160), 3000, dtype=np.uint16)).save(root / "depth/1.png")
    found.append(
        dialogue("depth1", "depth", [Triplet("depth", "depth", (Reference(Depth("depth/1.png", 0.001)),))], (160, 120))
    )
    train = [replace(one, id=f"train/{one.id}", split="train") for one in found]
    return found + train


def perfect(data: Path, path: Path) -> Path:
    """The truth of every held-out sample as answers; the depth map beside the file."""
    dataset, splits = open_dataset(data)
    truths = [t for task in dataset.tasks(splits[0]) for t in dataset.dialogues(task, splits[0])]
    (path.parent / "depth").mkdir(parents=True, exist_ok=True)
    (path.parent / "depth/1.png").write_bytes((data / "depth/1.png").read_bytes())
    return write_predictions(path, dataset.hash, [prediction_of(t, t.turns[-1].parts) for t in truths], "the truth")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def bench(*words: object) -> Done:
    """`refvlm-bench` in this process."""
    said, wrong = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(wrong):
        patch.setattr(sys, "argv", ["refvlm-bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(int(ended.value.code or 0), said.getvalue(), wrong.getvalue())


def score(predictions: Path, data: Path, out: Path, *more: object) -> Done:
    return bench("score", "--predictions", predictions, "--data", data, "--out", out, "--resamples", 30, *more)


def edited(path: Path, change: Callable[[list[str]], list[str]]) -> Path:
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    return path
