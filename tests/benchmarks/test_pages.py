"""Pages and tables: escaped, self-contained, stable; result files that cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import results as results_module
from benchmarks.charts import Bar, Bin, bars, reliability
from benchmarks.results import ResultsError, read_results, results_from_json, results_schema
from tests.benchmarks.road import EVIL, bench, edited, perfect, score


def test_pages_are_escaped_and_self_contained(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    edited(predictions, lambda lines: [json.dumps(json.loads(lines[0]) | {"model": EVIL}), *lines[1:]])
    assert score(predictions, data, tmp_path).exit_code == 0
    assert bench("leaderboard", tmp_path, "--out", tmp_path / "board").exit_code == 0
    for page in (tmp_path / "report.html", tmp_path / "board/leaderboard.html"):
        text = page.read_text()
        assert EVIL not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "http://" not in text.replace("http://www.w3.org", "")
        assert "https://" not in text
        assert "default-src 'none'" in text
    said = (tmp_path / "report.html").read_text()
    assert said.count("data:image/jpeg") >= 6
    few = [suite.details.get("few_photos") for suite in read_results(tmp_path / "results.json").suites]
    assert any(few)  # this dataset is small, and the page says so
    assert said.count("Few photos: ") >= 1


def test_leaderboard_rows_are_stable_and_safe_for_spreadsheets(data: Path, tmp_path: Path) -> None:
    for name, model in (("a", "=HYPERLINK(1)"), ("b", "plain")):
        predictions = perfect(data, tmp_path / name / "predictions.jsonl")
        edited(predictions, lambda lines, m=model: [json.dumps(json.loads(lines[0]) | {"model": m}), *lines[1:]])  # type: ignore[misc]
        assert score(predictions, data, tmp_path / name).exit_code == 0
    boards = []
    for order in (("a", "b"), ("b", "a")):
        out = tmp_path / "".join(order)
        assert bench("leaderboard", *(tmp_path / name for name in order), "--out", out).exit_code == 0
        boards.append((out / "leaderboard.csv").read_text())
    assert boards[0] == boards[1]
    assert boards[0].splitlines()[0] == (
        "suite,suite_version,source,split,model,metric,value,low,high,higher_is_better,rank,n,missing,invalid,dataset_name,dataset,"
        "other_dataset,predictions_sha256,engine,engine_version,vtinstruct,limit,phrases,dialect,tie_worst,tie_best,"
        "resamples,seed,other_metric,other_value"
    )
    assert ",'=HYPERLINK(1)," in boards[0]
    assert "\n=HYPERLINK" not in boards[0]
    ranks = pl.read_csv(tmp_path / "ab/leaderboard.csv")["rank"]
    assert set(ranks) == {1}  # equal values share a rank


def test_charts_say_in_full_what_they_shorten_and_escape_it() -> None:
    chart = bars([Bar(f"{EVIL} and more", 0.5, "50.0", 0.25, 0.75, True, "#e6553c", (0.25, 0.75)), Bar("b", None, "–")])
    assert "<script>" not in chart
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt; and more</title>" in chart
    assert ">&lt;scrip…d more<title>" in chart
    assert chart.count('class="whisker"') == 1
    assert chart.count('class="part"') == 2
    assert chart.count('class="bar ') == 1  # nothing is drawn for an undefined value
    assert 'style="fill:#e6553c"' in chart


def test_a_reliability_diagram_has_a_bar_and_a_dot_a_bin() -> None:
    chart = reliability([Bin(0.2, 0.25, 0.5, 4), Bin(0.9, 1.0, 1.0, 2)], "precision")
    assert chart.count("<rect") == chart.count("<circle") == 2
    assert 'cx="252.0" cy="8.0"' in chart  # confidence 1, precision 1: the corner
    assert "4 answers, mean confidence 0.25, precision 0.50" in chart


def test_the_shipped_schema_is_the_form_of_real_results(data: Path, tmp_path: Path) -> None:
    schema = json.loads(Path(results_module.__file__).with_name("results.schema.json").read_text(encoding="utf-8"))
    assert schema == json.loads(json.dumps(results_schema()))
    assert score(perfect(data, tmp_path / "predictions.jsonl"), data, tmp_path).exit_code == 0
    wire = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert set(wire) == set(schema["properties"])
    for name in schema["required"]:  # what the schema asks for, the reader asks for
        with pytest.raises(ResultsError):
            results_from_json(json.dumps({key: value for key, value in wire.items() if key != name}), tmp_path)
    parts = schema["$defs"]
    for suite in wire["suites"]:
        assert set(suite) == set(parts["SuiteResult"]["properties"])
        for interval in suite["intervals"].values():
            assert set(interval) == set(parts["Interval"]["properties"])
    assert any(suite["intervals"] for suite in wire["suites"])
    assert results_from_json(json.dumps(wire), tmp_path) == read_results(tmp_path)


def suite_with(**fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda wire: wire["suites"][0].update(fields)


BROKEN: tuple[tuple[Callable[[dict[str, Any]], object], str], ...] = (
    (suite_with(rows="../../elsewhere.parquet"), "a file below this one's folder is right"),
    (suite_with(rows="/etc/passwd"), "a file below this one's folder is right"),
    (suite_with(n=0, missing=3), "counts that fit each other are right"),
    (suite_with(n=-1), "counts that fit each other are right"),
    (suite_with(version=2**70), "lacks or garbles|counts that fit each other"),
    (suite_with(details={"unknown_classes": {"phrases": 3}}), "lacks or garbles"),
    (suite_with(source="a\x1b[2J"), "names of one line are right"),
    (lambda wire: wire["options"].pop("resamples"), "lacks or garbles"),
    (lambda wire: wire["options"].update(seed=-1), "lacks or garbles"),
    (lambda wire: wire["intake"].update(reasons={"not JSON": "x"}), "lacks or garbles"),
)


@pytest.mark.parametrize(("change", "words"), BROKEN)
def test_results_that_do_not_fit_are_refused_by_every_reader(
    data: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    assert score(perfect(data, tmp_path / "p.jsonl"), data, tmp_path / "run", "--suite", "det").exit_code == 0
    path = tmp_path / "run/results.json"
    wire = json.loads(path.read_text("utf-8"))
    change(wire)
    path.write_text(json.dumps(wire), "utf-8")
    for command in (("leaderboard", path), ("merge", path.parent), ("compare", path.parent, path.parent)):
        done = bench(*command, "--out", tmp_path / "out")
        assert done.exit_code == 2, done.output
        assert re.search(words, done.stderr)
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is no result file"),
        ('{"format": "refvlm-bench-results", "version": 99}', "version 99"),
        ('{"format": "refvlm-bench-results", "version": 2, "model": 3}', "lacks or garbles"),
    ],
)
def test_result_files_that_cannot_be_read_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ResultsError, match=words):
        read_results(tmp_path)
    done = bench("leaderboard", tmp_path / "results.json", "--out", tmp_path)
    assert done.exit_code == 2
