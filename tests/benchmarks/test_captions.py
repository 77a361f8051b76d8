"""Caption scores against the official implementation: what its tokenizer answered is kept here, the rest is run when it is
installed (`pip install --no-deps pycocoevalcap`; the tokenizer needs Java)."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.dataset import open_dataset
from benchmarks.meteor import meteor
from benchmarks.score import rescore, score_file, with_word_lists
from benchmarks.scorer import Engine, Setting
from benchmarks.scorers._ngrams import bleu, bleu_counts, cider_d, rouge_l
from benchmarks.scorers._ptb import PUNCTUATION, tokens
from benchmarks.scorers._words import FEW_PHOTOS, consensus
from benchmarks.scorers.captions import reason_of
from benchmarks.shares import Options, read_truths
from tests.benchmarks.made import dialogue, prediction_of, write_dataset, write_predictions
from vtinstruct.dialogue import Evaluation

# [text, what Stanford PTBTokenizer 3.4.1 -preserveLines -lowerCase made of it], for texts written for the purpose
SEEN: list[list[str]] = json.loads((Path(__file__).parent / "ptb_answers.json").read_text("utf-8"))


@pytest.mark.parametrize(("text", "expected"), SEEN)
def test_tokens_are_those_of_the_official_tokenizer(text: str, expected: str) -> None:
    assert tokens(text) == [token for token in expected.rstrip().split(" ") if token and token not in PUNCTUATION]


@pytest.mark.parametrize(
    ("text", "following", "last"),
    [
        ("a plan B.", "The cat", "b"),
        ("a plan B.", "a cat", "b."),
        ("see no.", "5 dogs", "no."),
        ("see no.", "dogs", "no"),
    ],
)
def test_a_full_stop_at_a_lines_end_hangs_on_the_next_line(text: str, following: str, last: str) -> None:
    assert tokens(text, following)[-1] == last  # as the program was seen to answer


def test_bleu_by_hand() -> None:
    # 2 of 3 words, 1 of 2 pairs; candidate 3 long, closest reference 3
    counts = np.array(
        bleu_counts(["the", "red", "dog"], [["the", "red", "cat"], ["a", "very", "long", "reference", "here"]])
    )
    found = bleu(counts)
    assert found[0] == pytest.approx(2 / 3, rel=1e-6)
    assert found[1] == pytest.approx(np.sqrt(2 / 3 * 1 / 2), rel=1e-6)
    assert found[3] < 1e-4
    # brevity: half as long as the reference
    assert bleu(np.array(bleu_counts(["the"], [["the", "dog"]])))[0] == pytest.approx(np.exp(-1), rel=1e-6)


def test_rouge_by_hand() -> None:
    # longest common subsequence 2; precision 2/3, recall 2/4
    p, r = 2 / 3, 2 / 4
    assert rouge_l(["the", "red", "dog"], [["the", "big", "red", "cat"]]) == pytest.approx(
        2.44 * p * r / (r + 1.44 * p)
    )
    assert rouge_l([], [["a"]]) == 0.0


def test_cider_of_the_reference_itself_is_ten_and_of_one_photo_is_zero() -> None:
    said = [
        c.split()
        for c in ("a red car on the road here", "two brown dogs run fast today", "people fly kites near a beach")
    ]
    assert cider_d(said, [[s] for s in said])[0] == pytest.approx([10.0] * 3)
    assert cider_d(said[:1], [[said[0]]])[0] == [0.0]


def official() -> Any:
    return pytest.importorskip("pycocoevalcap", reason="the official caption scores are not installed")


def numbers_of(said: list[str], references: list[list[str]]) -> tuple[list[float], list[float], list[float]]:
    """Our BLEU-1..4, ROUGE-L and CIDEr-D of tokenised texts."""
    split = [(s.split(), [r.split() for r in several]) for s, several in zip(said, references, strict=True)]
    counts = np.array([bleu_counts(s, several) for s, several in split])
    ours = bleu(counts.sum(axis=0)).tolist()
    return ours, [rouge_l(*pair) for pair in split], cider_d([s for s, _ in split], [r for _, r in split])[0]


def test_scores_equal_the_official_ones(tiny_coco: Callable[[str], dict[str, Any]]) -> None:
    """Every photo's first caption against the other four, on real captions."""
    official()
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    by_photo: dict[int, list[str]] = {}
    for file in ("captions_val2017.json", "captions_train2017.json"):
        for one in tiny_coco(file)["annotations"]:
            by_photo.setdefault(one["image_id"], []).append(" ".join(tokens(one["caption"])))
    said = [several[0] for several in by_photo.values()]
    references = [several[1:] for several in by_photo.values()]
    truth, results = dict(enumerate(references)), {n: [s] for n, s in enumerate(said)}
    ours = numbers_of(said, references)
    assert ours[0] == pytest.approx(Bleu(4).compute_score(truth, results, verbose=0)[0], rel=1e-14)
    assert ours[1] == Rouge().compute_score(truth, results)[1].tolist()
    assert ours[2] == Cider().compute_score(truth, results)[1].tolist()
    # of one photo alone too
    alone = Bleu(4).compute_score({0: truth[0]}, {0: results[0]}, verbose=0)[0]
    assert numbers_of(said[:1], references[:1])[0] == pytest.approx(alone, rel=1e-14)


