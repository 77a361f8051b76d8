"""A run on made photos in a process of its own (or several, under a launcher): what the tests kill and compare.

    python -m tests.refvlm.run_made OUT RECIPE JSON_SETTINGS [resume]

Writes, beside `OUT`, the photos that each rank asked for: `OUT.rank-<r>`.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from refvlm.collator import Seen
from refvlm.recipes import recipe
from refvlm.train import train
from tests.refvlm.samples import Made


class Watched(Made):
    """Writes down which photos were asked for."""

    def __init__(self, photos: int, path: Path) -> None:
        super().__init__(photos, broken=-1)
        self._path = path

    def seen(self, index: int, rng: random.Random, quota: Mapping[str, float]) -> Seen | None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{index}\n")
        return super().seen(index, rng, quota)


def main() -> None:
    out, name, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    torch.set_num_threads(1)
    store = Watched(int(settings.pop("made", 24)), Path(f"{out}.rank-{os.environ.get('RANK', '0')}"))
    train(
        recipe(name, settings),
        store,
        out,
        lambda step: print(f"step {step.step}", flush=True),
        resume="resume" in sys.argv,
    )


if __name__ == "__main__":
    main()
