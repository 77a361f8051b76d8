"""Stems against the Snowball release that METEOR's archive carries: fixed answers of it, and all of WordNet's words."""

from __future__ import annotations

import random
import re

import pytest

from benchmarks.meteor.stemmer import stem
from benchmarks.meteor.tables import read_tables
from tests.benchmarks.meteor.jar import answers, need_java, tool

# word and stem, as the archive's stemmer answered
SEEN = (
    "running run;happily happili;communities communiti;generously generous;arsenals arsenal;dying die;skis ski;skies sky;"
    "only onli;news news;inning inning;innings inning;succeeding succeed;exceeds exceed;'tis tis;dogs' dog;cat's cat;"
    "sayings say;enjoyed enjoy;youth youth;toys toy;hoped hope;hopping hop;falling fall;agreed agre;feed feed;bled bled;"
    "tanned tan;sized size;conflated conflat;troubled troubl;flies fli;ties tie;gas gas;this this;kiwis kiwi;"
    "caresses caress;rationally ration;conditional condit;valency valenc;hesitancy hesit;digitizer digit;"
    "vietnamization vietnam;operator oper;feudalism feudal;hopefulness hope;callousness callous;formality formal;"
    "sensitivity sensit;sensibility sensibl;geology geolog;fluently fluentli;radically radic;carelessly careless;"
    "triplicate triplic;formative format;electricity electr;electrical electr;goodness good;adoption adopt;"
    "replacement replac;adjustment adjust;communism communism;angularity angular;effective effect;bowdlerize bowdler;"
    "probate probat;rate rate;cease ceas;controll control;roll roll;by by;say say;yyy yyy;naïvely naïv;ångströms ångströms"
)
ENDINGS = (
    "s 's 's' ' es ed ing ly ies ied eed eedly ingly edly ational ization fulness li ogi ative ement ion y yy sses us ss er est "
    "able iviti e le ll"
)


@pytest.mark.parametrize(("word", "expected"), [pair.split(" ") for pair in SEEN.split(";")])
def test_stems_are_the_official_ones(word: str, expected: str) -> None:
    assert stem(word) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("meteor_data")
def test_hundreds_of_thousands_of_stems_are_the_official_ones() -> None:
    """WordNet's words, cut and with endings of the rules put on, and random letters; numbers, which that tool leaves alone, apart."""
    rng, tables = random.Random(0), read_tables(need_java())
    known = sorted({word for word in (*tables.sets, *tables.bases) if word and not re.search(r"\s", word)})
    words = {word.lower() for word in known}
    for _ in range(200_000):
        word = rng.choice(known)
        words.add(word[: rng.randint(1, len(word))] + rng.choice(ENDINGS.split()) + rng.choice(["", *ENDINGS.split()]))
        words.add("".join(rng.choice("aeiouyybcdstlngwx'éѐ") for _ in range(rng.randint(1, 9))))
    asked = sorted(word for word in words if re.search(r"[^\d,.-]", word))
    theirs = answers(*tool("Stemmer", "en"), asked)
    assert len(asked) > 400_000
    assert [(word, stem(word)) for word in asked] == list(zip(asked, theirs, strict=True))
