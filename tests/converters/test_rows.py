"""Rows of JSON lists, objects and lines: one bad row costs one row, what is no such file is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from converters._notes import Fault, Notes
from converters._rows import Slotted, line_rows, list_rows, one_object, rows_below_keys, rows_by_key, rows_inside
from converters._texts import TextBuilder, teach_first, without_overlaps, word_bounds
from vtinstruct.record import Drop, Origin, Record, Span
from vtinstruct.source import SourceError


class Row(msgspec.Struct):
    """A row of the tests."""

    n: int
    text: str = ""


def notes() -> tuple[Notes, list[Drop]]:
    drops: list[Drop] = []
    return Notes("s", "train", "f.json", drops.append), drops


@pytest.mark.parametrize(
    ("content", "kept", "rows"),
    [
        (b'[{"n": 1}, {"n": 2}]', [1, 2], []),
        (b'[{"n": 1}, {"n": "two"}, {"n": 3}]', [1, 3], ["row 1"]),
        (b'[{"n": 1}, {"n": NaN}, {"n": 3}]', [1, 3], ["row 1"]),
        (b'[{"n": 1}, {"n": 2, "text": "\xff"}, {"n": 3}]', [1, 3], ["row 1"]),
        (b'[{"n": 1}, 5, null, {"n": 3}]', [1, 3], ["row 1", "row 2"]),
        (b'[{"n": 1, "text": "\\ud800"}, {"n": 3}]', [1, 3], ["whole file"]),
        (b'[{"n": 1e400}, {"n": 3}]', [3], ["row 0"]),
        (b"[]", [], []),
    ],
)
def test_list(tmp_path: Path, content: bytes, kept: list[int], rows: list[str]) -> None:
    (tmp_path / "f.json").write_bytes(content)
    said, drops = notes()
    assert [row.n for _, row in list_rows(tmp_path / "f.json", Row, said)] == kept
    assert [drop.row for drop in drops] == rows


@pytest.mark.parametrize(
    "content", [b"", b"[", b"{}", b"5", b"\xff\xfe", b"[" * 99_999, b'[{"n": 1}', b"[NaN", b"nonsense"]
)
def test_no_list_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.json").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        list_rows(tmp_path / "f.json", Row, notes()[0])
    assert "f.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_objects_of_rows(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps({"a": {"n": 1}, "b": {"n": None}, "c": {"n": 3}}))
    said, drops = notes()
    assert {key: row.n for key, row in rows_by_key(tmp_path / "f.json", Row, said).items()} == {"a": 1, "c": 3}
    assert [drop.row for drop in drops] == ["b"]


def test_lists_below_keys(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps({"info": {}, "a": [{"n": 1}, {}], "b": [{"n": 2}]}))
    said, drops = notes()
    found = rows_below_keys(tmp_path / "f.json", {"a": Row, "b": Row}, said)
    assert {key: [(n, row.n) for n, row in rows] for key, rows in found.items()} == {"a": [(0, 1)], "b": [(0, 2)]}
    assert [drop.row for drop in drops] == ["a 1"]
    with pytest.raises(SourceError, match="has no `c`"):
        rows_below_keys(tmp_path / "f.json", {"c": Row}, said)


def test_lines(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_bytes(b'{"n": 1}\r\n\n{"n": \n\xff\n{"n": 5}')
    said, drops = notes()
    assert [(number, row.n) for number, row in line_rows(tmp_path / "f.jsonl", Row, said)] == [(1, 1), (5, 5)]
    assert [drop.row for drop in drops] == ["line 3", "line 4"]


def test_rows_left_as_bytes() -> None:
    said, drops = notes()
    found = rows_inside(msgspec.Raw(b'[{"n": 1}, {"n": "x"}, {"n": 3}]'), Row, "thing", said)
    assert [(n, row.n) for n, row in found] == [(0, 1), (2, 3)]
    assert [drop.row for drop in drops] == ["thing 1"]
    for raw in (b"{}", b"[\xff", b"", b"3"):
        with pytest.raises(Fault):
            rows_inside(msgspec.Raw(raw), Row, "thing", said)


@pytest.mark.parametrize("content", [b"", b"{", b'{"n": "x"}', b"\xff", b"[]"])
def test_one_object(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.json").write_bytes(content)
    with pytest.raises(Fault):
        one_object(tmp_path / "f.json", Row)
    with pytest.raises(Fault, match="missing"):
        one_object(tmp_path / "g.json", Row)


def test_a_slot_that_fails_costs_itself() -> None:
    def make(slot: str, notes: Notes) -> Record:
        if not slot:
            raise Fault("no", "nothing")
        slot.encode("utf-8", "surrogateescape").decode("utf-8")
        return Record(slot, "s", "train", "MIT", Origin("f", slot), None)

    opened: Slotted[Any] = Slotted("s", "train", "f", (), ["a", "", "b\udcff", "c"], make, str, [])
    drops: list[Drop] = []
    assert [record.id for record in opened.records(0, 4, drops.append)] == ["a", "c"]
    assert [(drop.row, drop.reason) for drop in drops] == [
        ("row without a name", "no"), ("b\udcff", "row: not UTF-8")
    ]  # fmt: skip
    assert list(opened.records(-3, 0, drops.append)) == list(opened.records(4, 9, drops.append)) == []


def test_texts() -> None:
    builder = TextBuilder()
    builder.add("the")
    builder.space()
    builder.tied("dog", ["1", "1"])
    builder.tied("!", [])
    text = builder.done()
    assert (text.text, text.spans) == ("the dog!", (Span(4, 7, ("1",)),))
    text, left_out = without_overlaps("a red dog", [Span(2, 5, ("1",)), Span(0, 9, ("2",)), Span(6, 12, ("3",))])
    assert (text.spans, len(left_out)) == ((Span(0, 9, ("2",)),), 2)
    assert [("Is it, then?"[a:b]) for a, b in word_bounds("Is it, then?")] == ["Is", "it", "then"]
    assert word_bounds("a ... b")[1] == (2, 5)
    assert teach_first(["b", "a", "b"], "a") == ["a", "b", "b"]
    assert teach_first(["b", "a", "b"], "z") == ["b", "a", "b"]
    assert (teach_first([], "z"), teach_first([], "")) == (["z"], [])
