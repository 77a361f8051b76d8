"""Held-out scores in the middle of a run, by the same road as everyone's: a checkpoint answers into a predictions file, and
`refvlm-bench` scores that file. Both are commands of their own, so neither memory nor random numbers of the run are touched.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from refvlm.curves import read_numbers
from refvlm.training.logbook import Say

BENCH = "refvlm-bench"


@dataclass(frozen=True)
class Held:
    """What is asked: `limit` dialogues of each task and split of `splits` of the dataset at `data`."""

    data: Path
    splits: tuple[str, ...]
    limit: int = 50


class Judge:
    """Scores checkpoints on held-out photos; what was answered and scored stays in `out/evaluation/<steps>`.

    A command that fails is said and gives no scores: a run of days does not end for one. Without `refvlm-bench` the
    predictions files are written all the same.
    """

    def __init__(self, held: Held, out: Path, say: Say) -> None:
        self._held, self._out, self._say = held, out, say

    def __call__(self, checkpoint: Path, steps: int) -> dict[str, float]:
        """Every number of every suite, by "<suite>/<number>" (means over sources)."""
        folder = self._out / "evaluation" / f"{steps:08d}"
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped here
        folder.mkdir(parents=True)
        held, answers = self._held, folder / "predictions.jsonl"
        common = ["--data", str(held.data), "--limit", str(held.limit)]
        predict = [sys.executable, "-P", "-m", "refvlm.cli", "predict", "--checkpoint", str(checkpoint), *common]
        for split in held.splits:  # all into one file
            if not self._run([*predict, "--split", split, "--out", str(answers)], folder):
                return {}
        bench = shutil.which(BENCH, path=str(Path(sys.executable).parent)) or shutil.which(BENCH)
        if bench is None:
            self._say(f"{answers}: not scored, {BENCH} is not installed")
            return {}
        common += [word for split in held.splits for word in ("--split", split)]
        score = [bench, "score", "--predictions", str(answers), *common, "--resamples", "0", "--out", str(folder)]
        return read_numbers(folder / "results.json") if self._run(score, folder) else {}

    def _run(self, command: Sequence[str], folder: Path) -> bool:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        with (folder / f"{Path(command[0]).name}.log").open("a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["nothing on stderr"]
            self._say(f"no scores at {folder.name} steps: {lines[-1]}")
        return done.returncode == 0
