"""The road from a dataset and a predictions file to numbers and pages, and what is refused on the way."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from benchmarks.results import read_results
from benchmarks.score import rescore
from benchmarks.suites import SUITES
from tests.benchmarks.road import bench, edited, perfect, score


def test_truth_as_answers_scores_one_everywhere_twice_the_same_bytes(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    for name in ("a", "b"):
        done = score(predictions, data, tmp_path / name)
        assert done.exit_code == 0, done.output
    first = read_results(tmp_path / "a")
    assert (tmp_path / "a/results.json").read_bytes() == (tmp_path / "b/results.json").read_bytes()
    values = {suite.suite: suite.value for suite in first.suites}
    assert set(values) == {"det", "seg", "depth", "caption", "trp"}
    assert values.pop("caption") > 0  # type: ignore[operator]
    assert values == pytest.approx(dict.fromkeys(values, 1.0))
    assert all(suite.missing == suite.invalid == 0 for suite in first.suites)
    assert first.options["splits"] == ["val"]
    assert all((tmp_path / "a" / suite.rows).is_file() for suite in first.suites)


def test_kept_rows_give_the_numbers_again(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    assert score(predictions, data, tmp_path).exit_code == 0
    results = read_results(tmp_path)
    predictions.unlink()
    assert rescore(results, tmp_path) == results


def test_engines_agree(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    assert score(predictions, data, tmp_path / "fast").exit_code == 0
    assert score(predictions, data, tmp_path / "slow", "--engine", "official").exit_code == 0
    fast, slow = read_results(tmp_path / "fast"), read_results(tmp_path / "slow")
    assert [suite.numbers for suite in fast.suites] == [suite.numbers for suite in slow.suites]
    assert "pycocotools" in slow.versions
    assert "hotcoco" in fast.versions


def test_what_is_wrong_in_single_answers_is_counted_and_shown(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    box = '"units": [{"kind": "box", "box_xyxy": '
    text = '"text": "<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>)"'

    def spoil(lines: list[str]) -> list[str]:
        det = [n for n, line in enumerate(lines) if "/det/0" in line]
        ids = [json.loads(lines[n])["id"] for n in det]
        lines[det[0]] = f'{{"id": "{ids[0]}", {text}, {box}[NaN, 0, 5, 5]}}]}}'
        lines[det[1]] = f'{{"id": "{ids[1]}", {text}, {box}[0, 0, 1e300, 5]}}]}}'
        lines[det[2]] = f'{{"id": "{ids[2]}", {text}, "units": [{{"kind": "cube"}}]}}'
        lines[det[3]] = '{"id": "no such sample", "text": ""}'
        lines[det[4]] = lines[det[4]][: len(lines[det[4]]) // 2]  # a torn line
        lines[det[5]] = json.dumps({"id": ids[5], "text": "<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>)", "units": [
            {"kind": "mask", "mask_rle": {"size_hw": [3, 3], "counts": "09"}}]})  # fmt: skip
        seg = next(n for n, line in enumerate(lines) if "/seg/0" in line and "mask_rle" in line)
        line = json.loads(lines[seg])
        line["units"][0]["mask_rle"]["size_hw"] = [5, 5]
        line["units"].append({"kind": "mask", "mask_rle": {"size_hw": [120, 160], "counts": "zzz\x7f"}})
        lines[seg] = json.dumps(line)
        return lines

    done = score(edited(predictions, spoil), data, tmp_path)
    assert done.exit_code == 0, done.output
    results = read_results(tmp_path)
    by_name = {suite.suite: suite for suite in results.suites}
    assert (by_name["det"].missing, by_name["det"].invalid) == (2, 4)
    assert by_name["seg"].invalid == 1
    assert by_name["seg"].numbers["AP"] < 1  # type: ignore[operator]
    assert results.intake["reasons"]["not JSON"] == 1
    assert results.intake["reasons"]["unknown id"] == results.intake["unknown_ids"] == 1
    assert results.intake["reasons"]["bad unit"] >= 2
    assert any(("line " in line and "NaN" in line) or "nan" in line for line in results.intake["lines"])
    faults = by_name["trp"].details["faults"]
    assert faults["unit: box out of reach"] == 1
    assert faults["unit: a mask where the text says box"] == 1
    assert faults["unit: mask of another size than the photo"] == 1
    assert all(value is None or math.isfinite(value) for suite in results.suites for value in suite.numbers.values())
    assert "no such sample" in done.output


def first_answer_twice(lines: list[str]) -> list[str]:
    return [*lines, lines[1]]


def without_header(lines: list[str]) -> list[str]:
    return lines[1:]


def other_ids(lines: list[str]) -> list[str]:
    return [lines[0], *(json.dumps({"id": f"x{n}", "text": ""}) for n in range(3))]


def other_hash(lines: list[str]) -> list[str]:
    return [json.dumps(json.loads(lines[0]) | {"dataset": "0" * 64}), *lines[1:]]


def other_dialect(lines: list[str]) -> list[str]:
    return [json.dumps(json.loads(lines[0]) | {"dialect": "klingon"}), *lines[1:]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (first_answer_twice, "twice; one answer a sample is right"),
        (without_header, "line 1 is no header"),
        (other_ids, "none of its 3 answers is for a sample of split val"),
        (other_hash, "--allow-other-dataset"),
        (other_dialect, "dialect 'klingon'"),
    ],
)
def test_files_that_cannot_be_scored_are_refused_in_one_line(
    data: Path, tmp_path: Path, change: Callable[[list[str]], list[str]], words: str
) -> None:
    done = score(edited(perfect(data, tmp_path / "predictions.jsonl"), change), data, tmp_path / "out")
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.startswith("refvlm-bench: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out/results.json").exists()


def test_answers_to_another_dataset_are_scored_on_demand_and_marked(data: Path, tmp_path: Path) -> None:
    predictions = edited(perfect(data, tmp_path / "predictions.jsonl"), other_hash)
    assert score(predictions, data, tmp_path, "--allow-other-dataset").exit_code == 0
    assert read_results(tmp_path).other_dataset
    assert "made for another dataset" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data", "nowhere"], "nowhere is not there"),
        (["--split", "test"], "has no rows of split 'test'; it has: train, val"),
        (["--suite", "dets"], "no suite 'dets'; known: det,"),
        (["--predictions", "none.jsonl"], "a predictions file is expected there"),
        (["--frobnicate"], "No such option: --frobnicate"),
        (["--engine", "fast"], "'--engine'"),
        (["--workers", "0"], "'--workers'"),
        (["--limit", "many"], "'--limit'"),
        (["--phrases", "vectors:none.vec"], "none.vec"),
        (["--out", "/dev/null/out"], "/dev/null/out"),
    ],
)
def test_wrong_options_are_refused_in_one_line(data: Path, tmp_path: Path, words: list[str], expected: str) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    done = score(predictions, data, tmp_path / "out", *words)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert expected in done.stderr


def test_run_with_baselines_resumes_to_the_same_bytes_and_ranks(data: Path, tmp_path: Path) -> None:
    def run() -> Any:
        return bench("run", "--model", "prior", "--data", data, "--out", tmp_path, "--baselines", "--resamples", 30)

    done = run()
    assert done.exit_code == 0, done.output
    answers = tmp_path / "models/prior/predictions.jsonl"
    whole, page = answers.read_bytes(), (tmp_path / "leaderboard.html").read_bytes()
    answers.write_bytes(whole[: len(whole) * 2 // 3])  # killed in the middle of a line
    assert run().exit_code == 0
    assert answers.read_bytes() == whole
    assert (tmp_path / "leaderboard.html").read_bytes() == page
    table = pl.read_csv(tmp_path / "leaderboard.csv")
    assert set(table["model"]) == {"baseline:prior", "baseline:centre", "baseline:empty"}
    depth = table.filter(pl.col("suite") == "depth").sort("rank")
    assert depth["model"][0] == "baseline:prior"  # every map here is flat
    assert depth["value"].to_list()[0] == 1.0
    assert (table.filter((pl.col("model") == "baseline:empty") & (pl.col("suite") == "det"))["value"] == 0).all()


def test_a_model_answers_what_the_suites_ask_and_goes_on_when_more_is_asked(data: Path, tmp_path: Path) -> None:
    def answered(*suites: str) -> set[str]:
        words = [word for suite in suites for word in ("--suite", suite)]
        done = bench("run", "--model", "centre", "--data", data, "--out", tmp_path, "--resamples", 0, *words)
        assert done.exit_code == 0, done.output
        _, *lines = (tmp_path / "models/centre/predictions.jsonl").read_text().splitlines()
        return {json.loads(line)["id"] for line in lines}

    masks = answered("seg")
    assert masks
    assert all("/seg/" in id_ for id_ in masks)
    everything = answered("trp")
    assert masks < everything
    assert len(everything) == 16  # six photos' boxes and masks, three captions, a depth map
    assert bench("run", "--model", "centre", "--data", data, "--out", tmp_path, "--suite", "sge").exit_code == 2


def test_a_model_without_its_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    done = bench("run", "--data", data, "--out", tmp_path)
    assert done.exit_code == 2
    assert "no --checkpoint is named; the folder that" in done.stderr
    done = bench("run", "--checkpoint", tmp_path / "none", "--data", data, "--out", tmp_path)
    assert done.exit_code == 2
    assert "is no folder; the checkpoint that" in done.stderr
    done = bench("run", "--model", "gpt", "--data", data, "--out", tmp_path)
    assert done.exit_code == 2
    assert "no 'gpt' in benchmarks.models" in done.stderr


def test_empty_files_and_a_split_of_nothing_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.touch()
    for words, why in (
        (("pope", empty, empty), "is empty; JSON lines, or a list, are right"),
        (("rec", empty, "--dialect", "qwen_vl"), "is empty; JSON lines, or a list, are right"),
        (("suites", "--split", "val"), "--data DATASET beside it is right"),
    ):
        done = bench(*words)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.output
        assert why in done.stderr


def test_suites_prints_what_every_suite_holds(data: Path) -> None:
    """Tasks, splits, metrics, primary metric, version, and what it may be compared with: for people and for programs."""
    done = bench("suites")
    assert done.exit_code == 0
    blocks = {block.split()[0]: " ".join(block.split()) for block in re.split(r"\n(?=\S)", done.output)}
    assert list(blocks) == [suite.name for suite in SUITES]
    for suite in SUITES:
        said = blocks[suite.name]
        for field, value in (
            ("version", str(suite.version)), ("task", suite.task or "every task"), ("sources", suite.sources),
            ("splits", "every held-out split"), ("primary", suite.primary), ("definition", ""),
            ("metrics", suite.load().metrics[0].name), ("comparable", suite.comparable or "with no published number"),
        ):  # fmt: skip
            assert re.search(rf"\b{field} {re.escape(value)}", said), (suite.name, field)
    wire = json.loads(bench("suites", "--json", "--data", data).output)
    assert [one["suite"] for one in wire] == [suite.name for suite in SUITES]
    by_name = {one["suite"]: one for one in wire}
    assert by_name["det"]["splits"] == [{"source": "hand", "split": "val", "samples": 6}]
    assert by_name["caption"]["splits"][0]["samples"] == 3
    assert by_name["pope"]["splits"] == []
    for suite in SUITES:
        one = by_name[suite.name]
        assert {"version", "task", "sources", "primary", "comparable", "definition", "title"} <= set(one)
        assert [metric["name"] for metric in one["metrics"]] == [metric.name for metric in suite.load().metrics]
        assert all(metric["meaning"] for metric in one["metrics"])


def test_a_depth_map_outside_the_folder_is_not_opened(data: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    predictions = perfect(data, tmp_path / "in/predictions.jsonl")
    Image.fromarray(np.full((120, 160), 3000, dtype=np.uint16)).save(tmp_path / "secret.png")
    for path in ("../secret.png", str(tmp_path / "secret.png"), "none.png"):
        edited(predictions, lambda lines, p=path: [line.replace("depth/1.png", p) for line in lines])  # type: ignore[misc]
        out = tmp_path / "out"
        assert score(predictions, data, out, "--suite", "depth").exit_code == 0
        (suite,) = read_results(out).suites
        assert (suite.invalid, suite.numbers["d1[none,80m,none]"]) == (1, 0.0)
        predictions = perfect(data, (tmp_path / "in" / path.replace("/", "_")).with_suffix(".jsonl"))


def test_what_a_reader_must_know_is_said_beside_the_numbers(data: Path, tmp_path: Path) -> None:
    """No confidences, classes that the source does not have, half of the answers missing: a sentence each, on screen and page."""
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    done = score(predictions, data, tmp_path / "whole")
    assert "samples have no answer" not in done.output
    assert "no class of its source" not in done.output

    def lazy(lines: list[str]) -> list[str]:
        return [lines[0], *(line.replace("<Phrase>dog<", "<Phrase>hound<") for line in lines[2::2])]

    done = score(edited(predictions, lazy), data, tmp_path / "half")
    assert done.exit_code == 0, done.output
    results = read_results(tmp_path / "half")
    n, missing = (sum(getattr(s, what) for s in results.suites if s.task) for what in ("n", "missing"))
    unknown = [s.details["unknown_classes"]["phrases"] for s in results.suites if s.suite in ("det", "seg")]
    hounds = sum(phrases.get("hound", 0) for phrases in unknown)
    assert hounds
    page = (tmp_path / "half/report.html").read_text()
    for said in (
        f"{missing} of {n} samples have no answer ({100 * missing / n:.0f} %); they are in every number and score worst.",
        "No confidences in det, seg: AP there is that of one order",
        f"Answered, but no class of its source: hound ({hounds}); such answers match nothing.",
    ):
        assert said in done.output
        assert said in page
    assert re.search(r"sets +n +invalid +missing +the truth", done.output)


def test_what_answers_hold_cannot_steer_the_terminal_from_a_remark(data: Path, tmp_path: Path) -> None:
    """Phrases of no class, and reasons that a file gives itself, are quoted beside the numbers."""
    predictions = perfect(data, tmp_path / "predictions.jsonl")

    def strange(lines: list[str]) -> list[str]:
        wires = [json.loads(line) for line in lines[1:]]
        for wire in wires:
            wire["text"] = wire["text"].replace("<Phrase>dog<", "<Phrase>\x1b[2Jdog\u202e" + "W" * 200 + "<")
        wires[0]["faults"] = ["\x1b]0;title\x07 odd"]
        return [lines[0], *map(json.dumps, wires)]

    done = score(edited(predictions, strange), data, tmp_path / "a")
    assert done.exit_code == 0, done.output
    board = bench("leaderboard", tmp_path / "a", "--out", tmp_path / "board")
    for said in (done.output, board.output):
        assert r"\x1b[2jdog\u202e" in said.casefold()
        assert r"\x1b]0;title\x07 odd (1)" in said
        assert "W" * 80 not in said.upper()
        assert "\x1b" not in said


def test_equal_confidences_are_said_where_their_order_moves_ap(data: Path, tmp_path: Path) -> None:
    """On the screen, on the page and in the leaderboard's CSV."""
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    head, *lines = predictions.read_text().splitlines()
    wires = [json.loads(line) for line in lines]
    for n, wire in enumerate(wires):
        for unit in wire["units"]:
            unit["score"] = 0.5
            if n % 2 and "box_xyxy" in unit:  # half of the photos' boxes lie elsewhere
                unit["box_xyxy"] = [0.0, 0.0, 1.0, 1.0]
    predictions.write_text("\n".join([head, *map(json.dumps, wires)]) + "\n")
    done = score(predictions, data, tmp_path / "out", "--suite", "det")
    assert done.exit_code == 0, done.output
    (suite,) = read_results(tmp_path / "out").suites
    n = suite.numbers
    assert n["AP_worst"] < n["AP_best"]  # type: ignore[operator]
    ap, worst, best = (f"{100 * (n[name] or 0.0):.1f}" for name in ("AP", "AP_worst", "AP_best"))
    said = f"AP {ap} is that of one order of them, others give {worst} to {best}."
    assert said in done.output
    assert said in (tmp_path / "out/report.html").read_text()
    assert bench("leaderboard", tmp_path / "out", "--out", tmp_path / "board").exit_code == 0
    (row,) = pl.read_csv(tmp_path / "board/leaderboard.csv").to_dicts()
    assert (row["tie_worst"], row["tie_best"]) == (n["AP_worst"], n["AP_best"])


def test_boxes_without_confidences_are_said_to_be_so(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    assert score(predictions, data, tmp_path, "--suite", "det").exit_code == 0
    (suite,) = read_results(tmp_path).suites
    assert suite.details["scored"] is False
    assert suite.numbers["AP_worst"] == pytest.approx(1.0)
    assert "gives no confidences" in (tmp_path / "report.html").read_text()
