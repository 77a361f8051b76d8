"""Grounded captions: is the caption right, and do its phrases point at the right regions?

Numbers ending in `[script]` are those of GLaMM's `eval/gcg/evaluate.py` (Rasheed et al., CVPR 2024); captions are scored as
COCO's are (`captions.py`). Three things in the script flatter or mislead, so that another number stands beside each:

* `compute_miou` averages the IoUs of the pairs it finds and forgets all masks left over: a model that keeps only its best
  mask rises. `mIoU` divides by the larger of the two numbers of masks.
* `find_best_matches` stops at the first pair whose words differ, and loses the good pairs behind it. `recall@.5` takes the
  largest number of pairs there is; `precision@.5` shows what else was said.
* all confidences are 1, so AP50 hangs on the order of the file. `AP50` uses the model's own where it gives them.

Two phrases are alike when they share half of their words (the script asks a BERT model whether their mean embeddings have a
cosine of 0.5, which nearly any two phrases have). A region of a phrase with several references is one region each.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# (scipy ships no types)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.columns import Instances
from benchmarks.engine import average_precision
from benchmarks.intervals import mean_interval
from benchmarks.rows import in_photo_order
from benchmarks.scorer import Answered, Metric, Row, Scorer, Setting, Summary, common, true_triplets
from benchmarks.scorers._instances import flat, ordered_scores, rles_of
from benchmarks.scorers._ptb import tokens
from benchmarks.scorers._words import consensus, meteor_interval
from benchmarks.scorers.captions import plain_words
from vtinstruct.dialogue import Dialogue, Triplet
from vtinstruct.geometry import GeometryError, box_iou, rle_area, rle_box, rle_iou
from vtinstruct.units import Box, Mask, UnitKind

Floats = NDArray[np.float64]
Region = Box | Mask
Phrased = tuple[str, Region, float | None]  # a phrase, one region it points at, how sure the model is
TASKS: dict[str, UnitKind] = {"gcg_mask": "mask", "gcg_box": "box"}
ENOUGH_IOU, ENOUGH_WORDS = 0.5, 0.5
ARTICLES = frozenset(("a", "an", "the"))
SCRIPT = "[script]"
COLUMNS: dict[str, Any] = {
    "width": pl.Int64, "height": pl.Int64, "said": pl.List(pl.String), "references": pl.List(pl.List(pl.String)),
    "true_box": pl.List(pl.Float64), "true_rle": pl.List(pl.Binary), "true_area": pl.List(pl.Float64),
    "found_box": pl.List(pl.Float64), "found_rle": pl.List(pl.Binary), "found_score": pl.List(pl.Float64),
    "true_count": pl.Int64, "found_count": pl.Int64, "miou": pl.Float64, "miou_script": pl.Float64, "matched": pl.Int64,
    "matched_script": pl.Int64,
}  # fmt: skip
METRICS = (
    Metric("mIoU", "IoU of the best one-to-one pairs over the larger number of regions, mean over photos"),
    Metric(f"mIoU{SCRIPT}", "mean IoU of the pairs found greedily, regions left over forgotten"),
    Metric("recall@.5", "share of annotated regions with a pair at IoU .5 and like words"),
    Metric("precision@.5", "share of said regions with such a pair"),
    Metric(f"recall{SCRIPT}", "the same recall, stopping at the first pair whose words differ"),
    Metric("AP50", "average precision of regions of any phrase at IoU .5, by the model's confidences"),
    Metric(f"AP50{SCRIPT}", "the same with all confidences 1, in the order said"),
    Metric("CIDEr-D", "of the caption's words, 0..10"),
    Metric("CIDEr-D[corrected]", "the same, counting one photo more than there are"),
    Metric("METEOR", "version 1.5, English; null without the data that pycocoevalcap carries"),
)


def likeness(a: str, b: str) -> float:
    """How much of two phrases' words is shared (Dice), articles left out, 0..1; two phrases without words are alike."""
    mine, theirs = (set(tokens(text)) - ARTICLES for text in (a, b))
    return 2 * len(mine & theirs) / (len(mine) + len(theirs)) if mine or theirs else 1.0


