"""Monocular depth.

Nine numbers per protocol, each the mean over photos of the photo's own value. Sources: Eigen et al., "Depth Map Prediction
from a Single Image" (NeurIPS 2014), section 4.3 (AbsRel, SqRel, RMSE, RMSElog, d<1.25^k, and SILog's square), with the
crops, caps and median scaling of the evaluation scripts that followed (Garg et al., ECCV 2016; Zhou et al., CVPR 2017).

Crop, cap and alignment change every number by more than most papers' gains, so they are in the name:
`AbsRel[crop,cap,alignment]`. Only pixels with a true depth in (0.001 m, cap) inside the crop count; predictions are clipped
to [0.001 m, cap], so an unfilled pixel (0) is an error, not a hole. A missing map is 0.001 m everywhere, never aligned.

* crop: none; eigen_nyu (rows 45:471, columns 41:601 of a 480 x 640 frame); garg (KITTI, by fractions of the frame)
* alignment: none; median (prediction x median(true) / median(predicted), per photo)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.intervals import mean_interval
from benchmarks.scorer import Answered, Interval, Metric, Row, Scorer, Setting, Summary, common, true_references
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.photos import read_depth
from vtinstruct.units import Depth

Floats = NDArray[np.float64]
NEAREST = 1e-3  # metres; what the scripts call min_depth


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which pixels count and what is done to the prediction first."""

    crop: str
    cap_m: float
    alignment: str

    @property
    def name(self) -> str:
        return f"[{self.crop},{self.cap_m:g}m,{self.alignment}]"


PROTOCOLS = (
    Protocol("none", 80, "none"), Protocol("none", 80, "median"), Protocol("eigen_nyu", 10, "none"),
    Protocol("garg", 80, "none"),
)  # fmt: skip
MEANINGS = {
    "AbsRel": ("mean |found - true| / true", False),
    "SqRel": ("mean (found - true)^2 / true, metres", False),
    "RMSE": ("root mean square error, metres", False),
    "RMSElog": ("root mean square error of log depth", False),
    "log10": ("mean |log10 found - log10 true|", False),
    "SILog": ("100 x standard deviation of the log error", False),
    "d1": ("share of pixels with max(found/true, true/found) < 1.25", True),
    "d2": ("the same, < 1.25^2", True),
    "d3": ("the same, < 1.25^3", True),
}
METRICS = tuple(
    Metric(f"{name}{protocol.name}", meaning, higher, percent=higher)
    for protocol in PROTOCOLS
    for name, (meaning, higher) in MEANINGS.items()
)
COLUMNS: dict[str, Any] = {"pixels": pl.Int64, **{metric.name: pl.Float64 for metric in METRICS}}


def crop_of(name: str, size_hw: tuple[int, int]) -> tuple[slice, slice] | None:
    """The rows and columns a crop keeps; None where it is not defined for a frame of that size."""
    height, width = size_hw
    if name == "none":
        return slice(0, height), slice(0, width)
    if name == "eigen_nyu":
        return (slice(45, 471), slice(41, 601)) if (height, width) == (480, 640) else None
    # Garg et al.: for KITTI's wide frames only
    if width < 2 * height:
        return None
    rows = slice(int(0.40810811 * height), int(0.99189189 * height))
    return rows, slice(int(0.03594771 * width), int(0.96405229 * width))


def errors(true: Floats, found: Floats | None, protocol: Protocol) -> dict[str, float] | None:
    """The nine numbers of one photo; None when the protocol leaves no pixel. `found` None is a missing map."""
    crop = crop_of(protocol.crop, (true.shape[0], true.shape[1]))
    if crop is None:
        return None
    valid = (true[crop] > NEAREST) & (true[crop] < protocol.cap_m)
    t = true[crop][valid]
    if not t.size:
        return None
    f = np.full_like(t, NEAREST) if found is None else found[crop][valid]
    if protocol.alignment == "median" and found is not None and float(np.median(f)) > 0:
        f = f * (float(np.median(t)) / float(np.median(f)))
    f = np.clip(f, NEAREST, protocol.cap_m)
    off, logs = f - t, np.log(f) - np.log(t)
    factor = np.maximum(f / t, t / f)
    return {
        "AbsRel": float((np.abs(off) / t).mean()), "SqRel": float((off**2 / t).mean()),
        "RMSE": math.sqrt(float((off**2).mean())), "RMSElog": math.sqrt(float((logs**2).mean())),
        "log10": float(np.abs(np.log10(f) - np.log10(t)).mean()), "SILog": 100 * float(logs.std()),
        **{f"d{k}": float((factor < 1.25**k).mean()) for k in (1, 2, 3)},
    }  # fmt: skip


def _map(references: tuple[Reference, ...], root: Path) -> Floats | None:
    units = [reference.unit for reference in references if isinstance(reference.unit, Depth)]
    return read_depth(root, units[0]).astype(np.float64) if units else None


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """Every protocol's nine numbers for one photo (null where a protocol does not apply). Reads the two maps."""
    true = _map(true_references(truth, "depth"), setting.truth_root)
    found = _map(answer.references("depth"), setting.answer_root)
    row: Row = {"pixels": 0 if true is None else int((true > NEAREST).sum())}
    if found is not None and true is not None and found.shape != true.shape:
        found = None  # checked against the photo already; a truth map of another size has no answer that fits
    quality = 0.0
    for protocol in PROTOCOLS:
        got = errors(true, found, protocol) if true is not None else None
        row |= {f"{name}{protocol.name}": got[name] if got else None for name in MEANINGS}
        if protocol is PROTOCOLS[0] and got:
            quality = got["d1"]
    return common(truth, answer, quality) | row


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Means over the photos to which a protocol applies."""
    numbers: dict[str, float | None] = {}
    for metric in METRICS:
        values = rows[metric.name].drop_nulls().to_numpy()
        numbers[metric.name] = math.fsum(values.tolist()) / values.size if values.size else None
    intervals: dict[str, Interval] = {}
    for name in ("AbsRel", "d1"):
        key = f"{name}{PROTOCOLS[0].name}"
        some = rows.filter(pl.col(key).is_not_null())
        bounds = (0.0, 1.0) if name == "d1" else (0.0, math.inf)
        got = mean_interval(some[key].to_numpy(), some["photo"].to_list(), setting.resamples, setting.seed, bounds)
        if got:
            intervals[key] = got
    counts = {p.name: int(rows[f"AbsRel{p.name}"].is_not_null().sum()) for p in PROTOCOLS}
    return Summary(numbers, intervals, {"photos": counts})


SCORER = Scorer("depth", ("depth",), METRICS, COLUMNS, score, summarize, "Eigen et al. (NeurIPS 2014), section 4.3")
