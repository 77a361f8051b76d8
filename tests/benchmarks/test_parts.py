"""Answers in parts, by several workers, again after a change: the same bits, and no more work than needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks import sweep
from benchmarks.compare import compare
from benchmarks.dataset import open_dataset
from benchmarks.intervals import interval, paired, ratio
from benchmarks.results import read_results, write_results
from benchmarks.rows import in_photo_order, natural_key
from benchmarks.score import score_file
from benchmarks.shares import Options, read_truths, stretches
from benchmarks.suites import SuiteError, suite_of
from tests.benchmarks.road import bench, perfect
from tests.benchmarks.test_plain import answers


def scored(predictions: Any, data: Path, out: Path, workers: int = 1) -> Any:
    dataset, splits = open_dataset(data)
    options = Options(splits, resamples=20)
    found = score_file(predictions, dataset, out, options, read_truths(dataset, options), workers)
    write_results(out / "results.json", found)
    return found


def rows_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "rows").glob("*.parquet"))}


def in_parts(predictions: Path, root: Path, count: int) -> list[Path]:
    head, *lines = predictions.read_text().splitlines()
    order = np.random.default_rng(0).permutation(len(lines))
    paths = []
    for n in range(count):
        paths.append(root / f"part{n}.jsonl")
        paths[-1].write_text("\n".join([head, *(lines[i] for i in order[n::count])]) + "\n")
    return paths


def test_parts_and_workers_give_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.shares.LEAST", 500)  # bytes: many stretches of a small file
    monkeypatch.setattr("benchmarks.crew.START", 0.0)
    data, predictions = answers(tmp_path, 3, True)
    whole = scored(predictions, data, tmp_path / "whole")
    parts = in_parts(predictions, tmp_path, 3)
    together = scored(list(reversed(parts)), data, tmp_path / "parts")
    by_two = scored(predictions, data, tmp_path / "workers", workers=2)
    assert len(stretches([predictions], 2)) > 10
    assert whole.suites == together.suites == by_two.suites
    assert by_two == whole == scored(predictions, data, tmp_path / "more", workers=4)
    assert together.intake["reasons"] == whole.intake["reasons"]
    assert rows_in(tmp_path / "whole") == rows_in(tmp_path / "workers")
    assert rows_in(tmp_path / "whole") == rows_in(tmp_path / "parts")
    assert len(together.predictions) == 3


def test_results_scored_apart_are_merged_in_any_order_to_the_same_bits(tmp_path: Path) -> None:
    data, predictions = answers(tmp_path, 4, True)
    whole = scored(predictions, data, tmp_path / "whole")
    folders = []
    for n, part in enumerate(in_parts(predictions, tmp_path, 3)):
        folders.append(tmp_path / f"scored{n}")
        done = bench("score", "--predictions", part, "--data", data, "--out", folders[-1], "--resamples", 20)
        assert done.exit_code == 0, done.output
    for name, order in (("forward", folders), ("backward", folders[::-1])):
        done = bench("merge", *order, "--out", tmp_path / name)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "forward/results.json").read_bytes() == (tmp_path / "backward/results.json").read_bytes()
    merged = read_results(tmp_path / "forward")
    assert rows_in(tmp_path / "forward") == rows_in(tmp_path / "backward")
    assert [suite.numbers for suite in merged.suites] == [suite.numbers for suite in whole.suites]
    assert [suite.missing for suite in merged.suites] == [suite.missing for suite in whole.suites]
    assert merged.intake["reasons"] == whole.intake["reasons"]
    done = bench("merge", folders[0], folders[0], "--out", tmp_path / "twice")
    assert done.exit_code == 2
    assert "answered in two parts; one answer a sample is right" in done.stderr


def test_scoring_again_touches_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, predictions = answers(tmp_path, 5, False)
    first = scored(predictions, data, tmp_path / "out")
    head, *lines = predictions.read_text().splitlines()
    changed = next(n for n, line in enumerate(lines) if json.loads(line)["units"])
    wire = json.loads(lines[changed])
    wire["units"], wire["text"] = [], "Nothing."
    lines[changed] = json.dumps(wire)
    predictions.write_text("\n".join([head, *lines]) + "\n")
    read: list[bytes] = []
    decode = sweep.decode_line
    monkeypatch.setattr(sweep, "decode_line", lambda line: (read.append(line), decode(line))[1])
    second = scored(predictions, data, tmp_path / "out")
    assert [json.loads(line)["id"] for line in read] == [wire["id"]]
    fresh = scored(predictions, data, tmp_path / "fresh")
    assert second == fresh != first
    assert rows_in(tmp_path / "out") == rows_in(tmp_path / "fresh")


def test_rows_made_with_other_code_or_torn_are_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, predictions = answers(tmp_path, 6, False)
    first = scored(predictions, data, tmp_path / "out")
    read: list[bytes] = []
    decode = sweep.decode_line
    monkeypatch.setattr(sweep, "decode_line", lambda line: (read.append(line), decode(line))[1])
    torn = tmp_path / "out/rows/det.hand.val.parquet"
    torn.write_bytes(torn.read_bytes()[:-20])
    assert scored(predictions, data, tmp_path / "out") == first
    again = len(read)
    assert again == len(predictions.read_text().splitlines()) - 1
    monkeypatch.setattr("benchmarks.kept._code", lambda: "other code")
    assert scored(predictions, data, tmp_path / "out").suites == first.suites
    assert len(read) == 2 * again


def test_parts_of_two_runs_and_a_sample_in_two_parts_are_refused(tmp_path: Path) -> None:
    data, predictions = answers(tmp_path, 7, False)
    other = tmp_path / "other.jsonl"
    other.write_text(predictions.read_text().replace('"by hand"', '"someone"', 1))
    for second, words in ((other, "its header differs"), (tmp_path / "copy.jsonl", "twice; one answer a sample")):
        if not second.exists():
            second.write_text(predictions.read_text())
        done = bench(
            "score", "--predictions", predictions, "--predictions", second, "--data", data, "--out", tmp_path / "out"
        )
        assert done.exit_code == 2
        assert words in done.stderr


def test_comparing_a_model_with_itself_and_with_a_worse_one(tmp_path: Path) -> None:
    data, predictions = answers(tmp_path, 8, False)
    scored(predictions, data, tmp_path / "good")
    head, *lines = predictions.read_text().splitlines()
    predictions.write_text("\n".join([head.replace("by hand", "lazy"), *lines[::2]]) + "\n")
    scored(predictions, data, tmp_path / "lazy")
    same = compare(tmp_path / "good", tmp_path / "good", 200, 0)
    for one in same.suites:
        assert one.difference in (0.0, None)
        assert one.p in (1.0, None)
        assert not one.moved
    worse = {one.suite: one for one in compare(tmp_path / "good", tmp_path / "lazy", 200, 0).suites}
    parse = worse["trp"]
    assert parse.difference == pytest.approx(parse.values[1] - parse.values[0])  # type: ignore[operator]
    assert parse.high < 0  # type: ignore[operator]
    assert parse.p < 0.05  # type: ignore[operator]
    assert worse["det"].moved[0].first > worse["det"].moved[0].second
    done = bench(
        "compare", tmp_path / "good", tmp_path / "lazy", "--out", tmp_path / "compare.html", "--resamples", 100
    )
    assert done.exit_code == 0, done.output
    assert "lazy: " in done.output
    assert "samples have no answer" in done.output
    page = (tmp_path / "compare.html").read_text()
    assert "lazy" in page
    assert f">{worse['det'].missing[1]} missing<" in page
    assert worse["det"].moved[0].id in page
    assert "<figure>" not in page
    pictured = ("compare", tmp_path / "good", tmp_path / "lazy", "--out", tmp_path / "compare.html", "--resamples", 20)
    done = bench(*pictured, "--data", data, "--predictions", predictions)
    assert done.exit_code == 2
    assert "good: 0 of its 1 predictions files given" in done.stderr
    first = tmp_path / "first.jsonl"
    first.write_text("\n".join([head, *lines]) + "\n")
    done = bench(*pictured, "--data", data, "--predictions", predictions, "--predictions", first)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "compare.html").read_text()
    assert "No picture: the photo cannot be read." in page  # these photos are names alone
    assert "<summary>words</summary>" in page


def test_p_agrees_with_the_interval_and_is_uniform_when_there_is_no_difference() -> None:
    """Quickly; `test_coverage.py` measures it on harder populations."""
    rng, below = np.random.default_rng(0), 0
    for seed in range(400):
        values = rng.normal(0, 1, (2, 60)) + rng.normal(0, 3, 60)
        drawn = [interval(ratio(one, np.ones(60), np.arange(60), 60), 60, 100, seed) for one in values]
        got = paired(*drawn)  # type: ignore[arg-type]
        assert got is not None
        assert got.difference == pytest.approx(values[1].mean() - values[0].mean())
        assert got.low is not None
        assert got.high is not None
        assert (got.p < 0.05) == (not got.low <= 0 <= got.high)
        below += got.p < 0.1
    assert 0.06 < below / 400 < 0.145


def test_few_photos_cannot_say_much_however_they_agree() -> None:
    """Better on each of four photos, by the same: sixteen falls of four coins, two of which are alike."""
    drawn = [interval(ratio(np.full(4, v), np.ones(4), np.arange(4), 4), 4, 50, 0, bounds=(0, 1)) for v in (0.0, 1.0)]
    got = paired(*drawn)  # type: ignore[arg-type]
    assert got is not None
    assert (got.difference, got.low, got.high, got.p) == (1.0, None, None, 0.125)
    same = paired(drawn[0], drawn[0])  # type: ignore[arg-type]
    assert same is not None
    assert (same.difference, same.low, same.high, same.p) == (0.0, None, None, 1.0)


def test_a_difference_of_shares_is_at_most_one() -> None:
    """Three photos, on which one model is nearly always wrong and the other mostly right: Student's t alone reaches beyond."""
    right = np.array([0.9, 0.5, 1.0])
    drawn = [
        interval(ratio(v, np.ones(3), np.arange(3), 3), 3, 200, 0, bounds=(0, 1))
        for v in (np.array([0.0, 0.02, 0.0]), right)
    ]
    got = paired(*drawn)  # type: ignore[arg-type]
    assert got is not None
    assert got.low is not None
    assert got.high is not None
    assert got.low < got.difference < got.high
    assert got.high == 1.0
    free = [interval(ratio(v, np.ones(3), np.arange(3), 3), 3, 200, 0) for v in (np.array([0.0, 0.02, 0.0]), right)]
    unbounded = paired(*free)  # type: ignore[arg-type]
    assert unbounded is not None
    assert unbounded.high is not None
    assert unbounded.high > 1.0


