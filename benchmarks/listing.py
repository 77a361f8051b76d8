"""What is scored, suite by suite: for `refvlm-bench suites`, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.dataset import Dataset
from benchmarks.scorer import Metric
from benchmarks.suites import SUITES, Suite
from benchmarks.truths import read_truths

HELD_OUT = "every held-out split of a dataset, or those that --split names"


@dataclass(frozen=True, slots=True)
class Listed:
    """One suite with its numbers; `samples` by source and split of a dataset, None without one."""

    suite: Suite
    numbers: tuple[Metric, ...]
    definition: str
    samples: Mapping[tuple[str, str], int] | None

    def to_json(self) -> dict[str, Any]:
        """Every field, for programs."""
        one = self.suite
        splits = None if self.samples is None else [
            {"source": source, "split": split, "samples": n} for (source, split), n in self.samples.items()
        ]  # fmt: skip
        return {
            "suite": one.name, "title": one.title, "version": one.version, "task": one.task or None, "sources": one.sources,
            "splits": HELD_OUT if splits is None else splits, "primary": one.primary,
            "higher_is_better": one.metric().higher_is_better,
            "metrics": [{"name": metric.name, "meaning": metric.meaning} for metric in self.numbers],
            "scorer": one.scorer, "definition": self.definition, "comparable": one.comparable or None,
        }  # fmt: skip

    def lines(self) -> list[tuple[str, str]]:
        """Every field, for people."""
        one = self.suite
        down = "" if one.metric().higher_is_better else " (lower is better)"
        splits = HELD_OUT if self.samples is None else ", ".join(f"{s} {p} ({n})" for (s, p), n in self.samples.items())
        return [
            ("version", str(one.version)), ("task", one.task or "every task"), ("sources", one.sources),
            ("splits", splits or "none in this dataset"), ("primary", one.primary + down),
            ("metrics", ", ".join(metric.name for metric in self.numbers)), ("definition", self.definition),
            ("comparable", one.comparable or "with no published number"),
        ]  # fmt: skip


def listing(dataset: Dataset | None = None, splits: Sequence[str] = ()) -> list[Listed]:
    """All suites in table order; with a dataset, how many samples of which source and split each of them scores."""
    counts: dict[str, Counter[tuple[str, str]]] = {suite.name: Counter() for suite in SUITES}
    for batch in read_truths(dataset, splits, None).batches if dataset else ():
        task, source, split = batch.which
        for suite in SUITES:
            if suite.takes(task, source):
                counts[suite.name][source, split] += batch.rows.num_rows
    found: list[Listed] = []
    for suite in SUITES:
        scorer = suite.load()
        samples = dict(sorted(counts[suite.name].items())) if dataset else None
        found.append(Listed(suite, scorer.metrics, scorer.source, samples))
    return found
