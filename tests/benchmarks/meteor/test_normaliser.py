"""METEOR's tokeniser: fixed answers of the original, and tens of thousands of odd texts where Java is there."""

from __future__ import annotations

import random
import re

import pytest

from benchmarks.meteor.normaliser import ALWAYS, BEFORE_NUMBER, words_of
from benchmarks.meteor.tables import read_tables
from tests.benchmarks.meteor.jar import answers, need_java, tool

PREFIXES = {"Mr": ALWAYS, "Prof": ALWAYS, "e.g": ALWAYS, "No": BEFORE_NUMBER, "Art": BEFORE_NUMBER, "pp": BEFORE_NUMBER}
# text and its words, as the original's tokeniser answered; it leaves capitals to a later step
SEEN = [
    ("A man's dog isn't here, is it?", "A man 's dog isn 't here , is it ?"),
    ("rock-n-roll from the 1990's in the U.S. today.", "rock n-roll from the 1990 's in the US today ."),
    ("Mr. Smith met Prof. Jones at No. 5. It ended. no more", "Mr. Smith met Prof. Jones at No. 5 . It ended. no more"),
    ("costs $3.50 or 1,000 yen, about 5%...", "costs $ 3.50 or 1,000 yen , about 5 % ..."),
    ("“Quoted” ‘words’ and ``more'' of them – or -- these", '" Quoted " \' words \' and " more " of them - or - these'),
    ("end.a end. a end. A i.e. no e.g.", "end.a end. a end . A ie no eg"),
    ("wait.... what.. now.", "wait .... what .. now ."),
    ("(left) [right] {both} a/b x@y.z #1 50¢", "( left ) [ right ] { both } a / b x @ y.z # 1 50 ¢"),
    ("No. 5 and No. five, Art. 12, pp. 3", "No. 5 and No. five , Art. 12 , pp. 3"),
    ("DOTMULTI DOTDOTMULTI. dots", ". ... dots"),
    ("ÉCOLE İstanbul ΣΑΣ ẞ Ꙁ", "ÉCOLE İstanbul Σ Α Σ ẞ Ꙁ"),
    ("'tis the '90s; dogs' and 'quoted' o'clock", "' tis the ' 90s ; dogs ' and ' quoted ' o 'clock"),
    ("a , b,c 1,2 3,d e,4", "a , b , c 1,2 3 , d e , 4"),
    ("", ""),
]
ODD = [
    *"aAbs.'.''`,-–--‘’“”\"09éŠѐᴀ\u00a0\u2003\u3000 \t\x0b\x0c\x1c\x85\u2028!?|()$😀İßΣς&@*", "DOTMULTI", "DOTDOTMULTI", "..", "...",
    "U.S.", "Mr.", "No.", "No. 5", "e.g.", " ", " ", " ", " is", "'s", "n't", "1,000", "1990's", "rock-n-roll",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SEEN)
def test_words_are_the_original_ones(text: str, expected: str) -> None:
    assert words_of(text, PREFIXES) == expected.lower().split()


@pytest.mark.slow
@pytest.mark.usefixtures("meteor_data")
def test_odd_texts_have_the_original_words() -> None:
    rng, prefixes = random.Random(0), read_tables(need_java()).prefixes
    texts = ["".join(rng.choice(ODD) for _ in range(rng.randint(0, 25))) for _ in range(50_000)]
    texts = [text.strip("".join(map(chr, range(33)))) for text in texts]  # the scorer trims before, this tool does not
    theirs = answers(*tool("edu.cmu.meteor.util.Normalizer", "en", "true"), texts)
    for text, line in zip(texts, theirs, strict=True):
        assert words_of(text, prefixes) == [word for word in re.split("[ \t\n\r\f]+", line.lower()) if word], ascii(
            text
        )
