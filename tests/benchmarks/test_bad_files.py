"""Predictions files that are wrong, by name and at random: refused in one line or counted, never a crash, and all adds up."""

from __future__ import annotations

import gzip
import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.dataset import open_dataset
from benchmarks.results import Results, read_results
from benchmarks.score import score_file
from benchmarks.shares import Options, read_truths
from tests.benchmarks.damaged_answers import nested
from tests.benchmarks.road import bench, edited, perfect, score
from vtinstruct.prediction import PredictionsError

LOSING = ("not JSON", "not an object", "no id", "no text", "bad turn", "line too long")  # the line, not a unit of it

Change = Callable[[list[str]], list[str]]


@pytest.fixture(scope="module")
def answers(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Perfect answers with confidences (without them random orders would be tried); what tests write stands beside them."""
    return edited(perfect(data, tmp_path_factory.mktemp("answers") / "predictions.jsonl"), with_confidences)


def with_confidences(lines: list[str]) -> list[str]:
    found = [lines[0]]
    for n, line in enumerate(lines[1:], 1):
        wire = json.loads(line)
        units = [one | {"score": 1 / (10 * n + i)} for i, one in enumerate(wire["units"])]
        found.append(json.dumps(wire | {"units": units}))
    return found


def adds_up(results: Results, lines: int) -> None:
    """Every line is an answer or a fault, every answer has a sample or says why not, every sample an answer or none."""
    intake = results.intake
    assert intake["answers"] + sum(intake["reasons"].get(reason, 0) for reason in LOSING) == lines
    assert intake["unknown_ids"] == intake["reasons"].get("unknown id", 0)
    (everything,) = (suite for suite in results.suites if suite.suite == "trp")
    answered = intake["answers"] - intake["unknown_ids"] - intake["other_turns"]
    assert everything.n - everything.missing == answered
    assert sum(suite.n for suite in results.suites if suite.task) == everything.n
    assert sum(suite.missing for suite in results.suites if suite.task) == everything.missing
    for suite in results.suites:
        assert suite.missing + suite.invalid <= suite.n
        assert all(value is None or math.isfinite(value) for value in suite.numbers.values())
    json.dumps(intake, ensure_ascii=False, allow_nan=False).encode()


# --- by name ---------------------------------------------------------------------------------------------------------


def first_of(lines: list[str], field: str) -> int:
    return next(n for n, line in enumerate(lines) if field in line)


def unit(field: str, value: object) -> Change:
    """The first unit that has a field gets another value in it."""

    def change(lines: list[str]) -> list[str]:
        at = first_of(lines, f'"{field}"')
        wire = json.loads(lines[at])
        next(one for one in wire["units"] if field in one)[field] = value
        return [*lines[:at], json.dumps(wire), *lines[at + 1 :]]

    return change


def many_units(lines: list[str]) -> list[str]:
    at = first_of(lines, '"box_xyxy"')
    wire = json.loads(lines[at]) | {"units": [None] * 100_001}
    return [*lines[:at], json.dumps(wire), *lines[at + 1 :]]


def torn(lines: list[str]) -> list[str]:
    return [*lines[:3], lines[3][: len(lines[3]) // 2], *lines[4:]]


def unknown(lines: list[str]) -> list[str]:
    return [*lines, '{"id": "nobody", "text": ""}']


NAN, INF = float("nan"), float("inf")
COUNTED: dict[str, tuple[Change, str, str, tuple[int, int]]] = {
    # what is wrong: the change, what is counted, what is said, (invalid, missing) over all samples
    "malformed line": (torn, "not JSON", "line 4: not JSON", (0, 1)),
    "NaN": (unit("box_xyxy", [NAN, 0, 5, 5]), "bad unit", "4 finite numbers are right", (1, 0)),
    "inf": (unit("box_xyxy", [0, 0, INF, 5]), "bad unit", "4 finite numbers are right", (1, 0)),
    "negative size": (unit("box_xyxy", [9, 9, 5, 5]), "bad unit", "x0 <= x1 and y0 <= y1 is right", (1, 0)),
    "NaN score": (unit("score", NAN), "bad unit", "score is nan; a finite number is right", (1, 0)),
    "negative RLE size": (
        unit("mask_rle", {"size_hw": [-120, 160], "counts": "0"}), "bad unit", "two whole numbers above 0", (1, 0),
    ),
    "wrong RLE size": (unit("mask_rle", {"size_hw": [160, 120], "counts": "PPYj0"}), "", "mask of another size", (1, 0)),
    "broken RLE": (unit("mask_rle", {"size_hw": [120, 160], "counts": "zzz"}), "", "unit: ", (1, 0)),
    "huge unit": (unit("box_xyxy", [0, 0, 1e300, 5]), "", "box out of reach", (1, 0)),
    "huge RLE": (unit("mask_rle", {"size_hw": [2**40, 2**40], "counts": "0"}), "", "mask of another size", (1, 0)),
    "depth map of half a letter": (
        unit("depth", {"path": "\ud83d.png", "scale": 0.001}), "", "unit: photo: no file name", (1, 0),
    ),
    "depth map of a long name": (
        unit("depth", {"path": "x" * 300, "scale": 0.001}), "", "unit: photo: no file name", (1, 0),
    ),
    "depth beyond all numbers": (
        unit("depth", {"path": "depth/1.png", "scale": 1e308}), "", "unit: depth: not a depth", (1, 0),
    ),
    "huge list of units": (many_units, "bad units", "no list of at most 100000 units", (1, 0)),
    "a unit kind without end": (unit("kind", "x" * 100_000), "bad unit", "unknown unit kind 'xxx", (1, 0)),
    "unknown id": (unknown, "unknown id", "'nobody' is no sample of the scored set", (0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("wrong", COUNTED)
def test_what_is_wrong_in_a_line_is_counted_and_said(data: Path, answers: Path, tmp_path: Path, wrong: str) -> None:
    change, reason, said, (invalid, missing) = COUNTED[wrong]
    path = answers.with_name("counted.jsonl")
    path.write_bytes(answers.read_bytes())
    lines = edited(path, change).read_text().splitlines()
    dataset, splits = open_dataset(data)
    options = Options(splits, resamples=0)
    results = score_file(path, dataset, tmp_path, options, read_truths(dataset, options))
    adds_up(results, len(lines) - 1)
    (everything,) = (suite for suite in results.suites if suite.suite == "trp")
    assert (everything.invalid, everything.missing) == (invalid, missing)
    if reason:
        assert results.intake["reasons"] == {reason: 1}
        before = answers.read_text().splitlines()
        (said_of_it,) = results.intake["lines"]
        number = next(n for n, line in enumerate(lines) if line not in before) + 1
        assert said_of_it.startswith(f"counted.jsonl: line {number}: ")
        assert said in said_of_it
        assert len(said_of_it) < 500
    else:
        assert any(said in fault for fault in everything.details["faults"])


def test_what_a_line_says_cannot_break_the_line_that_is_said_of_it(data: Path, answers: Path, tmp_path: Path) -> None:
    """A line feed in an id made two lines of a fault's one, and an escape sequence went to the terminal as it was."""
    path = answers.with_name("said.jsonl")
    strange = json.dumps({"id": "a\nb\x1b[2J\u202e", "text": 3})
    path.write_text(answers.read_text() + strange + "\n")
    done = score(path, data, tmp_path)
    assert done.exit_code == 0, done.output
    (line,) = read_results(tmp_path).intake["lines"]
    assert line.isprintable()
    assert "text of a\\nb\\x1b[2J\\u202e is 3" in line
    assert "\x1b[2J" not in done.output


def header(**fields: object) -> Change:
    return lambda lines: [json.dumps(json.loads(lines[0]) | fields), *lines[1:]]


REFUSED: dict[str, tuple[Change, str]] = {
    "missing header": (lambda lines: lines[1:], "line 1 is no header"),
    "blank lines": (lambda lines: [], "line 1 is not JSON"),
    "no answers": (lambda lines: lines[:1], "none of its 0 answers is for a sample"),
    "another dataset's hash": (header(dataset="0" * 64), "predictions made for this dataset are right"),
    "duplicate ids": (lambda lines: [*lines, lines[1]], "twice; one answer a sample is right"),
    "duplicate ids, one of them broken": (
        lambda lines: [*lines, json.dumps(json.loads(lines[1]) | {"units": 3})], "twice; one answer a sample is right",
    ),
    "unknown ids only": (lambda lines: [lines[0], *unknown([])], "none of its 1 answers is for a sample"),
    "a header nested too deeply": (lambda lines: ["[" * 100_000, *lines[1:]], "line 1 is not JSON"),
    "a header nested deeper than it can be written": (header(generation=nested(500)), "at most 100 levels are right"),
    "a model's name that steers a terminal": (header(model="a\x1b[2J"), "a string of one line is right"),
    "NaN in the header": (header(generation={"temperature": NAN}), "line 1 is not JSON"),
    "half a surrogate pair in the header": (header(model="\ud83d"), "line 1 is not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_file_that_cannot_be_scored_is_refused_in_one_line(
    data: Path, answers: Path, tmp_path: Path, wrong: str
) -> None:
    change, said = REFUSED[wrong]
    path = answers.with_name("refused.jsonl")
    path.write_bytes(answers.read_bytes())
    done = score(edited(path, change), data, tmp_path / "out")
    refused_in_one_line(done)
    assert said in done.stderr
    assert not (tmp_path / "out/results.json").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda whole: b"", "is empty; JSON Lines are right"),
        (gzip.compress, "is compressed; the unpacked JSON Lines are right"),
        (lambda whole: whole.decode().encode("utf-16"), "is UTF-16; UTF-8 is right"),
    ],
)
def test_a_file_that_is_no_text_is_said_to_be_so(
    data: Path, answers: Path, tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "strange.jsonl"
    path.write_bytes(change(answers.read_bytes()))
    done = score(path, data, tmp_path / "out")
    refused_in_one_line(done)
    assert said in done.stderr


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(data: Path, answers: Path, tmp_path: Path) -> None:
    plain, strange = answers.with_name("plain.jsonl"), answers.with_name("strange.jsonl")
    plain.write_bytes(answers.read_bytes())
    strange.write_bytes(b"\xef\xbb\xbf" + answers.read_bytes().replace(b"\n", b"\r\n"))
    assert score(plain, data, tmp_path / "a").exit_code == score(strange, data, tmp_path / "b").exit_code == 0
    a, b = (read_results(tmp_path / name) for name in "ab")
    assert (a.suites, a.intake) == (b.suites, b.intake)


def test_answers_to_what_is_not_scored_do_not_hide_the_faults(data: Path, answers: Path, tmp_path: Path) -> None:
    """All unknown ids come first, and more of them than there are lines told of; why answers are invalid is counted and said, in
    parts put together as in one file."""
    head, *lines = answers.read_text().splitlines()
    faulty = [json.dumps(json.loads(line) | {"units": [None]}) if "/det/" in line else line for line in lines]
    count = sum("/det/" in line for line in lines)
    strays = [json.dumps({"id": f"stray/{n:02}", "text": ""}) for n in range(30)]
    path = answers.with_name("strays.jsonl")
    path.write_text("\n".join([head, *strays, *faulty]) + "\n")
    done = score(path, data, tmp_path / "whole")
    assert done.exit_code == 0, done.output
    intake = read_results(tmp_path / "whole").intake
    assert (intake["reasons"]["unknown id"], intake["unknown_ids"]) == (30, 30)
    told = [line for line in intake["lines"] if "is no sample of the scored set" in line]
    assert [line.split(": ")[1] for line in told] == ["line 2", "line 3", "line 4"]
    assert any("the answer to" in line and "unit: nothing decoded" in line for line in intake["lines"])
    assert intake["reasons"]["unit: nothing decoded"] >= count > 0
    assert f"30 of {len(lines) + 30} answers are to nothing that is scored here" in done.output
    assert "unit: nothing decoded (" in done.output
    halves = (faulty[::2], faulty[1::2])
    for n, half in enumerate(halves):
        answers.with_name(f"part{n}.jsonl").write_text("\n".join([head, *strays[n::2], *half]) + "\n")
        assert score(answers.with_name(f"part{n}.jsonl"), data, tmp_path / f"part{n}").exit_code == 0
    parts = [tmp_path / f"part{n}" for n in range(2)]
    assert bench("merge", *parts, "--out", tmp_path / "merged").exit_code == 0
    merged = read_results(tmp_path / "merged").intake
    assert merged["reasons"] == intake["reasons"]
    assert sum("is no sample" in line for line in merged["lines"]) == 3


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        ((1 / 160, 1 / 120), "as shares of its sides do"),
        ((1000 / 160, 1000 / 120), "as thousandths of its sides do"),
        ((1, 1), ""),
    ],
)
def test_boxes_in_another_unit_are_said_to_look_like_it(
    data: Path, answers: Path, tmp_path: Path, scale: tuple[float, float], said: str
) -> None:
    head, *lines = answers.read_text().splitlines()
    wires = [json.loads(line) for line in lines]
    for unit in (unit for wire in wires for unit in wire["units"] if unit and "box_xyxy" in unit):
        unit["box_xyxy"] = [edge * side for edge, side in zip(unit["box_xyxy"], scale * 2, strict=True)]
    path = answers.with_name("scaled.jsonl")
    path.write_text("\n".join([head, *map(json.dumps, wires)]) + "\n")
    done = score(path, data, tmp_path / "out", "--suite", "det")
    assert done.exit_code == 0, done.output
    assert ("pixels of the photo are right" in done.output) == bool(said)
    assert said in done.output
    assert said in (tmp_path / "out/report.html").read_text()


