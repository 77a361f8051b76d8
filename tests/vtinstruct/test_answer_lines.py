"""The quick reader and the careful one of answer lines: what the first reads, the second reads alike, whatever the line."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.vtinstruct.test_units import units
from vtinstruct import answer_lines
from vtinstruct.answer_lines import (
    OURS,
    Fault,
    Prediction,
    _read_carefully,  # pyright: ignore[reportPrivateUsage]
    decode_line,
    lines_of,
    prediction_of,
    read_line,
)
from vtinstruct.dialogue import Reference
from vtinstruct.prediction import prediction_to_wire
from vtinstruct.units import Box, Keypoints, Point, Unit, unit_to_wire

LOSING = {"not JSON", "not an object", "no id", "no text", "bad turn"}


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


NUMBERS = [
    float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 5e-324, -0.0, 0, -1, 1.0, 3, 2**53 + 1, 2**63, 2**64, 10**308,
    10**309, 0.1 + 0.2,
]  # fmt: skip
WORDS = ["", "x", "box", "\ud800", "a\udfff", "\u0000", "🙂", "0<", "é", "metres", "relative_inverse"]
scalars = st.sampled_from([None, True, False, *NUMBERS, *WORDS]) | st.floats() | st.text(max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
) | st.sampled_from([nested(60), {"a": nested(60)}])
junk = values.map(deepcopy)  # a later damage may go into it
extreme = units | st.builds(
    lambda a, b: Box((min(a, b), 0.0, max(a, b), 1.0)), *[st.floats(allow_nan=False, allow_infinity=False)] * 2
)
scores = st.none() | st.floats(allow_nan=False, allow_infinity=False)
answers = st.builds(
    Prediction,
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=9),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.lists(st.builds(Reference, extreme, scores) | st.just(Reference(None)), max_size=4).map(tuple),
    st.none() | st.integers(0, 10**20),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands inside of JSON values: the path of every key and element."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, one in inner for found in ((*path, key), *places(one, (*path, key)))]


def written(wire: Any, ascii_only: bool = True) -> bytes:
    return json.dumps(wire, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A good answer's line with up to three places damaged: another value, none, one more; then up to two bytes."""
    wire = prediction_to_wire(draw(answers))
    for _ in range(draw(st.integers(0, 3))):
        *path, last = draw(st.sampled_from(places(wire) or [("id",)]))
        holder: Any = wire
        for key in path:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "replace":
                holder[last] = draw(junk)
            case "remove":
                del holder[last]
            case _ if isinstance(holder, list):
                holder.append(draw(junk))
            case _:
                holder[draw(st.sampled_from(["score", "turn", "frame", "valid_rle", "kind", "more"]))] = draw(junk)
    line = bytearray(written(wire, draw(st.booleans())))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(line)))
        line[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(line)


def with_extra(extra: bytes) -> bytes:
    return b'{"id": "a", "text": "x", ' + extra + b"}"


@settings(max_examples=200)
@given(lines())
@example(with_extra(b'"more": "\xff"'))
@example(with_extra(b'"\xff": 1'))
@example(with_extra(b'"more": ' + b"1" * 5000))
@example(with_extra(b'"turn": 1.0'))
@example(with_extra(b'"turn": ' + b"9" * 30))
@example(with_extra(b'"id": "b"'))
@example(with_extra(b'"units": [{"kind": "box", "kind": "point", "box_xyxy": [0, 0, 1, 1]}]'))
@example(with_extra(b'"units": [{"kind": "box", "box_xyxy": [0, 0, 1, 1], "score": ' + b"1" * 309 + b"}]"))
@example(with_extra(b'"more": ' + b"[" * 990 + b"]" * 990))
@example(b'\xef\xbb\xbf{"id": "a", "text": "x"}\r\n')
def test_what_the_quick_reader_reads_the_careful_one_reads_alike(line: bytes) -> None:
    wire = decode_line(line)
    quick = None if wire is None else prediction_of(wire)
    careful_faults: list[Fault] = []
    careful = _read_carefully(line, 7, careful_faults.append)
    if quick is not None:
        assert (careful, careful_faults) == (quick, [])
    faults: list[Fault] = []
    assert read_line(line, 7, faults.append) == careful
    assert faults == careful_faults
    losing = [fault for fault in faults if fault.reason in LOSING]
    assert (careful is None) == bool(losing)
    assert len(losing) <= 1
    for fault in faults:
        assert fault.line == 7
        assert fault.detail.startswith("line 7: ")
        fault.detail.encode()  # whatever the line held, what is said of it can be written


@given(answers)
def test_a_good_line_is_read_by_the_quick_reader_unless_it_says_more_of_its_depth(answer: Prediction) -> None:
    line = written(prediction_to_wire(answer), ascii_only=False)
    faults: list[Fault] = []
    assert read_line(line, 1, faults.append) == answer
    assert faults == []
    wire = decode_line(line)
    more = b'"frame"' in line or b'"valid_rle"' in line
    wide = any(isinstance(r.unit, Box) and r.unit.box_xyxy[2] - r.unit.box_xyxy[0] > 1e308 for r in answer.references)
    assert more or wide or (wire is not None and prediction_of(wire) == answer)


@pytest.mark.parametrize(
    "text", ["\ud83d", "dog \ude00.", "\ude00\ud83d"], ids=["the first half", "the second half", "swapped halves"]
)
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "as bytes"])
def test_half_a_surrogate_pair_in_a_text_is_said_and_read_as_a_question_mark(text: str, ascii_only: bool) -> None:
    faults: list[Fault] = []
    found = read_line(written({"id": "a", "text": text}, ascii_only), 3, faults.append)
    expected = "".join("?" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    assert found == Prediction("a", expected)
    assert [(fault.line, fault.id, fault.reason) for fault in faults] == [(3, "a", "bad text")]
    assert "half a surrogate pair; whole characters are right" in faults[0].detail


def test_half_a_surrogate_pair_in_an_id_loses_the_line_and_in_a_unit_the_unit() -> None:
    faults: list[Fault] = []
    assert read_line(written({"id": "a\ud83d", "text": "x"}), 1, faults.append) is None
    found = read_line(written({"id": "a", "text": "x", "units": [{"kind": "\ud83d"}]}), 2, faults.append)
    assert found == Prediction("a", "x", (Reference(None),))
    assert [(fault.line, fault.reason) for fault in faults] == [(1, "no id"), (2, "bad unit")]
    for fault in faults:
        fault.detail.encode()


def test_a_file_cannot_say_our_own_reasons_of_an_answer() -> None:
    """A kept answer whose own `faults` said "not JSON" was counted as a lost line, and the counts did not add up."""
    faults: list[Fault] = []
    found = read_line(written({"id": "a", "text": "x", "faults": ["not JSON", "unknown id", "mine"]}), 1, faults.append)
    assert found is not None
    assert found.faults == ("said: not JSON", "said: unknown id", "mine")
    assert [fault.reason for fault in faults] == list(found.faults)
    assert set(LOSING) < OURS


def test_a_whole_surrogate_pair_is_a_character() -> None:
    faults: list[Fault] = []
    assert read_line(b'{"id": "a", "text": "\\ud83d\\ude00"}', 1, faults.append) == Prediction("a", "😀")
    assert faults == []


@pytest.mark.parametrize("unit", [Box((0.0, 0.0, 1.0, 1.0)), Keypoints(((1.0, 2.0, 2),)), Point((1.0, 1.0))])
def test_a_number_of_5000_digits_costs_its_unit_and_not_the_line(unit: Unit) -> None:
    good = unit_to_wire(unit)
    line = written({"id": "a", "text": "x", "units": [good, good]}).replace(b"1.0", b"-" + b"1" * 5000, 1)
    faults: list[Fault] = []
    assert read_line(line, 1, faults.append) == Prediction("a", "x", (Reference(None), Reference(unit)))
    assert [fault.reason for fault in faults] == ["bad unit"]
    assert len(faults[0].detail) < 300


@pytest.mark.parametrize("last_break", [b"\n", b""], ids=["ended", "torn"])
@pytest.mark.parametrize("length", [31, 32, 33, 63, 64, 65, 200])
def test_a_line_beyond_the_longest_is_skipped_and_said_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, last_break: bytes
) -> None:
    monkeypatch.setattr(answer_lines, "MAX_LINE", 32)  # bytes, with the line's end
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"first\n" + b"x" * length + b"\nthird\n\n" + b"y" * length + last_break)
    faults: list[Fault] = []
    found = list(lines_of(path, faults.append))
    fits, last_fits = length + 1 <= 32, length + len(last_break) <= 32 - (not last_break)
    middle, last = [(2, b"x" * length + b"\n")] * fits, [(5, b"y" * length + last_break)] * last_fits
    assert found == [(1, b"first\n"), *middle, (3, b"third\n"), *last]
    assert [(fault.line, fault.reason) for fault in faults] == [
        *[(2, "line too long")] * (not fits), *[(5, "line too long")] * (not last_fits)
    ]  # fmt: skip
    assert all("more than 32 bytes; one answer is right" in fault.detail for fault in faults)


def test_the_longest_line_is_256_megabytes() -> None:
    assert answer_lines.MAX_LINE == 256 * 2**20
