"""Captions as plain text, one a line (nlg-eval's files): the numbers of its scorers, or one clear line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.official import OfficialError, captions_of_lines
from tests.benchmarks.road import bench

WORDS = ("a", "the", "Dog", "cat", "on", "mat", "ran", "français.", "犬", "red,", "-", "|||", "2", "\u00a0x")
SAID = ["a red dog runs on the grass", "Two cats  sleep ."]
REFERENCES = [["the red dog runs on grass", "two cats sleep ."], ["a dog", "Two cats  rest"]]


def written(folder: Path, name: str, lines: list[str], end: str = "\n") -> Path:
    path = folder / name
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def drawn(rng: random.Random) -> str:
    blanks = (" ",) * 12 + ("  ", "\t")
    return "".join(rng.choice(WORDS) + rng.choice(blanks) for _ in range(rng.randint(0, 12)))


@pytest.mark.parametrize("seed", range(12))
def test_numbers_are_those_of_the_original_scorers(tmp_path: Path, seed: int) -> None:
    pytest.importorskip("pycocoevalcap", reason="the official caption scores are not installed")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    rng = random.Random(seed)
    count, end = rng.randint(1, 20), rng.choice(("\n", "\r\n"))
    said = [drawn(rng) for _ in range(count)]
    several = [[rng.choice((line, drawn(rng))) for line in said] for _ in range(rng.randint(1, 4))]
    paths = [written(tmp_path, f"ref{n}.txt", lines, end) for n, lines in enumerate(several)]
    found = captions_of_lines(paths, written(tmp_path, "hyp.txt", said, end)).numbers
    truth = {n: [line.strip() for line in lines] for n, lines in enumerate(zip(*several, strict=True))}
    answers = {n: [line.strip()] for n, line in enumerate(said)}
    assert found["ROUGE_L"] == Rouge().compute_score(truth, answers)[0]
    assert found["CIDEr"] == Cider().compute_score(truth, answers)[0]
    bleu = Bleu(4).compute_score(truth, answers, verbose=0)[0]
    assert [found[f"Bleu_{n + 1}"] for n in range(4)] == pytest.approx(bleu, abs=1e-14)


def test_words_stay_as_they_stand(tmp_path: Path) -> None:
    said = written(tmp_path, "hyp.txt", ["A dog."])
    assert captions_of_lines([written(tmp_path, "ref.txt", ["A dog."])], said).numbers["Bleu_1"] == pytest.approx(1)
    lower = captions_of_lines([written(tmp_path, "ref.txt", ["a dog ."])], said).numbers
    assert (lower["Bleu_1"] or 0) < 1e-6


def test_the_command_takes_several_files_of_references(tmp_path: Path) -> None:
    first, second = (written(tmp_path, f"ref{n}.txt", lines) for n, lines in enumerate(REFERENCES))
    said = written(tmp_path, "hyp.txt", SAID)
    shown = bench("captions", first, said, "--lines", "--references", second)
    assert "2 captions, 2 references each; words are what stands between blanks" in shown.stdout.replace("\n", " ")
    assert f"{captions_of_lines([first, second], said).numbers['ROUGE_L']:.6f}" in shown.stdout
    refused = bench("captions", first, said, "--references", second)
    assert refused.exit_code == 2
    assert "--lines beside it is right" in refused.output.replace("\n", " ")


def test_no_lines_have_no_numbers(tmp_path: Path) -> None:
    paths = [written(tmp_path, name, []) for name in ("ref.txt", "hyp.txt")]
    assert set(captions_of_lines(paths[:1], paths[1]).numbers.values()) == {None}


@pytest.mark.parametrize(
    ("references", "words"),
    [
        (b"one\n", "1 lines, .* has 2; a reference for every caption is right"),
        (b"one\ntwo\nthree", "3 lines, .* has 2"),
        (b"one\n\xff\n", "not UTF-8"),
        (None, "No such file"),
    ],
)
def test_files_that_do_not_fit_are_one_line(tmp_path: Path, references: bytes | None, words: str) -> None:
    path = tmp_path / "ref.txt"
    if references is not None:
        path.write_bytes(references)
    with pytest.raises(OfficialError, match=words) as caught:
        captions_of_lines([path], written(tmp_path, "hyp.txt", SAID))
    assert "\n" not in str(caught.value)
