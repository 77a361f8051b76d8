"""What the commands print, and how several results stand beside each other, there and on the leaderboard."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from benchmarks.leaderboard import rankings, table, told_apart
from benchmarks.page import p_shown
from benchmarks.results import Results, SuiteResult, read_results
from benchmarks.screen import show
from tests.benchmarks.road import bench, edited, perfect, score


def suite(
    name: str = "det", n: int = 4, missing: int = 0, numbers: dict[str, float | None] | None = None
) -> SuiteResult:
    primary, task = ("mIoU", "gcg_mask") if name == "gcg_mask" else ("AP", name)
    return SuiteResult(
        name, 1, task, "", "coco", "val", primary, True, n, missing, 0, numbers or {primary: 0.12345}
    )  # fmt: skip


def result(model: str, *suites: SuiteResult, digest: str = "0" * 64, phrases: str = "exact") -> Results:
    options = {"resamples": 0, "seed": 7, "limit": None, "phrases": phrases}
    return Results(model, "d" * 64, "made", digest, "hotcoco", {}, options, {}, {}, suites or (suite(),))


def printed(capsys: pytest.CaptureFixture[str], results: Sequence[Results]) -> str:
    show(results)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [20, 80, 300])
def test_no_number_and_no_model_is_cut_however_narrow_the_screen_is(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    models = [f"model-{n}" for n in range(12)] + ["a very long name of a model, longer than any column is wide"]
    values = [{"AP": 0.1 + n / 100} for n in range(13)]
    said = printed(capsys, [result(m, suite(numbers=dict(v))) for m, v in zip(models, values, strict=True)])
    for model, value in zip(models, values, strict=True):
        assert f"{100 * value['AP']:.1f}" in said.split()
        for start in range(0, len(model), 20):
            assert model[start : start + 20].strip() in said
    assert "…" not in said


def test_who_has_missing_answers_is_said_of_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, [result("whole"), result("half", suite(missing=2, numbers={"AP": 0.5}))])
    assert re.search(r"det +AP +1 +4 +12\.3 +50\.0\*", said)
    assert "* missing or invalid answers are in the number" in said
    assert "half: 2 of 4 samples have no answer (50 %)" in said
    assert "whole: " not in said


def test_two_results_of_one_model_are_told_apart_and_none_is_picked() -> None:
    """By their answers; of the same answers, by number. Suites scored apart are one model's; the same result twice is one."""
    det, seg = result("a", suite("det"), digest="1" * 64), result("a", suite("seg"), digest="2" * 64)
    again = result("a", suite("det"), digest="3" * 64)
    assert [one.model for one in told_apart([det, seg])] == ["a", "a"]
    assert [one.model for one in told_apart([det, det])] == ["a"]
    assert [one.model for one in told_apart([det, again, result("b")])] == ["a (11111111)", "a (33333333)", "b"]
    other = result("a", suite("det"), digest="1" * 64, phrases="synonyms:x")
    assert [one.model for one in told_apart([det, other])] == ["a (11111111 #1)", "a (11111111 #2)"]


def test_results_of_other_samples_are_ranked_apart(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    assert score(predictions, data, tmp_path / "whole", "--suite", "det").exit_code == 0
    assert score(predictions, data, tmp_path / "some", "--suite", "det", "--limit", 3).exit_code == 0
    found = rankings([read_results(tmp_path / name) for name in ("whole", "some")])
    assert sorted((ranking.suite.n, len(ranking.places)) for ranking in found) == [(3, 1), (6, 1)]


def test_the_leaderboard_names_the_published_number_beside_ours_and_how_it_was_drawn(tmp_path: Path) -> None:
    ours = suite("gcg_mask", numbers={"mIoU": 0.5, "mIoU[script]": 0.75, "recall[script]": 1.0})
    script = suite("grec", numbers={"AP": 0.5})
    (row, plain) = table([result("a", ours, script)]).sort("suite").to_dicts()
    assert (row["metric"], row["other_metric"], row["other_value"]) == ("mIoU", "mIoU[script]", 0.75)
    assert (plain["other_metric"], plain["other_value"]) == (None, None)
    assert (row["resamples"], row["seed"]) == (0, 7)


def test_csv_json_and_page_say_the_same(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    edited(predictions, lambda lines: [*lines[:3], *lines[5:]])
    assert score(predictions, data, tmp_path / "a").exit_code == 0
    assert bench("leaderboard", tmp_path / "a", "--out", tmp_path / "board").exit_code == 0
    results = read_results(tmp_path / "a")
    page = (tmp_path / "board/leaderboard.html").read_text()
    rows = pl.read_csv(tmp_path / "board/leaderboard.csv").to_dicts()
    assert len(rows) == len(results.suites)
    for row, found in zip(rows, results.suites, strict=True):
        assert (row["suite"], row["value"], row["n"]) == (found.suite, found.value, found.n)
        assert (row["missing"], row["invalid"]) == (found.missing, found.invalid)
        assert f'data-value="{found.value}"' in page
        if found.missing:
            assert f"the truth {found.missing} missing of {found.n}" in page
    assert sum(row["missing"] for row in rows) > 0
    assert json.loads((tmp_path / "a/results.json").read_text())["predictions_sha256"] in {
        r["predictions_sha256"] for r in rows
    }


@pytest.mark.parametrize(
    ("p", "said"), [(None, "–"), (0.0, "<.001"), (0.0009, "<.001"), (0.0312, ".031"), (1.0, "1.000")]
)
def test_p_is_never_said_to_be_nothing(p: float | None, said: str) -> None:
    assert p_shown(p) == said
