"""Errors of a depth map, under a protocol that is part of every number's name: `AbsRel[crop,cap,alignment]`.

Crop, cap and alignment change every number by more than most papers' gains. Sources: Eigen et al., "Depth Map Prediction from a
Single Image" (NeurIPS 2014), section 4.3 (AbsRel, SqRel, RMSE, RMSElog, d<1.25^k); KITTI's depth development kit (SILog, SqRel2);
the crops and caps of the evaluation scripts that followed (Garg et al., ECCV 2016; Zhou et al., CVPR 2017); the alignment in
disparity of Ranftl et al., "Towards Robust Monocular Depth Estimation" (TPAMI 2022), section 5.

Every number is computed by the operations of the published loops, in double precision (monodepth2 `evaluate_depth.py`, BTS
`eval_with_pngs.py`, ZoeDepth's `compute_errors`; they work in single precision, and print three digits).

Only pixels with a true depth in (0.001 m, cap) inside the crop count; predictions are clipped to [0.001 m, cap] after alignment,
so an unfilled pixel (0) is an error, not a hole. A missing map is 0.001 m everywhere, never aligned.

Relative truth (inverse depth of unknown scale and shift) has numbers of its own: the answer's inverse depth is fitted to it by
least squares, scale (not below 0) and shift, per photo (Ranftl et al., eq. 4), and what is left counts in units of the truth's
mean absolute deviation from its median. A missing map is a flat one, which no map fits worse than.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEAREST = 1e-3  # metres; what the scripts call min_depth
CROPS = {
    "none": "the whole frame", "eigen_nyu": "rows 45:471, columns 41:601 of a 480 x 640 frame",
    "garg": "rows .408:.992, columns .036:.964 of a KITTI frame", "eigen": "rows .332:.914, columns .036:.964 of a KITTI frame",
}  # fmt: skip
ALIGNMENTS = {
    "none": "metres as answered", "median": "times median(true) / median(answered), per photo",
    "lsq": "the scale and shift of least squares, per photo",
    "lsq_disparity": "the scale and shift of least squares between inverse depths, per photo (MiDaS)",
}  # fmt: skip
MEANINGS = {
    "AbsRel": ("mean |found - true| / true", False), "SqRel": ("mean (found - true)^2 / true, metres (Eigen's)", False),
    "SqRel2": ("mean ((found - true) / true)^2 (KITTI devkit's)", False), "RMSE": ("root mean square error, metres", False),
    "RMSElog": ("root mean square error of log depth", False), "log10": ("mean |log10 found - log10 true|", False),
    "SILog": ("100 x standard deviation of the log error", False),
    "d1": ("share of pixels with max(found/true, true/found) < 1.25", True), "d2": ("the same, < 1.25^2", True),
    "d3": ("the same, < 1.25^3", True),
}  # fmt: skip


RELATIVE = {
    "MAE[relative,affine]": "mean |fitted - true| inverse depth, in units of the truth's spread",
    "RMSE[relative,affine]": "root mean square of the same",
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which pixels count and what is done to the prediction first."""

    crop: str
    cap_m: float
    alignment: str

    @property
    def name(self) -> str:
        """`[crop,cap,alignment]`, as numbers carry it."""
        return f"[{self.crop},{self.cap_m:g}m,{self.alignment}]"


def crop_of(name: str, size_hw: tuple[int, int]) -> tuple[slice, slice] | None:
    """The rows and columns a crop keeps; None where it is not defined for a frame of that size."""
    height, width = size_hw
    if name == "none":
        return slice(0, height), slice(0, width)
    if name == "eigen_nyu":
        return (slice(45, 471), slice(41, 601)) if (height, width) == (480, 640) else None
    if width < 2 * height:  # the other two are for KITTI's wide frames only
        return None
    top, bottom = (0.40810811, 0.99189189) if name == "garg" else (0.3324324, 0.91351351)
    return slice(int(top * height), int(bottom * height)), slice(int(0.03594771 * width), int(0.96405229 * width))


def aligned(found: Floats, true: Floats, alignment: str) -> Floats:
    """Answered depths (N,) brought to the true ones by one rule, fitted on the pixels that were filled (above 0: what is
    aligned may be in any unit)."""
    filled = found > 0
    if alignment == "none" or not filled.any():
        return found
    if alignment == "median":
        return found * (float(np.median(true)) / middle) if (middle := float(np.median(found))) > 0 else found
    if alignment == "lsq":
        scale, shift = _fit(found[filled], true[filled])
        return np.where(filled, scale * found + shift, found)
    scale, shift = _fit(1 / found[filled], 1 / true[filled])
    disparity = scale / np.where(filled, found, 1.0) + shift
    far = disparity <= 0  # beyond infinity: the cap will have it
    return np.where(filled, np.where(far, math.inf, 1 / np.where(far, 1.0, disparity)), found)


def _fit(found: Floats, true: Floats) -> tuple[float, float]:
    """Scale and shift with the least squares of scale * found + shift - true; a flat answer only has a shift."""
    low, high = found - found.mean(), true - true.mean()
    spread = float((low**2).sum())
    scale = float((low * high).sum()) / spread if spread > 1e-12 * found.size * float(np.abs(found).max()) ** 2 else 0.0
    return scale, float(true.mean()) - scale * float(found.mean())


def errors(true: Floats, found: Floats | None, protocol: Protocol) -> dict[str, float] | None:
    """The ten numbers of one photo, (H, W) metres each; None when the protocol leaves no pixel. `found` None is a missing
    map."""
    crop = crop_of(protocol.crop, (true.shape[0], true.shape[1]))
    if crop is None:
        return None
    valid = (true[crop] > NEAREST) & (true[crop] < protocol.cap_m)
    t = true[crop][valid]
    if not t.size:
        return None
    f = np.full_like(t, NEAREST) if found is None else aligned(found[crop][valid], t, protocol.alignment)
    f = np.clip(f, NEAREST, protocol.cap_m)
    off, logs = f - t, np.log(f) - np.log(t)
    factor = np.maximum(f / t, t / f)
    spread = float((logs**2).mean()) - float(logs.mean()) ** 2  # below 0 by rounding, where every pixel is off alike
    return {
        "AbsRel": float((np.abs(off) / t).mean()), "SqRel": float((off**2 / t).mean()),
        "SqRel2": float(((off / t) ** 2).mean()), "RMSE": math.sqrt(float((off**2).mean())),
        "RMSElog": math.sqrt(float((logs**2).mean())), "log10": float(np.abs(np.log10(f) - np.log10(t)).mean()),
        "SILog": math.sqrt(max(spread, 0.0)) * 100, **{f"d{k}": float((factor < 1.25**k).mean()) for k in (1, 2, 3)},
    }  # fmt: skip


def relative_errors(true: Floats, known: NDArray[np.bool_], found: Floats | None) -> dict[str, float] | None:
    """The two numbers of one photo whose true inverse depth is relative; None when it is nowhere known, or flat."""
    t = true[known]
    spread = float(np.abs(t - np.median(t)).mean()) if t.size else 0.0
    if spread <= 0:
        return None
    f = np.zeros_like(t) if found is None else found[known]
    centred, wanted = f - f.mean(), t - t.mean()
    square = float((centred**2).sum())
    scale = max(float((centred * wanted).sum()) / square, 0.0) if square > 0 else 0.0  # below 0: far taken for near
    off = (scale * centred - wanted) / spread
    return dict(zip(RELATIVE, (float(np.abs(off).mean()), math.sqrt(float((off**2).mean()))), strict=True))
