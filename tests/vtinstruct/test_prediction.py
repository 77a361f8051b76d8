"""The predictions file: what is written reads back; what is wrong costs one clear line and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vtinstruct.dialogue import Reference
from vtinstruct.prediction import (
    COORDINATES,
    Fault,
    Header,
    Prediction,
    PredictionsError,
    PredictionsWriter,
    header_to_wire,
    read_header,
    read_predictions,
)
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point, Rle

HEADER = Header("tiny", "d" * 64, generation={"greedy": True}, versions={"vtinstruct": "0"})
ANSWERS = [
    Prediction("a", "nothing", ()),
    Prediction(
        "b",
        "five",
        (
            Reference(Box((0.5, 1.0, 2.25, 3.0)), 0.125),
            Reference(None),
            Reference(Mask(Rle((3, 4), b"0<")), 1.0),
            Reference(Keypoints(((1.0, 2.0, 2), (0.0, 0.0, 0)))),
            Reference(Depth("depth/1.png", 0.001)),
            Reference(Point((1.0, 2.0))),
        ),
        turn=3,
    ),
    Prediction("c", "ünï 你好 🙂 {\"x\"}\n"),
]  # fmt: skip


def write(path: Path, *lines: object) -> Path:
    text = [line if isinstance(line, str) else json.dumps(line) for line in (header_to_wire(HEADER), *lines)]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> tuple[list[Prediction], list[Fault]]:
    faults: list[Fault] = []
    return list(read_predictions(path, faults.append)), faults


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "predictions.jsonl"
    with PredictionsWriter(path, HEADER) as out:
        for answer in ANSWERS:
            out.write(answer)
    assert read_header(path) == HEADER
    assert read(path) == (ANSWERS, [])


def test_faults_of_another_format_read_back_and_are_told(tmp_path: Path) -> None:
    path, header = tmp_path / "predictions.jsonl", Header("m", "d")
    said = Prediction("a", "x", (), None, ("dialect: truncated", "unit: no mask"))
    with PredictionsWriter(path, header) as writer:
        writer.write(said)
    with path.open("a") as file:
        for wrong in ('"truncated"', "[1]", json.dumps(["x"] * 101)):
            file.write(f'{{"id": "b", "text": "", "faults": {wrong}}}\n')
    faults: list[Fault] = []
    read = list(read_predictions(path, faults.append))
    assert read[0] == said
    told = [(fault.line, fault.reason) for fault in faults if fault.reason != "x"]
    assert told == [
        (2, "dialect: truncated"), (2, "unit: no mask"), (3, "bad faults"), (3, "truncated"), (4, "bad faults"),
        (5, "bad faults"),
    ]  # fmt: skip


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with PredictionsWriter(path, HEADER) as out:
        out.write(ANSWERS[0])
        out.write(ANSWERS[1])
    path.write_bytes(path.read_bytes()[:-20])  # the kill tore the last line
    with PredictionsWriter(path, HEADER) as out:
        assert out.done == {("a", None)}
        for answer in ANSWERS[1:]:
            out.write(answer)
    assert read(path) == (ANSWERS, [])
    with pytest.raises(PredictionsError, match="another run"):
        PredictionsWriter(path, Header("other", "d" * 64))


def test_nan_is_never_written(tmp_path: Path) -> None:
    with PredictionsWriter(tmp_path / "p.jsonl", HEADER) as out, pytest.raises(ValueError, match="JSON"):
        out.write(Prediction("a", "x", (Reference(Box((0.0, 0.0, float("nan"), 1.0))),)))


BOX = {"kind": "box", "box_xyxy": [0, 0, 1, 1]}
BAD_LINES = [
    ("{not json", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("[1, 2]", "not an object"),
    ({"text": "x"}, "no id"),
    ({"id": 7, "text": "x"}, "no id"),
    ({"id": "a"}, "no text"),
    ({"id": "a", "text": None}, "no text"),
    ({"id": "a", "text": "x", "turn": -1}, "bad turn"),
    ({"id": "a", "text": "x", "turn": True}, "bad turn"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_is_lost_and_said_and_nothing_else(tmp_path: Path, line: object, reason: str) -> None:
    path = write(tmp_path / "p.jsonl", {"id": "before", "text": "x"}, line, {"id": "after", "text": "y"})
    found, faults = read(path)
    assert [answer.id for answer in found] == ["before", "after"]
    assert [(fault.line, fault.reason) for fault in faults] == [(3, reason)]
    assert "line 3" in faults[0].detail
    assert "is right" in faults[0].detail or reason == "not JSON"


BAD_UNITS = [
    {"kind": "cube"},
    {"kind": "box"},
    {"kind": "box", "box_xyxy": [0, 0, 1]},
    {"kind": "box", "box_xyxy": [0, 0, 1, "1"]},
    {"kind": "box", "box_xyxy": [5, 0, 1, 1]},
    {"kind": "box", "box_xyxy": [0, 0, 1, 10**400]},
    {**BOX, "score": "high"},
    {**BOX, "score": True},
    {"kind": "mask", "mask_rle": {"size_hw": [0, 4], "counts": "0"}},
    {"kind": "mask", "mask_rle": {"size_hw": [3, 4]}},
    {"kind": "keypoint", "keypoints_xyv": [[1, 2, 3]]},
    {"kind": "keypoint", "keypoints_xyv": [[1, 2]]},
    {"kind": "depth", "depth": {"path": "", "scale": 1}},
    {"kind": "depth", "depth": {"path": "x.png", "scale": 0}},
    {"kind": "point", "point_xy": [[1], 2]},
    "box",
]


def test_a_depth_map_of_another_frame_is_never_read_as_metres(tmp_path: Path) -> None:
    relative = {"path": "x.png", "scale": 0.5, "frame": "relative_inverse"}
    units = [
        {"kind": "depth", "depth": depth}
        for depth in (relative, {"path": "x.png", "scale": 0.5}, {**relative, "frame": "feet"})
    ]
    found, faults = read(write(tmp_path / "p.jsonl", {"id": "a", "text": "x", "units": units}))
    assert [reference.unit for reference in found[0].references] == [
        Depth("x.png", 0.5, "relative_inverse"), Depth("x.png", 0.5), None
    ]  # fmt: skip
    assert [fault.reason for fault in faults] == ["bad unit"]


@pytest.mark.parametrize("unit", BAD_UNITS)
def test_a_bad_unit_keeps_its_place(tmp_path: Path, unit: object) -> None:
    path = write(tmp_path / "p.jsonl", {"id": "a", "text": "x", "units": [unit, BOX]})
    found, faults = read(path)
    assert found[0].references == (Reference(None), Reference(Box((0.0, 0.0, 1.0, 1.0))))
    assert [fault.reason for fault in faults] == ["bad unit"]
    assert "unit 0 of a" in faults[0].detail


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_json_does_not_have_are_refused(tmp_path: Path, number: str) -> None:
    path = write(
        tmp_path / "p.jsonl",
        f'{{"id": "a", "text": "x", "units": [{{"kind": "box", "box_xyxy": [0, 0, 1, {number}]}}]}}',
    )
    found, faults = read(path)
    assert found[0].references == (Reference(None),)
    assert [fault.reason for fault in faults] == ["bad unit"]


GOOD = header_to_wire(HEADER)
BAD_HEADERS = [
    ("", "not JSON"),
    ("{", "not JSON"),
    ("\ufffd", "not JSON"),
    (json.dumps({"id": "a", "text": "x"}), "no header"),
    (json.dumps({**GOOD, "version": 99}), "version 99"),
    (json.dumps({**GOOD, "model": 3}), "'model'"),
    (json.dumps({**GOOD, "coordinates": "0-1000"}), COORDINATES),
]


@pytest.mark.parametrize(("line", "message"), BAD_HEADERS)
def test_a_file_without_its_header_is_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(PredictionsError) as error:
        list(read_predictions(path, lambda fault: None))
    assert message in str(error.value)
    assert str(path) in str(error.value)
    with pytest.raises(PredictionsError, match="expected there"):
        read_header(tmp_path / "absent.jsonl")
