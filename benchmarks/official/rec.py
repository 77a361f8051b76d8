"""Referring expression answers in the layout of Qwen-VL's and InternVL's `evaluate_grounding.py`, which hold their own truth.

A row has `answer` (the model's words), `gt_bbox` (x0, y0, x1, y1 in pixels) and `hw` (the photo's height and width); a JSON list
or JSON lines. The answers are read by the model's dialect (`vtinstruct/dialects`), as `refvlm-bench convert` does; `input_wh` in
a row is the size of the picture as the model got it, where a dialect counts its pixels, and `form` one of its ways of reading.
`Acc@.5` is the scripts' "Precision @ 1".
Sources: github.com/QwenLM/Qwen-VL `eval_mm/evaluate_grounding.py`; github.com/OpenGVLab/InternVL
`internvl_chat/eval/refcoco/evaluate_grounding.py`.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.official._files import OfficialError, lines_or_list, numbers_of
from benchmarks.official._table import Table
from benchmarks.plain import REACH
from benchmarks.scorers.rec import accuracies
from vtinstruct.dialect import Dialect, Spoken, hear
from vtinstruct.geometry import box_iou
from vtinstruct.units import Box


def rec(results: Path, dialect: Dialect) -> Table:
    """Accuracy of the first box at three levels and its mean IoU, over all rows. Raises `OfficialError`."""
    if "box" not in dialect.reads:
        raise OfficialError(f"{results}: dialect {dialect.name} has no boxes; one that reads boxes is right")
    rows = lines_or_list(results)
    iou, boxes = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int64)
    faults: Counter[str] = Counter()
    for number, row in enumerate(rows):
        where = f"{results}: [{number}]"
        true = numbers_of(row, "gt_bbox", 4, where)
        if true[2] < true[0] or true[3] < true[1] or max(map(abs, true)) > REACH:
            raise OfficialError(
                f"{where} has gt_bbox {true}; x0, y0, x1, y1 in pixels of the photo, the end behind the beginning, are right"
            )
        heard = hear(dialect, _spoken(row, where, dialect))
        faults.update(heard.reasons)
        found = [one.unit for triplet in heard.triplets() if triplet.kind == "box" for one in triplet.references]
        boxes[number] = len(found)
        if found and isinstance(found[0], Box):
            iou[number] = box_iou(np.array([found[0].box_xyxy]), np.array([true]))[0, 0]
    notes = [
        f"{len(rows)} expressions, {int((boxes == 0).sum())} answered without a box",
        f"read as {dialect.name}: {dialect.coordinates}",
        *(f"{count} answers: {reason}" for reason, count in sorted(faults.items())),
    ]
    return Table(
        "referring expressions",
        accuracies(iou, boxes),
        (),
        tuple(notes),
        {"numpy": importlib.metadata.version("numpy")},
    )


def _spoken(row: dict[str, Any], where: str, dialect: Dialect) -> Spoken:
    answer = row.get("answer")
    if not isinstance(answer, str):
        raise OfficialError(f"{where} has answer {answer!r:.60}; a text is right")
    form = row.get("form", "")
    if form and form not in dialect.forms:
        raise OfficialError(
            f"{where} has form {form!r:.40}; of {dialect.name}, {', '.join(dialect.forms) or 'none'} is right"
        )
    height, width = _size(row, "hw", where)
    input_wh = _size(row, "input_wh", where) if "input_wh" in row else None
    return Spoken(answer, (width, height), wanted="box", input_wh=input_wh, form=form)


def _size(row: dict[str, Any], field: str, where: str) -> tuple[int, int]:
    one, other = numbers_of(row, field, 2, where)
    if min(one, other) < 1 or max(one, other) > REACH or one != int(one) or other != int(other):
        raise OfficialError(f"{where} has {field} {row[field]!r:.60}; two whole numbers of pixels are right")
    return int(one), int(other)
