"""The word lists out of an archive: synonyms as WordNet's base forms have them, abbreviations, and what a broken archive says."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from benchmarks.meteor.normaliser import ALWAYS, BEFORE_NUMBER
from benchmarks.meteor.package import MeteorError
from benchmarks.meteor.tables import Tables, read_tables

FILES = {
    "function/english.words": "the\nof\n",
    "nonbreaking/english.prefixes": "#titles\n\nMr\nNo #NUMERIC_ONLY# \n",
    "synonym/english.exceptions": "mouse\nmice mices\ngo\nwent\nmove\nwent\n",
    "synonym/english.synsets": "mouse\n00000001 00000002\ngo\n3\nmove\n4\ncat\n5\nbox\n6\nglass\n7\nrun\n8\nman\n9\nbake\n10\nbus\n11\n",
}


def made(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "made.jar"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return read_tables(made(tmp_path, FILES))


@pytest.mark.parametrize(
    ("word", "senses"),
    [
        ("mouse", {1, 2}), ("mice", {1, 2}), ("went", {3, 4}),  # irregular forms, of one word and of two
        ("cats", {5}), ("boxes", {6}), ("men", {9}), ("baking", {10}),
        ("glass", {7}), ("glasses", {7}), ("glas", set()),  # a word in -ss is its own base form
        ("running", set()),  # no rule undoubles the n
        ("bus", {11}), ("is", set()), ("unknown", set()), ("", set()),
    ],
)  # fmt: skip
def test_senses_are_those_of_word_and_base_form(tables: Tables, word: str, senses: set[int]) -> None:
    assert tables.senses(word) == senses


def test_lists(tables: Tables) -> None:
    assert {"the", "of"} <= tables.function_words
    assert tables.prefixes == {"Mr": ALWAYS, "No": BEFORE_NUMBER}


def test_a_broken_archive_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        MeteorError, match=r"made.jar is broken \(.*synsets.*\); the one that pycocoevalcap 1.2 carries"
    ):
        read_tables(made(tmp_path, dict(list(FILES.items())[:3])))
    (tmp_path / "text.jar").write_text("no archive")
    with pytest.raises(MeteorError, match=r"text\.jar is broken"):
        read_tables(tmp_path / "text.jar")