def test_the_official_tokenizer_agrees_on_real_captions(tiny_coco: Callable[[str], dict[str, Any]]) -> None:
    official()
    if shutil.which("java") is None:
        pytest.skip("the official tokenizer needs Java")
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    captions = [
        a["caption"] for f in ("captions_val2017.json", "captions_train2017.json") for a in tiny_coco(f)["annotations"]
    ]
    theirs = PTBTokenizer().tokenize({n: [{"caption": caption}] for n, caption in enumerate(captions)})
    assert [" ".join(tokens(caption)) for caption in captions] == [theirs[n][0] for n in range(len(captions))]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("room. The reason: the wall is striped", "the wall is striped"), ("2, and this is why: I count two", "I count two"),
        ("Answer: 2. Explanation: there are two", "there are two"), ("I say 2. There are two", "There are two"),
        ("yes because it rains", "it rains"), ("Because it rains", "it rains"), ("yes", "yes"), ("Yes.", "Yes."), ("", ""),
    ],
)  # fmt: skip
def test_reasons_stand_behind_the_answer(text: str, reason: str) -> None:
    assert reason_of(text) == reason


def test_one_photo_more_gives_few_photos_weight() -> None:
    said = [["a", "red", "car"], ["two", "dogs"]]
    assert cider_d(said[:1], [[said[0]]])[1] == pytest.approx([7.5])  # three words have no four in a row
    many = [[str(n), "red", "car", "here"] for n in range(300)]
    plain, more = cider_d(many, [[m] for m in many])
    assert plain == pytest.approx(more, rel=1e-2)


@pytest.mark.parametrize("engine", ["hotcoco", "official"])
def test_meteor_says_what_is_missing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.meteor.package.PACKAGE", "pycocoevalcap")
    monkeypatch.setattr("benchmarks.meteor.package.find_spec", lambda name: None)
    words = consensus([["a"]], [[["a"]]], Setting(engine=engine))
    assert words.meteor is None
    assert (
        words.remarks[1] == "METEOR is null: METEOR needs pycocoevalcap: pip install 'vt-instruct[official]' is right"
    )


@pytest.mark.usefixtures("meteor_data")
def test_meteor_is_there_with_its_data_and_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    said, references = [["a", "dog", "runs"], []], [[["two", "dogs", "run"], ["a", "puppy"]], [["a", "cat"]]]
    words = consensus(said, references, Setting())
    assert words.meteor == pytest.approx(0.050955414012738856, rel=4e-16, abs=0)  # the official program's own
    assert words.remarks == (FEW_PHOTOS,)
    assert consensus(said, references, Setting(engine="official")).remarks[1] == (
        "METEOR is null: METEOR needs Java: a `java` on the path is right"
    )


@pytest.mark.usefixtures("meteor_data")
def test_meteor_has_an_interval_and_its_words_a_version(tmp_path: Path) -> None:
    """The number is that of all captions together to the bit; `merge` and new summaries say whose words as well."""
    things = ["dog", "cat", "horse", "bus", "man", "woman", "table", "kite"]
    truths, answers, spoken = [], [], []
    for n, thing in enumerate(things):
        texts = (f"a {thing} on the grass", f"the {thing} stands in a field")
        said = f"a {thing} in the grass" if n % 3 else "nothing of note"
        truths.append(dialogue(f"c{n}", "caption", [texts[0]], (8, 8), Evaluation(references=texts), f"made:{n}"))
        answers.append(prediction_of(truths[-1], [said]))
        spoken.append((tokens(said), [tokens(text) for text in texts]))
    data = write_dataset(tmp_path / "data", truths, photos=False)
    dataset, splits = open_dataset(data)
    predictions = write_predictions(tmp_path / "answers.jsonl", dataset.hash, answers)
    for resamples, there in ((200, True), (0, False)):
        options = Options(splits, suites=("caption",), resamples=resamples)
        found = score_file(predictions, dataset, tmp_path / "out", options, read_truths(dataset, options))
        (suite,) = found.suites
        assert suite.numbers["METEOR"] == meteor([said for said, _ in spoken], [texts for _, texts in spoken])
        assert ("METEOR" in suite.intervals) == there
        if there:
            interval = suite.intervals["METEOR"]
            assert 0.0 < interval.low < (suite.numbers["METEOR"] or 0.0) < interval.high < 1.0
        version = importlib.metadata.version("pycocoevalcap")
        assert found.versions["pycocoevalcap"] == version
        assert rescore(found, tmp_path / "out").versions == found.versions
    lost = replace(found, suites=tuple(replace(one, numbers={**one.numbers, "METEOR": None}) for one in found.suites))
    assert "pycocoevalcap" not in with_word_lists(lost.versions, lost.suites)