def greedy_miou(iou: Floats) -> float:
    """GLaMM's `compute_miou`: the largest IoU (found x true) again and again, its row and column gone; mean of what is over 0."""
    pairs = [value for _, _, value in _largest_first(iou) if value > 0]
    return float(np.add.reduce(pairs)) / len(pairs) if pairs else 0.0  # `np.mean`, without its preparations


def script_matches(iou: Floats, alike: Floats) -> int:
    """GLaMM's `find_best_matches` (true x found): how many pairs before the first that fails either threshold."""
    count = 0
    for row, column, value in _largest_first(iou):
        if value < ENOUGH_IOU or alike[row, column] < ENOUGH_WORDS:
            break
        count += 1
    return count


def _largest_first(table: Floats) -> Iterator[tuple[int, int, float]]:
    """The largest value again and again, its row and column gone; of equal ones the first, as `argmax` has it."""
    rows, columns, values = set[int](), set[int](), table.ravel().tolist()
    for place in cast(list[int], np.argsort(-table, axis=None, kind="stable").tolist()):
        row, column = divmod(place, table.shape[1])
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            yield row, column, values[place]


def best_miou(iou: Floats) -> float:
    """Sum of the best one-to-one IoUs over the larger number of regions: what is missing or too much counts 0."""
    if not iou.size:
        return float(iou.shape[0] == iou.shape[1])
    return float(iou[linear_sum_assignment(iou, maximize=True)].sum()) / max(iou.shape)


def most_matches(iou: Floats, alike: Floats) -> int:
    """The largest number of one-to-one pairs that keep both thresholds."""
    fits = (iou >= ENOUGH_IOU) & (alike >= ENOUGH_WORDS)
    return int(fits[linear_sum_assignment(fits, maximize=True)].sum()) if fits.size else 0


def _regions(triplets: Sequence[Triplet], kind: UnitKind) -> list[Phrased]:
    found: list[Phrased] = []
    for triplet in triplets:
        for reference in triplet.references:
            if isinstance(reference.unit, Box if kind == "box" else Mask):
                found.append((triplet.concept, reference.unit, reference.score))  # type: ignore[arg-type]
    return found


def region_iou(found: Sequence[Region], true: Sequence[Region]) -> Floats:
    """IoU of every found region with every annotated one, (F, T)."""
    a = [region.mask_rle for region in found if isinstance(region, Mask)]
    b = [region.mask_rle for region in true if isinstance(region, Mask)]
    if a or b:
        try:
            return rle_iou(a, b)
        except GeometryError:  # masks of another size than the photo overlap nothing; the answer was marked invalid
            return np.zeros((len(found), len(true)))
    boxes = [np.array([r.box_xyxy for r in side if isinstance(r, Box)]).reshape(-1, 4) for side in (found, true)]
    return box_iou(*boxes)


def _xywh(region: Region) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = region.box_xyxy if isinstance(region, Box) else rle_box(region.mask_rle)
    return (x0, y0, x1 - x0, y1 - y0)


def _area(region: Region) -> float:
    if isinstance(region, Mask):
        return float(rle_area(region.mask_rle))
    _, _, width, height = _xywh(region)
    return width * height


def row_of(
    size_wh: tuple[int, int], said: str, texts: Sequence[str], true: Sequence[Phrased], found: Sequence[Phrased],
    missing: bool = False,
) -> Row:  # fmt: skip
    """What one photo adds: the words of its caption `said` and of its references `texts`, both sides' regions, and how they
    match. A `missing` answer gets nothing for saying nothing."""
    true_regions, found_regions = [region for _, region, _ in true], [region for _, region, _ in found]
    iou = region_iou(found_regions, true_regions)  # (F, T)
    alike = np.array([[likeness(a, b) for b, _, _ in true] for a, _, _ in found]).reshape(iou.shape)
    row: Row = {
        "width": size_wh[0], "height": size_wh[1], "said": tokens(said), "references": [tokens(text) for text in texts],
        "true_area": [_area(region) for region in true_regions], "found_score": [given for _, _, given in found],
        "true_count": len(true), "found_count": len(found), "miou": 0.0 if missing else best_miou(iou),
        "miou_script": greedy_miou(iou), "matched": most_matches(iou, alike), "matched_script": script_matches(iou.T, alike.T),
    }  # fmt: skip
    for side, regions in (("true", true_regions), ("found", found_regions)):
        row[f"{side}_box"] = [value for region in regions for value in _xywh(region)]
        row[f"{side}_rle"] = [region.mask_rle.counts for region in regions if isinstance(region, Mask)]
    return row


