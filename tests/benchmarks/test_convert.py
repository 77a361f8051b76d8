"""`refvlm-bench convert`: answers of models that speak another format become a predictions file that `score` takes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.dataset import open_dataset
from benchmarks.results import read_results
from tests.benchmarks.road import bench, score
from vtinstruct.answer_lines import Fault
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Dialogue
from vtinstruct.prediction import read_header, read_predictions
from vtinstruct.units import Box, Mask


def truths(data: Path, task: str) -> list[Dialogue]:
    dataset, splits = open_dataset(data)
    return list(dataset.dialogues(task, splits[0]))


def written(path: Path, lines: Sequence[object]) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
    return path


def said(data: Path, name: str) -> list[dict[str, Any]]:
    """Every detection of the dataset as a model of that dialect would say it."""
    dialect = dialect_named(name)
    return [
        {"id": truth.id, "text": dialect.render(truth.turns[-1].parts, truth.photo.size_wh)}
        for truth in truths(data, "det")
        if truth.photo is not None
    ]


@pytest.mark.parametrize("name", ["qwen3_vl", "qwen2_5_vl", "internvl", "florence2", "paligemma", "shikra"])
def test_true_boxes_said_in_a_dialect_score_nearly_one(data: Path, tmp_path: Path, name: str) -> None:
    answers = written(tmp_path / "answers.jsonl", said(data, name))
    out = tmp_path / "predictions.jsonl"
    done = bench("convert", answers, "--dialect", name, "--data", data, "--out", out, "--model", "somebody")
    assert done.exit_code == 0, done.output
    assert "6 answers with " in done.output
    assert "0 of them invalid; 0 lines left out" in done.output
    header = read_header(out)
    assert (header.model, header.dialect) == ("somebody", "trp")
    assert header.generation["converted"]["dialect"] == name
    assert header.generation["converted"]["coordinates"] == dialect_named(name).coordinates
    assert score(out, data, tmp_path / "scored", "--suite", "det", "--suite", "trp").exit_code == 0
    results = read_results(tmp_path / "scored")
    assert results.generation["converted"]["dialect"] == name
    assert f'speaks <span class="mono">{name}</span>' in (tmp_path / "scored/report.html").read_text()
    assert bench("leaderboard", tmp_path / "scored", "--out", tmp_path / "board").exit_code == 0
    board = pl.read_csv(tmp_path / "board/leaderboard.csv")
    assert set(board["dialect"]) == {name}
    assert f"speaks {name}</span>" in (tmp_path / "board/leaderboard.html").read_text()
    det, trp = (next(one for one in results.suites if one.suite == suite) for suite in ("det", "trp"))
    assert (det.n, det.invalid, det.missing) == (6, 0, 0)
    assert det.numbers["AP50"] == 1.0  # a grid of a thousandth loses no box
    assert det.numbers["AP"] > 0.9  # type: ignore[operator]
    assert trp.numbers["triplet_F1"] > 0.5  # type: ignore[operator]


def test_true_masks_beside_the_text_score_one(data: Path, tmp_path: Path) -> None:
    dialect, lines = dialect_named("glamm"), []
    for truth in truths(data, "seg"):
        assert truth.photo is not None
        units = [reference.unit for _, _, reference in truth.references()]
        masks = [
            {"size": list(unit.mask_rle.size_hw), "counts": unit.mask_rle.counts.decode()}
            for unit in units
            if isinstance(unit, Mask)
        ]
        text = dialect.render(truth.turns[-1].parts, truth.photo.size_wh)
        lines.append({"id": truth.id, "text": text, "masks": masks})
    out = tmp_path / "predictions.jsonl"
    answers = written(tmp_path / "answers.jsonl", lines)
    assert bench("convert", answers, "--dialect", "glamm", "--data", data, "--out", out).exit_code == 0
    assert score(out, data, tmp_path / "scored", "--suite", "seg").exit_code == 0
    (seg,) = read_results(tmp_path / "scored").suites
    assert (seg.n, seg.invalid, seg.missing, seg.value) == (len(lines), 0, 0, 1.0)


def test_a_detectors_results_by_number_of_class_score_one(data: Path, tmp_path: Path) -> None:
    lines = []
    for truth in truths(data, "det"):
        found = [
            {
                "category_id": reference.category_id,
                "bbox": [
                    *reference.unit.box_xyxy[:2],
                    *np.subtract(reference.unit.box_xyxy[2:], reference.unit.box_xyxy[:2]),
                ],
                "score": 0.5,
            }
            for _, _, reference in truth.references()
            if isinstance(reference.unit, Box)
        ]
        lines.append({"id": truth.id, "text": json.dumps(found)})
    out = tmp_path / "predictions.jsonl"
    answers = written(tmp_path / "answers.jsonl", lines)
    assert bench("convert", answers, "--dialect", "coco_json", "--data", data, "--out", out).exit_code == 0
    assert score(out, data, tmp_path / "scored", "--suite", "det").exit_code == 0
    (det,) = read_results(tmp_path / "scored").suites
    assert (det.invalid, det.missing, det.value) == (0, 0, 1.0)


def test_twice_the_same_bytes_over_what_was_there(data: Path, tmp_path: Path) -> None:
    answers = written(tmp_path / "answers.jsonl", said(data, "qwen3_vl"))
    out = tmp_path / "out" / "predictions.jsonl"
    words = ("convert", answers, "--dialect", "qwen3_vl", "--data", data, "--out", out)
    assert bench(*words).exit_code == 0
    first = out.read_bytes()
    assert bench(*words).exit_code == 0
    assert out.read_bytes() == first
    assert [path.name for path in out.parent.iterdir()] == ["predictions.jsonl"]
    assert read_header(out).model == "answers"


def test_every_bad_line_is_told_with_its_number(data: Path, tmp_path: Path) -> None:
    good = said(data, "qwen3_vl")
    lines: list[object] = [
        good[0],
        "{not json",
        "[1, 2]",
        {"text": "no id"},
        {"id": good[1]["id"], "text": 7},
        {"id": "nobody/knows/me", "text": "[]"},
        {**good[1], "turn": 0},
        {**good[1], "turn": "last"},
        {**good[1], "form": "polygons"},
        {**good[1], "input_wh": [0, 5]},
        {**good[1], "scores": [1, "high"]},
        {**good[1], "scores": [10**400]},
        {**good[1], "masks": [{"size": [1, 1]}]},
        '{"id": "' + good[2]["id"] + '", "text": "a \\ud83d dog"}',
        good[1],
    ]
    out = tmp_path / "predictions.jsonl"
    done = bench(
        "convert", written(tmp_path / "answers.jsonl", lines), "--dialect", "qwen3_vl", "--data", data, "--out", out
    )
    assert done.exit_code == 0, done.output
    told = [line for line in done.output.splitlines() if line.startswith("left out line ")]
    assert [int(line.split()[3].rstrip(":")) for line in told] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert all(" is right" in line or " are right" in line or " is no" in line for line in told), told
    assert "3 answers with " in done.output
    assert "12 lines left out" in done.output
    assert "  not JSON: 1, first in line 2" in done.output
    assert [one.id for one in read_predictions(out, lambda fault: None)] == [
        good[0]["id"],
        good[2]["id"],
        good[1]["id"],
    ]


def test_what_cannot_be_read_whole_is_invalid_and_counted(data: Path, tmp_path: Path) -> None:
    lines = said(data, "qwen3_vl")
    lines[0]["text"] = '[{"bbox_2d": [1, 2, 3, 4], "label": "dog"}, {"bbox_2d": [5,'  # cut off
    lines[1]["text"] = '[{"bbox_2d": [9, 2, 3, 4], "label": "dog"}]'  # swapped
    lines[2]["text"] = "<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>)"  # TRP itself is words here
    out = tmp_path / "predictions.jsonl"
    done = bench(
        "convert", written(tmp_path / "answers.jsonl", lines), "--dialect", "qwen3_vl", "--data", data, "--out", out
    )
    assert "3 of them invalid" in done.output
    for line in ("dialect: truncated: 1, first in line 1", "unit: swapped corners: 1, first in line 2"):
        assert line in done.output
    faults: list[Fault] = []
    read = list(read_predictions(out, faults.append))
    assert read[0].faults == ("dialect: truncated",)
    assert [(fault.line, fault.reason) for fault in faults] == [
        (2, "dialect: truncated"), (3, "unit: swapped corners"), (4, "dialect: trp mark"),
    ]  # fmt: skip
    assert score(out, data, tmp_path / "scored", "--suite", "det", "--suite", "trp").exit_code == 0
    results = read_results(tmp_path / "scored")
    by_name = {one.suite: one for one in results.suites}
    assert (by_name["det"].invalid, by_name["det"].missing) == (3, 0)
    assert by_name["trp"].details["faults"]["dialect: truncated"] == 1
    read_well = by_name["trp"].n - by_name["trp"].missing - 2  # the swapped box is no fault of the text
    assert by_name["trp"].numbers["parse_rate"] == read_well / by_name["trp"].n
    assert results.intake["reasons"]["dialect: truncated"] == 1


def test_scores_beside_the_text_rank_the_answers(data: Path, tmp_path: Path) -> None:
    lines = said(data, "qwen3_vl")
    for line in lines:
        line["scores"] = [0.5] * line["text"].count("bbox_2d")
    out = tmp_path / "predictions.jsonl"
    written(tmp_path / "answers.jsonl", lines)
    assert bench(
        "convert", tmp_path / "answers.jsonl", "--dialect", "qwen3_vl", "--data", data, "--out", out
    ).exit_code == 0  # fmt: skip
    found = [reference.score for one in read_predictions(out, lambda fault: None) for reference in one.references]
    assert found
    assert set(found) == {0.5}


def test_what_is_refused(data: Path, tmp_path: Path) -> None:
    good = said(data, "qwen3_vl")
    cases = [
        ("klingon", [good[0]], "no 'klingon' in vtinstruct.dialects; known: "),
        ("qwen3_vl", [good[0], good[1], good[0]], "line 3: answers "),
        ("qwen3_vl", [], "is empty; JSON Lines are right"),
        ("qwen3_vl", ["{}"], "none of its 1 lines is an answer"),
    ]
    out = tmp_path / "predictions.jsonl"
    for dialect, lines, message in cases:
        answers = written(tmp_path / "answers.jsonl", lines)
        done = bench("convert", answers, "--dialect", dialect, "--data", data, "--out", out)
        assert done.exit_code == 2, done.output
        assert message in " ".join(done.output.split())
        assert list(tmp_path.iterdir()) == [answers]
    done = bench("convert", tmp_path / "nothing", "--dialect", "qwen3_vl", "--data", data, "--out", out)
    assert done.exit_code == 2
    assert "no such file" in done.output


def test_files_of_which_no_line_can_be_an_answer_are_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    good = written(tmp_path / "answers.jsonl", said(data, "qwen3_vl"))
    predictions = tmp_path / "predictions.jsonl"
    words = ("--dialect", "qwen3_vl", "--data", data, "--out")
    assert bench("convert", good, *words, predictions).exit_code == 0
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(good.read_bytes()))
    for path, why in (
        (predictions, "is a predictions file already; `refvlm-bench score` takes it as it is"),
        (packed, "is compressed; the unpacked JSON Lines are right"),
        (tmp_path, "is a folder; JSON Lines of answers are expected there"),
    ):
        done = bench("convert", path, *words, tmp_path / "out.jsonl")
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert why in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_a_thousand_bad_lines_are_counted_and_the_first_told(data: Path, tmp_path: Path) -> None:
    lines = [*said(data, "qwen3_vl"), *({"id": f"nobody/{n}", "text": "[]"} for n in range(1000))]
    words = ("--dialect", "qwen3_vl", "--data", data, "--out", tmp_path / "out.jsonl")
    done = bench("convert", written(tmp_path / "answers.jsonl", lines), *words)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("left out line") == 20
    assert "1000 lines left out" in done.stdout
    assert ": 1000, first in line" in done.stdout


def test_the_list_of_dialects() -> None:
    done = bench("dialects")
    assert done.exit_code == 0
    for name in ("qwen3_vl", "internvl"):
        assert name in done.output
