"""The paraphrase table: what is kept of it, in which order, and what a broken file says."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.meteor import paraphrases
from benchmarks.meteor.package import PARAPHRASES, MeteorError, carried
from benchmarks.meteor.paraphrases import LONGEST, phrases_of, read_paraphrases
from tests.benchmarks.meteor.jar import need_data

PAIRS = [
    ("a lot of", "many"),
    ("many", "a lot of"),
    ("many", "lots"),
    ("cat", "feline"),
    ("naïve", "innocent"),
    ("many", "a"),
]


def table(folder: Path, text: str | None = None) -> Path:
    path = folder / "table.gz"
    text = "".join(f"0.5\n{one}\n{other}\n" for one, other in PAIRS) if text is None else text
    path.write_bytes(gzip.compress(text.encode()))
    return path


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_pairs_are_kept_whose_sides_both_stand_in_texts(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paraphrases, "BLOCK", block)
    texts = [["there", "are", "many", "naïve", "cat"], ["a", "lot", "of", "innocent"]]
    assert read_paraphrases(table(tmp_path), texts) == {
        "a lot of": {"many": 0}, "many": {"a lot of": 0, "a": 2}, "naïve": {"innocent": 0}
    }  # fmt: skip
    assert read_paraphrases(table(tmp_path), [["cat", "a", "lot", "of"]]) == {}
    assert read_paraphrases(table(tmp_path), []) == {}


def test_phrases_of_a_text() -> None:
    assert list(phrases_of(["a", "b", "a"])) == [
        (0, 1, "a"), (0, 2, "a b"), (0, 3, "a b a"), (1, 1, "b"), (1, 2, "b a"), (2, 1, "a")
    ]  # fmt: skip
    assert max(length for _, length, _ in phrases_of(["x"] * 30)) == LONGEST
    assert list(phrases_of([])) == []


def test_a_broken_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MeteorError, match="ends within a pair"):
        read_paraphrases(table(tmp_path, "0.5\none\n"), [])
    whole = table(tmp_path)
    whole.write_bytes(whole.read_bytes()[:-12])
    with pytest.raises(MeteorError, match=r"table\.gz is broken"):
        read_paraphrases(whole, [])
    whole.write_bytes(b"no gzip")
    with pytest.raises(MeteorError, match=r"table\.gz is broken"):
        read_paraphrases(whole, [])


@pytest.mark.slow
@pytest.mark.usefixtures("meteor_data")
def test_no_phrase_of_the_table_is_longer_than_looked_for() -> None:
    need_data()
    with gzip.open(carried(PARAPHRASES), "rb") as lines:
        longest = max(line.count(b" ") + 1 for line in lines)
    assert longest == LONGEST
