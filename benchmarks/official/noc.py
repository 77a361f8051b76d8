"""Click sessions of interactive segmentation, scored as RITM's `compute_noc_metric` does.

A session is the IoUs after its clicks, in order: a JSON object of lists by name, a JSON list of lists, or an `.npy` array of
(sessions, clicks). Or it is a folder of masks: `NAME/1.png`, `NAME/2.png`, ... below it are the answers to the clicks on the
annotated mask `NAME.png`. A session may stop once it is good enough; its last mask stands from there on.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.clicks import LIMIT, click_iou, clicks_needed
from benchmarks.official._files import OfficialError, is_number, read_json
from benchmarks.official._pictures import array_of, grey_values
from benchmarks.official._table import Table

LEVELS = (0.80, 0.85, 0.90)
AFTER = (1, 3, 5, 10, 20)
Sessions = Mapping[str, Sequence[float]]


def noc(sessions: Path, masks: Path | None = None, limit: int = LIMIT, ignore: int | None = None) -> Table:
    """Mean number of clicks until IoU >= .80, .85, .90, how many sessions need all `limit` clicks or more, and the mean IoU after
    1, 3, 5, ... clicks. `masks`: the folder of annotated masks, for a folder of answered ones. Raises `OfficialError`."""
    if limit < 1:
        raise OfficialError(f"at most {limit} clicks; 1 or more are right")
    if sessions.is_dir():
        if masks is None:
            raise OfficialError(
                f"{sessions}: a folder of masks; the folder of the annotated ones (--masks) is needed too"
            )
        found = _from_masks(sessions, masks, ignore)
    else:
        found = _read(sessions)
    curves = list(found.values())
    numbers: dict[str, float | None] = {}
    for level in LEVELS:
        needed = [clicks_needed(curve, level, limit) for curve in curves]
        numbers[f"NoC@{100 * level:.0f}"] = sum(needed) / len(needed) if needed else None
        numbers[f">={limit}@{100 * level:.0f}"] = float(sum(n == limit for n in needed)) if needed else None
    for clicks in (n for n in AFTER if n <= limit):
        numbers[f"IoU@{clicks}"] = float(np.mean([curve[:clicks][-1] for curve in curves])) if curves else None
    longer = sum(len(curve) > limit for curve in curves)
    notes = [f"{len(curves)} sessions of at most {limit} clicks; where one ends, its last IoU stands"]
    if longer:
        notes.append(f"{longer} sessions go on after {limit} clicks; what came later does not count")
    return Table("number of clicks", numbers, (), tuple(notes), {"numpy": importlib.metadata.version("numpy")})


def _read(path: Path) -> Sessions:
    if path.suffix == ".npy":
        wire: object = array_of(path, ("sessions", "clicks")).tolist()
    else:
        wire = read_json(path)
    if isinstance(wire, list):
        wire = {str(number): one for number, one in enumerate(cast(list[object], wire))}
    if not isinstance(wire, dict):
        raise OfficialError(f"{path}: {type(wire).__name__}; lists of IoUs by name, or a list of such lists, are right")
    for name, curve in cast(dict[str, object], wire).items():
        values = cast(list[object], curve) if isinstance(curve, list) else []
        if not values or not all(is_number(value) and 0 <= cast(float, value) <= 1 for value in values):
            raise OfficialError(
                f"{path}: session {name} is {curve!r:.60}; the IoUs (0..1) after one or more clicks are right"
            )
    return cast(Sessions, wire)


def _from_masks(answers: Path, masks: Path, ignore: int | None) -> Sessions:
    if not masks.is_dir():
        raise OfficialError(f"{masks}: no folder; the folder of annotated masks is right")
    truths = sorted(path for path in masks.iterdir() if path.suffix == ".png")
    if not truths:
        raise OfficialError(f"{masks}: no annotated mask (.png) in it")
    found: dict[str, list[float]] = {}
    for path in truths:
        values = grey_values(path)
        ignored = values == ignore if ignore is not None else np.zeros(values.shape, dtype=np.bool_)
        true = (values > 0) & ~ignored
        if not true.any():
            raise OfficialError(f"{path}: no pixel is annotated; a mask with one is right")
        found[path.stem] = [_iou(one, true, ignored) for one in _clicks(answers / path.stem)]
    return found


def _clicks(folder: Path) -> list[Path]:
    """The masks after click 1, 2, ... of one session; none may be missing."""
    named = {path.stem: path for path in folder.glob("*.png")} if folder.is_dir() else {}
    found = [named[str(n)] for n in range(1, len(named) + 1) if str(n) in named]
    if not found or len(found) < len(named):
        raise OfficialError(f"{folder}: {len(named)} masks; 1.png, 2.png and so on, one a click, are right")
    return found


def _iou(path: Path, true: NDArray[np.bool_], ignored: NDArray[np.bool_]) -> float:
    answer = grey_values(path) > 0
    if answer.shape != true.shape:
        raise OfficialError(f"{path}: {answer.shape[::-1]} pixels; the annotation's {true.shape[::-1]} are right")
    return click_iou(true, answer, ignored)
