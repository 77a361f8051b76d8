"""Referring expression answers in the layout of Qwen-VL's and InternVL's `evaluate_grounding.py`."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.official import OfficialError, rec
from tests.benchmarks.road import bench
from vtinstruct.dialect import dialect_named

HW = [500, 1000]
QWEN = (
    "<ref>a dog</ref><box>({0},{1}),({2},{3})</box>", "({0},{1}),({2},{3})</box>", "({0},{1}),({2},{3})",
    "a dog({0},{1}),({2},{3})", "<box>({0}, {1}),({2}, {3})</box>", "({0},{1}),({2},{3})(0,0),(9,9)", "I see none.", "", "({0},{1})",
    "({0},{1},{2},{3})", "({2},{1}),({0},{3})",
)  # fmt: skip
INTERN = (
    "<ref>a dog</ref><box>[[{0}, {1}, {2}, {3}]]</box>", "[[{0}, {1}, {2}, {3}]]", "a dog[[{0}, {1}, {2}, {3}]]",
    "[{0}, {1}, {2}, {3}]", "<box>[{0},{1},{2},{3}]</box>", "[[{0}, {1}, {2}, {3}], [0, 0, 9, 9]]", "I see none.", "",
    "[{s0:.3f}, {s1:.3f}, {s2:.3f}, {s3:.3f}]", "[[{0}.5, {1}.25, {2}.5, {3}.0]]", "[[{2}, {1}, {0}, {3}]]",
)  # fmt: skip


def rows_of(forms: tuple[str, ...], scale: int, count: int = 400) -> list[dict[str, Any]]:
    """Answers in all forms about boxes that lie near, and less near, the annotated one."""
    rng, rows = random.Random(scale), []
    for number in range(count):
        x, y, w, h = rng.randint(0, 600), rng.randint(0, 300), rng.randint(30, 390), rng.randint(30, 190)
        reach = rng.choice((0.0, 0.1, 0.3, 0.5))
        near = [v + rng.uniform(-reach, reach) * (w, h)[i % 2] for i, v in enumerate((x, y, x + w, y + h))]
        said = [min(max(round(v / (HW[1], HW[0])[i % 2] * scale), 0), scale) for i, v in enumerate(near)]
        shares = {f"s{i}": v / scale for i, v in enumerate(said)}
        answer = forms[number % len(forms)].format(*said, **shares)
        rows.append({"answer": answer, "gt_bbox": [x, y, x + w, y + h], "hw": HW})
    return rows


def scripts_numbers(name: str, text: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The four numbers that the script named takes from an answer, as shares of the sides; zeros where it finds none."""
    pattern = r"\((.*?),(.*?)\),\((.*?),(.*?)\)" if name == "qwen_vl" else r"\[*\[(.*?),(.*?),(.*?),(.*?)\]\]*"
    found = re.findall(pattern, text)
    try:
        numbers = np.array([float(one) for one in found[0]])
    except (IndexError, ValueError):
        return np.zeros(4)
    return numbers / 999 if name == "qwen_vl" else numbers / 1000 if numbers.sum() >= 4 else numbers


@pytest.mark.parametrize(("name", "forms", "scale"), [("qwen_vl", QWEN, 999), ("internvl", INTERN, 1000)])
def test_accuracy_is_the_scripts(name: str, forms: tuple[str, ...], scale: int, tmp_path: Path) -> None:
    rows = rows_of(forms, scale)
    right = 0
    for row in rows:
        x0, y0, x1, y1 = scripts_numbers(name, row["answer"]) * np.array(HW[::-1] * 2)
        a0, b0, a1, b1 = row["gt_bbox"]
        inter = max(min(x1, a1) - max(x0, a0), 0) * max(min(y1, b1) - max(y0, b0), 0)
        right += 0 < 0.5 * ((x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - inter) <= inter
    path = tmp_path / "results.json"
    path.write_text(json.dumps(rows))
    found = rec(path, dialect_named(name))
    assert 0.2 < right / len(rows) < 0.8
    assert found.numbers["Acc@.5"] == right / len(rows)
    assert (found.numbers["Acc@.5[one box]"] or 0) < right / len(rows)  # some name two boxes
    path.write_text("\n".join(map(json.dumps, rows)))
    assert rec(path, dialect_named(name)) == found


def test_the_command_says_what_could_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    box = {"gt_bbox": [100, 50, 300, 150], "hw": HW}
    said = ("[[100, 100, 300, 300]]", "<box>[[none]]</box>", "nothing")
    path.write_text(json.dumps([{"answer": text, **box} for text in said]))
    shown = bench("rec", str(path), "--dialect", "internvl")
    assert "0.333333" in shown.stdout
    assert "3 expressions, 1 answered without a box" in shown.stdout
    assert "1 answers: dialect: unreadable" in shown.stdout
    pixels = '[{"bbox_2d": [50, 25, 150, 75], "label": "a"}]'  # of the picture at half its size
    path.write_text(json.dumps([{"answer": pixels, "input_wh": [500, 250], **box}]))
    assert rec(path, dialect_named("qwen2_5_vl")).numbers["mIoU"] == pytest.approx(1.0)


def test_a_row_names_its_way_of_reading_and_thoughts_are_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    row = {"answer": "the dog [1, 3, 250, 999].", "gt_bbox": [0, 1, 83, 499], "hw": [500, 333]}
    path.write_text(json.dumps([row | {"form": "pixels"}, row]))  # 1.0, and a little less
    assert 0.99 < (rec(path, dialect_named("ferret")).numbers["mIoU"] or 0) < 1
    path.write_text(json.dumps([row | {"form": "pixels", "answer": f"<think>[0, 0, 9, 9]</think>{row['answer']}"}]))
    assert rec(path, dialect_named("ferret")).numbers["mIoU"] == 1
    path.write_text(json.dumps([row | {"form": "boxes"}]))
    with pytest.raises(OfficialError, match="form 'boxes'; of ferret, pixels is right"):
        rec(path, dialect_named("ferret"))


def test_no_rows_have_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("[]")
    assert set(rec(path, dialect_named("internvl")).numbers.values()) == {None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answer": None}, "a text is right"),
        ({"gt_bbox": [1, 2, 3]}, "4 finite numbers are right"),
        ({"gt_bbox": [5, 2, 3, 4]}, "x0, y0, x1, y1 in pixels"),
        ({"hw": [500]}, "2 finite numbers are right"),
        ({"hw": [0, 500]}, "two whole numbers of pixels"),
        ({"input_wh": [1.5, 500]}, "two whole numbers of pixels"),
    ],
)
def test_broken_rows_are_one_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"answer": "", "gt_bbox": [0, 0, 9, 9], "hw": HW, **change}]))
    with pytest.raises(OfficialError, match=words):
        rec(path, dialect_named("internvl"))
    with pytest.raises(OfficialError, match="has no boxes"):
        rec(path, dialect_named("molmo"))
