"""Short answers as the official VQA score compares them: punctuation, numbers, articles and contractions made alike.

Source: GT-Vision-Lab/VQA `PythonEvaluationTools/vqaEvaluation/vqaEval.py`, `processPunctuation` and `processDigitArticle`;
checked against the original on its own table and on made answers. Quirks kept because scores depend on them:

* a mark of punctuation is deleted where a space stands beside it anywhere in the answer (or a comma between digits does),
  and becomes a space otherwise: "red/blue" is "red blue", "red / blue" is "red  blue";
* at most 32 full stops are deleted, and only those that no digit follows (the original passes a flag in the place of a count);
* "none" is 0, and "ten" the last word that is a number.
"""

from __future__ import annotations

import re

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_STOP = re.compile(r"\.(?!\d)")
_MOST_STOPS = 32  # `re.UNICODE`, where the original means a flag and `sub` takes a count
_COMMA = re.compile(r"\d,\d")
_DIGITS = "zero one two three four five six seven eight nine ten"
_NUMBERS = {word: str(number) for number, word in enumerate(_DIGITS.split())} | {"none": "0"}
_ARTICLES = frozenset(("a", "an", "the"))

# The spellings that contractions are brought to: with the apostrophe left out, or one of two, they are taken for these.
_ONE = """ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's isn't
    it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've shouldn't somebody'll
    somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's they'd they'll they're
    they've wasn't we've weren't what'll what're what's what've when's where'd where's where've who'd who'll who's who've
    why'll why're why's won't would've wouldn't y'all you'd you'll you're you've 'twas"""
_TWO = """couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've something'd've
    there'd've they'd've we'd've who'd've wouldn't've y'all'll y'all'd've you'd've"""


def _contractions() -> dict[str, str]:
    found = {word.replace("'", ""): word for word in _ONE.split()}
    for word in _TWO.split():
        parts = word.split("'")
        for gap in range(1, len(parts)):  # one apostrophe left out
            found["'".join((*parts[: gap - 1], parts[gap - 1] + parts[gap], *parts[gap + 1 :]))] = word
    # what the official table has beside its rule: a wrong direction, and a word with three apostrophes
    return found | {"somebody'd": "somebodyd", **dict.fromkeys(("ow's'at", "'ows'at", "'ow'sat"), "'ow's'at")}


CONTRACTIONS = _contractions()


def plain_answer(text: str) -> str:
    """An answer on one line without white space at its ends: all that the score does where ten people agree."""
    return text.replace("\n", " ").replace("\t", " ").strip()


def same_answer(text: str) -> str:
    """An answer as answers are compared."""
    return _digits_articles(_punctuation(plain_answer(text)))


def _punctuation(text: str) -> str:
    comma, found = _COMMA.search(text) is not None, text
    for mark in _MARKS:
        beside = mark + " " in text or " " + mark in text
        found = found.replace(mark, "" if beside or comma else " ")
    return _STOP.sub("", found, count=_MOST_STOPS)


def _digits_articles(text: str) -> str:
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)
