"""From words to classes: by a declared rule that results record, and nothing in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.phrases import PhraseError, rule_of
from benchmarks.results import read_results
from tests.benchmarks.road import bench, edited, perfect

VOCABULARY = {"dog": 1, "red car": 2, "kite": 3}


def test_synonyms_and_vectors_say_what_a_phrase_means(tmp_path: Path) -> None:
    (tmp_path / "names.toml").write_text('puppy = "dog"\n"Fire  Engine" = "red_car"\nfoo = "no such class"\n')
    (tmp_path / "vectors.txt").write_text(
        "dog 1 0 0\npuppy 0.9 0.1 0\nred 0 1 0\ncar 0 1 0.2\nkite 0 0 1\nnothing 1 1 1\n"
    )
    synonyms, vectors = rule_of(f"synonyms:{tmp_path}/names.toml"), rule_of(f"vectors:{tmp_path}/vectors.txt")
    assert [synonyms.resolve(p, VOCABULARY) for p in ("puppy", "fire engine", "foo", "cat")] == [1, 2, None, None]
    assert [vectors.resolve(p, VOCABULARY) for p in ("puppy", "car", "nothing", "zebra")] == [1, 2, 2, None]
    assert synonyms.name.startswith("synonyms:names.toml sha256:")
    assert rule_of("exact").resolve("puppy", VOCABULARY) is None


@pytest.mark.parametrize(
    ("said", "content", "words"),
    [
        ("nearest", "", "exact, synonyms:FILE or vectors:FILE is right"),
        ("synonyms:none.toml", None, "is expected there"),
        ("synonyms:x", "puppy = 3", "the name of a class is right"),
        ("synonyms:x", "= =", "class name"),
        ("vectors:x", "dog 1 0\ncat 1", "no vectors"),
        ("vectors:x", "dog 1 0\ncat 1 0 0", "2 are right"),
        ("vectors:x", "dog 1 nan", "2 are right"),
        ("vectors:x", "dog one two", "a word and numbers are right"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(tmp_path: Path, said: str, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "x").write_text(content)
    if content == "dog 1 0\ncat 1":
        (tmp_path / "x").write_text("dog 1\n")
    with pytest.raises(PhraseError, match=words):
        rule_of(said.replace(":x", f":{tmp_path}/x"))


def test_the_rule_changes_scores_and_is_recorded(data: Path, tmp_path: Path) -> None:
    predictions = perfect(data, tmp_path / "predictions.jsonl")
    edited(predictions, lambda lines: [line.replace("<Phrase>dog<", "<Phrase>puppy<") for line in lines])
    (tmp_path / "names.toml").write_text('puppy = "dog"\n')
    for name, more in (("exact", ()), ("synonyms", ("--phrases", f"synonyms:{tmp_path}/names.toml"))):
        done = bench("score", "--predictions", predictions, "--data", data, "--out", tmp_path / name, "--suite", "det",
                     "--resamples", 0, *more)  # fmt: skip
        assert done.exit_code == 0, done.output
    exact, named = read_results(tmp_path / "exact"), read_results(tmp_path / "synonyms")
    assert exact.suites[0].details["unknown_classes"]["phrases"]["puppy"] > 0
    assert exact.suites[0].value < named.suites[0].value == 1.0  # type: ignore[operator]
    assert named.suites[0].details["unknown_classes"]["instances"] == 0
    assert named.options["phrases"] == named.suites[0].details["phrase_to_class"]
    assert named.options["phrases"].startswith("synonyms:names.toml sha256:")
    assert json.loads((tmp_path / "exact/results.json").read_text())["options"]["phrases"] == "exact"
