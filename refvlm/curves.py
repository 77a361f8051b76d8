"""The learning curves of a run: losses and held-out scores against the dialogues seen, as one page without scripts.

Reads what a run leaves: `losses.jsonl`, a line a step, and `evaluation/<steps>/results.json`, the benchmark's numbers of the
model as it was after so many steps. Result files of trivial baselines are drawn as dashed levels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from refvlm.chart import Panel, figure

Points = list[tuple[float, float]]  # dialogues seen, value
POINTS = 120  # a loss curve has at most so many, each a mean over its steps


class RunError(Exception):
    """A folder that holds no run; one line."""


@dataclass(frozen=True)
class Number:
    """A number of the benchmark to be drawn: a suite's own name for it, what it is, and whether more is better."""

    suite: str
    name: str
    title: str
    higher: bool = True

    @property
    def key(self) -> str:
        """As "rec/Acc@.5"."""
        return f"{self.suite}/{self.name}"


NUMBERS = (
    Number("det", "AP50", "detection AP50"),
    Number("cond_det", "AP50", "detection by name AP50"),
    Number("seg", "AP50", "instance segmentation AP50"),
    Number("rec", "Acc@.5", "comprehension Acc@.5"),
    Number("res", "gIoU", "referring segmentation gIoU"),
    Number("interactive_seg", "mIoU", "interactive segmentation mIoU"),
    Number("keypoints", "AP50", "keypoints OKS AP50"),
    Number("depth", "AbsRel[none,80m,none]", "depth AbsRel", higher=False),
    Number("caption", "CIDEr-D", "captions CIDEr-D"),
    Number("reg_box", "CIDEr-D", "expressions CIDEr-D"),
    Number("trp", "parse_rate", "TRP validity"),
)


@dataclass(frozen=True)
class Run:
    """Curves by name, and how much was seen: `seen` dialogues in `steps` steps of `photos` photos."""

    losses: Mapping[str, Points]
    scores: Mapping[str, Points]
    steps: int
    photos: int
    seen: int


def read_run(folder: Path) -> Run:
    """A run's curves. Raises `RunError`."""
    path = folder / "losses.jsonl"
    if not path.is_file():
        raise RunError(f"{folder}: no losses.jsonl; a folder that `refvlm train --out` wrote is right")
    try:
        lines = [
            line for text in path.read_text(encoding="utf-8").splitlines() if "losses" in (line := json.loads(text))
        ]
        found = _curves(lines)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: not the losses of a run ({error!r}); what `refvlm train` wrote is right") from error
    if not lines:
        raise RunError(f"{path}: no step in it; a run of one step or more is right")
    dialogues = {int(line["step"]): float(line["dialogues"]) for line in lines}
    last = lines[-1]
    scores: dict[str, Points] = {}
    for results in sorted((folder / "evaluation").glob("[0-9]*/results.json")):
        steps = int(results.parent.name)
        seen = 0.0 if steps == 0 else dialogues.get(steps - 1, float(last["dialogues"]))
        for key, value in read_numbers(results).items():
            scores.setdefault(key, []).append((seen, value))
    return Run(found, scores, int(last["step"]) + 1, int(last["photos"]), int(last["dialogues"]))


def _curves(lines: Sequence[Mapping[str, Any]]) -> dict[str, Points]:
    """Means over runs of steps; a loss that a step has not (no person in sight) is not in its mean."""
    width = max(1, -(-len(lines) // POINTS))
    found: dict[str, Points] = {}
    for start in range(0, len(lines), width):
        part = lines[start : start + width]
        values: dict[str, list[float]] = {}
        for line in part:
            for name, value in line["losses"].items():
                values.setdefault(name, []).append(float(value))
        for name, several in values.items():
            found.setdefault(name, []).append((float(part[-1]["dialogues"]), sum(several) / len(several)))
    return found


def read_numbers(results: Path) -> dict[str, float]:
    """Every number of a result file of `refvlm-bench`, by "<suite>/<number>": means over sources and splits. Raises
    `RunError`."""
    found: dict[str, list[float]] = {}
    try:
        for suite in json.loads(results.read_text(encoding="utf-8"))["suites"]:
            for name, value in suite["numbers"].items():
                if value is not None:
                    found.setdefault(f"{suite['suite']}/{name}", []).append(float(value))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{results}: not a result file ({error!r}); results.json of `refvlm-bench` is right") from error
    return {key: sum(values) / len(values) for key, values in found.items()}


def panels(run: Run, levels: Mapping[str, Mapping[str, float]]) -> list[Panel]:
    """Held-out scores first, each with the levels of the baselines (by name, by number), then the losses."""
    found: list[Panel] = []
    for number in NUMBERS:
        if number.key in run.scores:
            marks = {name: there[number.key] for name, there in levels.items() if number.key in there}
            title = f"{number.title}{'' if number.higher else ' (less is better)'}"
            found.append(Panel(title, {"": run.scores[number.key]}, marks, dots=True))
    units = dict.fromkeys(name.partition(".")[0] for name in run.losses)
    for unit in units:
        parts = {name.partition(".")[2]: curve for name, curve in run.losses.items() if name.partition(".")[0] == unit}
        found.append(Panel(f"loss: {unit}", parts, log=True))
    return found


def page(run: Run, name: str, levels: Mapping[str, Mapping[str, float]]) -> str:
    """The page: the figure, and the last scores as a table beside the baselines'."""
    drawn = figure(panels(run, levels), "dialogues seen")
    said = f"{run.steps:,} steps, {run.photos:,} photos, {run.seen:,} dialogues"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Learning curves of {escape(name)}</title><style>{_STYLE}</style>"
        f"<h1>Learning curves of {escape(name)}</h1><p>{said}.</p>{drawn}{_table(run, levels)}</html>\n"
    )


def _table(run: Run, levels: Mapping[str, Mapping[str, float]]) -> str:
    rows: list[str] = []
    for number in NUMBERS:
        if number.key not in run.scores:
            continue
        others = [levels[name].get(number.key) for name in levels]
        cells = [run.scores[number.key][-1][1], *others]
        text = "".join(f"<td>{'' if value is None else f'{value:.3f}'}</td>" for value in cells)
        rows.append(f"<tr><th>{escape(number.title)}</th>{text}</tr>")
    if not rows:
        return ""
    heads = "".join(f"<th>{escape(name)}</th>" for name in ("model", *levels))
    return f"<table><tr><th></th>{heads}</tr>{''.join(rows)}</table>"


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem;color:#1c2330;background:#fff}
svg{width:100%;height:auto}table{border-collapse:collapse;margin:1.5rem 0}
td,th{padding:.25rem .8rem;border-bottom:1px solid #dde2ea;text-align:right;font-variant-numeric:tabular-nums}
th:first-child{text-align:left;font-weight:500}
"""
