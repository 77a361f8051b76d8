"""Grounded captions: the published script's rules by hand, the corrected ones by brute force, AP50 against pycocotools."""

from __future__ import annotations

import contextlib
import io
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.scorer import MISSING, Answered, Setting
from benchmarks.scorers.gcg import SCORER, best_miou, greedy_miou, likeness, most_matches, script_matches
from tests.benchmarks.made import answered, coco_dialogues, dialogue, made_coco
from vtinstruct.dialogue import Dialogue, Reference, Triplet
from vtinstruct.geometry import encode_mask
from vtinstruct.units import Mask

NO_INTERVALS = Setting(resamples=0)
SIDE = 12


def square(x: int, y: int, side: int = 4) -> Mask:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + side, x : x + side] = 1
    return Mask(encode_mask(mask))


def phrase(words: str, *masks: Mask, score: float | None = None) -> Triplet:
    return Triplet(words, "mask", tuple(Reference(mask, score) for mask in masks))


def truth_of(*parts: str | Triplet, id_: str = "a") -> Dialogue:
    return dialogue(id_, "gcg_mask", list(parts), (SIDE, SIDE))


def numbers(truth: Dialogue, answer: Answered) -> dict[str, float | None]:
    return dict(SCORER.summarize(SCORER.frame([SCORER.score(truth, answer, NO_INTERVALS)]), NO_INTERVALS).numbers)


TWO = truth_of(phrase("a dog", square(0, 0)), " and ", phrase("a cat", square(6, 6)))


def test_keeping_only_the_best_mask_pays_in_the_script_alone() -> None:
    rough = phrase("a cat", square(7, 7))  # 9 of 23 pixels
    both, best = (
        numbers(TWO, answered(phrase("a dog", square(0, 0)), rough)),
        numbers(TWO, answered(TWO.turns[1].parts[0])),
    )
    assert both["mIoU[script]"] == pytest.approx((1 + 9 / 23) / 2)
    assert best["mIoU[script]"] == 1.0
    assert both["mIoU"] == pytest.approx((1 + 9 / 23) / 2)
    assert best["mIoU"] == 0.5


def test_other_words_first_cost_the_script_all_pairs_behind() -> None:
    answer = answered(phrase("a tree", square(0, 0)), phrase("the cat", square(6, 6)))
    found = numbers(TWO, answer)
    assert found["recall[script]"] == 0.0  # the first of two equal IoUs has other words
    assert found["recall@.5"] == found["precision@.5"] == 0.5


def test_too_many_masks_cost_precision_and_miou() -> None:
    found = numbers(TWO, answered(*TWO.turns[1].parts, phrase("a tree", square(0, 6), square(6, 0))))
    assert found["mIoU[script]"] == found["recall@.5"] == 1.0
    assert found["mIoU"] == found["precision@.5"] == 0.5


def test_confidences_count_in_ap50_but_not_in_the_scripts() -> None:
    wrong, right = (
        phrase("a tree", square(0, 7), score=0.2),
        [phrase(t.concept, t.references[0].unit, score=0.9) for t in TWO.turns[1].parts if isinstance(t, Triplet)],
    )  # type: ignore[arg-type]
    found = numbers(TWO, answered(wrong, *right))
    assert found["AP50"] == pytest.approx(1.0)
    assert found["AP50[script]"] is not None
    assert found["AP50[script]"] < 0.7


def test_silence_and_missing_answers_are_worst() -> None:
    for answer in (MISSING, answered("A dog and a cat.")):
        found = numbers(TWO, answer)
        assert {found[name] for name in ("mIoU", "mIoU[script]", "recall@.5", "precision@.5", "AP50")} == {0.0}
    assert numbers(TWO, answered("A dog and a cat."))["CIDEr-D[corrected]"] > 0.0  # type: ignore[operator]


def test_phrases_are_alike_by_half_of_their_words() -> None:
    assert likeness("The dog", "a Dog") == likeness("", "the") == 1.0
    assert likeness("red dog", "dog") == pytest.approx(2 / 3)
    assert likeness("a red dog", "a blue cat") == 0.0
    assert likeness("a big red dog", "a dog on grass") == pytest.approx(2 / 6)