def refused_in_one_line(done: Any) -> None:
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("refvlm-bench: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.output


# --- at random -------------------------------------------------------------------------------------------------------

SNIPPETS = [
    b"NaN", b"-Infinity", b"1e999", b"null", b"{}", b"[", b"]", b'"', b"\n", b"\r", b"\x00", b"\xff", b"\\ud83d", b"\xed\xa0\x80",
    b"<REF>", b"</Phrase>", b"-", b"9" * 400, b"[" * 2000, b'{"id": 3}\n', b"\xef\xbb\xbf",
]  # fmt: skip


@st.composite
def damages(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with lines swapped, doubled, left out, put in; and bytes cut, put in and put elsewhere. Mostly its header stays."""
    first, *lines = whole.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 3))):
        at, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["swap", "remove", "insert", "mix", "double"])):
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "remove" if len(lines) > 1:
                del lines[at]
            case "insert":
                lines.insert(at, draw(st.binary(max_size=20)) + b"\n")
            case "mix":  # the tail of another line
                lines[at] = lines[at][: len(lines[at]) // 2] + lines[other][len(lines[other]) // 2 :]
            case _ if draw(st.integers(0, 4)) == 0:
                lines.insert(other, lines[at])
            case _:
                pass
    text = bytearray(first + b"".join(lines))
    lowest = draw(st.sampled_from([0] + [len(first)] * 9))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(lowest, len(text)))
        text[at : at + draw(st.integers(0, 3))] = draw(st.sampled_from(SNIPPETS) | st.binary(max_size=3))
    return bytes(text)


def answer_lines_of(text: bytes) -> int:
    return sum(not line.isspace() for line in text.split(b"\n")[1:] if line)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_a_damaged_file_is_refused_or_counted_to_the_last_line(
    data: Path, answers: Path, choice: st.DataObject
) -> None:
    text = choice.draw(damages(answers.read_bytes()))
    path = answers.with_name("damaged.jsonl")
    path.write_bytes(text)
    dataset, splits = open_dataset(data)
    options = Options(splits, resamples=0)
    with tempfile.TemporaryDirectory() as out:
        try:
            results = score_file(path, dataset, Path(out), options, read_truths(dataset, options))
        except PredictionsError as refusal:
            said = str(refusal)
        else:
            adds_up(results, answer_lines_of(text))
            return
    assert said.startswith(f"{path}: ")


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_the_command_ends_with_0_or_with_2_and_one_line(data: Path, answers: Path, choice: st.DataObject) -> None:
    text = choice.draw(damages(answers.read_bytes()))
    path = answers.with_name("commanded.jsonl")
    path.write_bytes(text)
    with tempfile.TemporaryDirectory() as out:
        done = score(path, data, Path(out))
        if done.exit_code:
            refused_in_one_line(done)
        else:
            adds_up(read_results(Path(out)), answer_lines_of(text))
            assert "Traceback" not in done.output
