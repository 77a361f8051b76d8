"""Monocular depth: ten numbers per protocol, each the mean over photos of the photo's own value.

The definitions, with their sources, are in `benchmarks/depth.py`; crop, cap and alignment are in every number's name.
A truth in the frame `relative_inverse` (HR-WSI) has no metres and counts in none of them, only in `RELATIVE`'s two.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.depth import MEANINGS, NEAREST, RELATIVE, Floats, Protocol, errors, relative_errors
from benchmarks.intervals import mean_interval
from benchmarks.scorer import Answered, Interval, Metric, Row, Scorer, Setting, Summary, common, true_references
from benchmarks.sums import in_order
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.photos import read_depth, read_inverse_depth
from vtinstruct.units import Depth

PROTOCOLS = (
    Protocol("none", 80, "none"), Protocol("none", 80, "median"), Protocol("none", 80, "lsq"),
    Protocol("none", 80, "lsq_disparity"), Protocol("eigen_nyu", 10, "none"), Protocol("garg", 80, "none"),
    Protocol("garg", 80, "median"), Protocol("eigen", 80, "none"),
)  # fmt: skip
METRICS = (
    *(
        Metric(f"{name}{protocol.name}", meaning, higher, percent=higher)
        for protocol in PROTOCOLS
        for name, (meaning, higher) in MEANINGS.items()
    ),
    *(Metric(name, meaning, False) for name, meaning in RELATIVE.items()),
)
COLUMNS: dict[str, Any] = {"pixels": pl.Int64, **{metric.name: pl.Float64 for metric in METRICS}}


def _unit(references: tuple[Reference, ...]) -> Depth | None:
    return next((reference.unit for reference in references if isinstance(reference.unit, Depth)), None)


def _map(depth: Depth | None, root: Path) -> Floats | None:
    """Metres; None without a map, or where the map is relative and nobody knows them."""
    return read_depth(root, depth).astype(np.float64) if depth is not None and depth.frame == "metres" else None


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Every protocol's ten numbers for one photo (null where a protocol does not apply). Reads the two maps."""
    asked, given = _unit(true_references(truth, "depth")), _unit(answer.references("depth"))
    if asked is not None and asked.frame != "metres":
        return _score_relative(truth, answer, asked, given, setting)
    true, found = _map(asked, setting.truth_root), _map(given, setting.answer_root)
    row: Row = {"pixels": 0 if true is None else int((true > NEAREST).sum())}
    if found is not None and true is not None and found.shape != true.shape:
        found = None  # checked against the photo already; a truth map of another size has no answer that fits
    quality = 0.0
    for protocol in PROTOCOLS:
        got = errors(true, found, protocol) if true is not None else None
        row |= {f"{name}{protocol.name}": got[name] if got else None for name in MEANINGS}
        if protocol is PROTOCOLS[0] and got:
            quality = got["d1"]
    return common(truth, answer, quality) | row | dict.fromkeys(RELATIVE)


def _score_relative(truth: Dialogue, answer: Answered, asked: Depth, given: Depth | None, setting: Setting) -> Row:
    """The row of a photo whose truth is relative: no protocol in metres applies."""
    true, known = read_inverse_depth(setting.truth_root, asked)
    found = None if given is None else read_inverse_depth(setting.answer_root, given)[0].astype(np.float64)
    if found is not None and found.shape != true.shape:
        found = None
    got = relative_errors(true.astype(np.float64), known, found)
    numbers: Row = dict.fromkeys(f"{name}{protocol.name}" for protocol in PROTOCOLS for name in MEANINGS)
    numbers |= got or dict.fromkeys(RELATIVE)
    quality = 1 / (1 + got["MAE[relative,affine]"]) if got else 0.0
    return common(truth, answer, quality) | {"pixels": int(known.sum())} | numbers


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Means over the photos to which a protocol applies."""
    numbers: dict[str, float | None] = {}
    for metric in METRICS:
        values = rows[metric.name].drop_nulls().to_numpy()
        numbers[metric.name] = in_order(values) / values.size if values.size else None
    intervals: dict[str, Interval] = {}
    for name in ("AbsRel", "d1"):
        key = f"{name}{PROTOCOLS[0].name}"
        some = rows.filter(pl.col(key).is_not_null())
        bounds = (0.0, 1.0) if name == "d1" else (0.0, math.inf)
        got = mean_interval(some[key].to_numpy(), some["photo"].to_list(), setting.resamples, setting.seed, bounds)
        if got:
            intervals[key] = got
    counts = {p.name: int(rows[f"AbsRel{p.name}"].is_not_null().sum()) for p in PROTOCOLS}
    counts["[relative,affine]"] = int(rows[next(iter(RELATIVE))].is_not_null().sum())
    return Summary(numbers, intervals, {"photos": counts})


SCORER = Scorer(
    "depth", ("depth",), METRICS, COLUMNS, score, summarize,
    "Eigen et al. (NeurIPS 2014), section 4.3; KITTI depth devkit; crops and alignments in benchmarks/depth.py",
)  # fmt: skip