def test_what_is_left_out_of_a_comparison_or_scored_otherwise_is_said(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    (tmp_path / "syn.toml").write_text('puppy = "dog"\n')
    words = ("score", "--predictions", predictions, "--data", data, "--resamples", 20, "--out")
    assert bench(*words, tmp_path / "all").exit_code == 0
    rule = f"synonyms:{tmp_path / 'syn.toml'}"
    assert bench(*words, tmp_path / "one", "--suite", "det", "--phrases", rule).exit_code == 0
    done = bench("compare", tmp_path / "all", tmp_path / "one", "--out", tmp_path / "compare.html")
    assert done.exit_code == 0, done.output
    sets = len(read_results(tmp_path / "all").suites)
    assert f"{sets - 1} of its {sets} sets are not in the other result and left out." in done.stdout
    for said in (done.stdout, (tmp_path / "compare.html").read_text()):
        assert "Scored with phrases synonyms:syn.toml sha256:" in said
    same = bench("compare", tmp_path / "all", tmp_path / "all")
    assert "left out" not in same.stdout
    assert "Scored with" not in same.stdout


def test_other_samples_cannot_be_compared(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    for name, more in (("all", ()), ("few", ("--limit", 2))):
        assert (
            bench("score", "--predictions", predictions, "--data", data, "--out", tmp_path / name, *more).exit_code == 0
        )
    done = bench("compare", tmp_path / "all", tmp_path / "few")
    assert done.exit_code == 2
    assert "other samples of" in done.stderr
    assert pl.read_parquet(tmp_path / "all/rows/det.hand.val.parquet").height == 6


@pytest.mark.parametrize("form", ["coco:{}", "{:03}", "é{}", "2007_{:02}_{}", "no number"])
def test_photos_come_in_the_order_of_their_numbers_then_ids(form: str) -> None:
    """The quick way by columns and the general one agree; official scripts order photos by number."""
    rng = np.random.default_rng(0)
    photos = [form.format(*rng.integers(0, 30, 2)) for _ in range(60)]
    rows = pl.DataFrame({"photo": photos, "id": [f"{n:02}" for n in rng.permutation(60)]})
    expected = sorted(zip(photos, rows["id"], strict=True), key=lambda row: (natural_key(row[0]), row[1]))
    assert in_photo_order(rows).rows() == expected
    assert in_photo_order(rows.reverse()).rows() == expected


def test_a_result_of_a_suite_that_does_not_fit_its_task_is_refused() -> None:
    assert suite_of("seg", "seg").scorer == "ap_mask"
    with pytest.raises(SuiteError, match="suite 'seg' is of task 'seg', not 'det'"):
        suite_of("seg", "det")
    with pytest.raises(SuiteError, match="no suite 'sge'"):
        suite_of("sge", "seg")