def score(truth: Dialogue, answer: Answered, setting: Setting) -> Row:
    """The caption's words, the regions of both sides, and how they match."""
    kind, size_wh = TASKS[truth.task], truth.photo.size_wh if truth.photo else (0, 0)
    true, found = _regions(true_triplets(truth, kind), kind), _regions(answer.triplets(kind), kind)
    texts = truth.evaluation.references or (plain_words(truth.turns[-1].parts),)
    row = row_of(size_wh, plain_words(answer.parts), texts, true, found, answer.state == "missing")
    return common(truth, answer, row["miou"]) | row


def _side(rows: pl.DataFrame, side: str) -> Instances:
    boxes = flat(rows[f"{side}_box"], np.float64).reshape(-1, 4)
    image = np.repeat(np.arange(1, rows.height + 1, dtype=np.int64), rows[f"{side}_count"].to_numpy())
    masks = rles_of(rows, side)
    rles = masks if len(masks.counts) else None
    one_class = np.ones(len(boxes), dtype=np.int64)
    if side == "true":
        area, crowd = flat(rows["true_area"], np.float64), np.zeros(len(boxes), dtype=np.bool_)
        return Instances(image, one_class, boxes, area, crowd, rles=rles)
    return Instances(image, one_class, boxes, score=ordered_scores(flat(rows["found_score"], np.float64))[0], rles=rles)


def _ap50(rows: pl.DataFrame, setting: Setting) -> tuple[float | None, float | None]:
    """AP50 by the model's confidences, and with all of them 1."""
    truth, found = _side(rows, "true"), _side(rows, "found")
    sizes = list(zip(rows["width"].to_list(), rows["height"].to_list(), strict=True))
    masks = bool((rows["task"] == "gcg_mask").any())
    values: list[float | None] = []
    for scores in (found.score, np.ones(len(found))):
        columns = Instances(found.image, found.category, found.boxes_xywh, score=scores, rles=found.rles)
        result = average_precision("segm" if masks else "bbox", sizes, [1], truth, columns, setting.engine)
        values.append(result.numbers["AP50"])
    return values[0], values[1]


def summarize(rows: pl.DataFrame, setting: Setting) -> Summary:
    """Means over photos, shares over regions, and the caption's numbers."""
    if not rows.height:
        return Summary({metric.name: None for metric in METRICS})
    rows = in_photo_order(rows)
    said, references = rows["said"].to_list(), rows["references"].to_list()
    true, spoken = int(rows["true_count"].sum()), int(rows["found_count"].sum())
    own, script = _ap50(rows, setting)
    words = consensus(said, references, setting)
    miou = rows["miou"].to_numpy().astype(np.float64)
    numbers: dict[str, float | None] = {
        "mIoU": float(miou.mean()),
        f"mIoU{SCRIPT}": float(rows["miou_script"].to_numpy().mean()),
        "recall@.5": int(rows["matched"].sum()) / true if true else None,
        "precision@.5": int(rows["matched"].sum()) / spoken if spoken else 0.0,
        f"recall{SCRIPT}": int(rows["matched_script"].sum()) / true if true else None,
        "AP50": own,
        f"AP50{SCRIPT}": script,
        "CIDEr-D": float(words.cider.mean()),
        "CIDEr-D[corrected]": float(words.corrected.mean()),
        "METEOR": words.meteor,
    }
    photos = rows["photo"].to_list()
    got = {
        "mIoU": mean_interval(miou, photos, setting.resamples, setting.seed),
        "METEOR": meteor_interval(words, photos, setting),
    }
    details = {
        "regions": true, "regions_said": spoken, "phrase_to_phrase": f"words shared >= {ENOUGH_WORDS}, articles left out",
        "remarks": list(words.remarks),
    }  # fmt: skip
    return Summary(numbers, {name: one for name, one in got.items() if one}, details)


SCORER = Scorer("gcg", tuple(TASKS), METRICS, COLUMNS, score, summarize, "GLaMM eval/gcg/evaluate.py")