tables = st.integers(0, 4).flatmap(
    lambda rows: st.integers(0, 4).flatmap(
        lambda columns: st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), min_size=2 * rows * columns, max_size=2 * rows * columns).map(
            lambda values: np.array(values).reshape(2, rows, columns)
        )
    )
)  # fmt: skip


@given(tables)
def test_the_best_pairs_are_found(pair: np.ndarray) -> None:
    iou, alike = pair
    small, large = sorted(iou.shape)
    wide = iou if iou.shape[0] == small else iou.T
    fits = ((iou >= 0.5) & (alike >= 0.5)) if iou.shape[0] == small else ((iou >= 0.5) & (alike >= 0.5)).T
    ways = [list(enumerate(way)) for way in permutations(range(large), small)]
    if iou.size:
        assert best_miou(iou) == pytest.approx(max(sum(wide[a, b] for a, b in way) for way in ways) / large)
        assert most_matches(iou, alike) == max(sum(bool(fits[a, b]) for a, b in way) for way in ways)
    else:
        assert best_miou(iou) == float(iou.shape[0] == iou.shape[1])
    assert script_matches(iou.T, alike.T) <= most_matches(iou, alike)
    assert 0 <= greedy_miou(iou) <= 1


@pytest.mark.parametrize("kind", ["mask", "box"])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("engine", ["hotcoco", "official"])
def test_ap50_is_pycocotools_own(kind: str, seed: int, engine: str) -> None:
    """The truth's own regions, moved among photos and given confidences, as detections of one class."""
    coco, rng = made_coco(seed, photos=8), np.random.default_rng(seed)
    truths = coco_dialogues(coco, f"gcg_{kind}", kind)
    setting = Setting(resamples=0, engine=engine)  # type: ignore[arg-type]
    rows, detections = [], []
    references = {truth.id: [r for _, _, r in truth.references()] for truth in truths}
    anns: list[dict] = []
    for number, truth in enumerate(truths, start=1):
        given = [
            Reference(r.unit, float(rng.integers(1, 4)) / 4)
            for r in references[truth.id] + references[truths[number % len(truths)].id]
            if rng.random() < 0.7
        ]
        answer = answered(Triplet("thing", kind, tuple(given)))  # type: ignore[arg-type]
        rows.append(SCORER.score(truth, answer, setting))
        for place, region in enumerate(references[truth.id]):
            anns.append(
                {
                    "id": len(anns) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    **official(region, rows[-1]["true_area"][place]),
                }
            )
        detections += [{"image_id": number, "category_id": 1, "score": r.score, **official(r, None)} for r in given]
    found = SCORER.summarize(SCORER.frame(rows), setting)
    images = [
        {"id": n, "width": t.photo.size_wh[0], "height": t.photo.size_wh[1]} for n, t in enumerate(truths, start=1)
    ]  # type: ignore[union-attr]
    for name, results in (("AP50", detections), ("AP50[script]", [{**d, "score": 1.0} for d in detections])):
        with contextlib.redirect_stdout(io.StringIO()):
            gt = COCO()
            gt.dataset = {"images": images, "annotations": anns, "categories": [{"id": 1, "name": "thing"}]}
            gt.createIndex()
            run = COCOeval(gt, gt.loadRes([dict(d) for d in results]), "segm" if kind == "mask" else "bbox")
            run.evaluate()
            run.accumulate()
            run.summarize()
        assert found.numbers[name] == run.stats[1]


def official(reference: Reference, area: float | None) -> dict:
    if isinstance(reference.unit, Mask):
        rle = reference.unit.mask_rle
        shape: dict = {"segmentation": {"size": list(rle.size_hw), "counts": rle.counts.decode()}}
        if area is not None:
            shape["bbox"] = [0, 0, 1, 1]
    else:
        x0, y0, x1, y1 = reference.unit.box_xyxy  # type: ignore[union-attr]
        shape = {"bbox": [x0, y0, x1 - x0, y1 - y0]}
    return shape | ({} if area is None else {"area": area})
