"""English stems by the Snowball rules ("Porter2") of the release METEOR 1.5 carries.

M. F. Porter, "The English (Porter2) stemming algorithm", http://snowballstem.org/algorithms/english/stemmer.html. Later
releases of those rules changed words (2.3 added endings and exceptions), so a library's stems are not these.
"""

from __future__ import annotations

import re
from functools import lru_cache

_IRREGULAR = {
    "skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl", "gently": "gentl",
    "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl",
    **{word: word for word in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")},
}  # fmt: skip
_WHOLE = frozenset(["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"])
_FIRST_REGION = re.compile("gener|commun|arsen")  # words whose first region starts right behind these
_REGION = re.compile("[aeiouy][^aeiouy]")
_VOWEL = re.compile("[aeiouy]")
_SHORT = re.compile("(?:[^aeiouy][aeiouy][^aeiouywxY]|^[aeiouy][^aeiouy])$", re.DOTALL)
_DOUBLE = re.compile("(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)$")


def _longest_first(table: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(table.items(), key=lambda pair: -len(pair[0])))


_STEP_2 = _longest_first(
    {
        "tional": "tion", "enci": "ence", "anci": "ance", "abli": "able", "entli": "ent", "izer": "ize", "ization": "ize",
        "ational": "ate", "ation": "ate", "ator": "ate", "alism": "al", "aliti": "al", "alli": "al", "fulness": "ful",
        "ousli": "ous", "ousness": "ous", "iveness": "ive", "iviti": "ive", "biliti": "ble", "bli": "ble", "ogi": "og",
        "fulli": "ful", "lessli": "less", "li": "",
    }
)  # fmt: skip
_STEP_3 = _longest_first(
    {
        "tional": "tion", "ational": "ate", "alize": "al", "icate": "ic", "iciti": "ic", "ical": "ic", "ful": "", "ness": "",
        "ative": "",
    }
)  # fmt: skip
_STEP_4 = (
    "ement", "ance", "ence", "able", "ible", "ment", "ate", "ive", "ize", "iti", "ism", "ion", "ous", "ant", "ent",
    "ic", "al", "er",
)  # fmt: skip


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The stem of a lower-case word; words of one or two letters are their own."""
    if word in _IRREGULAR or len(word) < 3:
        return _IRREGULAR.get(word, word)
    word = word.removeprefix("'")
    word = re.sub("^y", "Y", word)  # a y that is a consonant is written Y meanwhile
    word = re.sub("([aeiouy])y", r"\1Y", word)
    first, second = _regions(word)
    word = _plural(word)
    if word not in _WHOLE:
        word = _past(word, first)
        if len(word) > 2 and word[-1] in "yY" and word[-2] not in "aeiouy":
            word = f"{word[:-1]}i"
        word = _derived(word, first, second)
    return word.replace("Y", "y")


def _regions(word: str) -> tuple[int, int]:
    """Where the regions R1 and R2 start: behind the first consonant that follows a vowel, and behind the next such."""
    prefix = _FIRST_REGION.match(word)
    found = prefix or _REGION.search(word)
    if not found:
        return len(word), len(word)
    following = _REGION.search(word, found.end())
    return found.end(), following.end() if following else len(word)


def _plural(word: str) -> str:
    for ending in ("'s'", "'s", "'"):
        if word.endswith(ending):
            word = word.removesuffix(ending)
            break
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _VOWEL.search(word[:-2]):
        return word[:-1]
    return word


def _past(word: str, first: int) -> str:
    for ending in ("eedly", "ingly", "edly", "eed", "ing", "ed"):
        if word.endswith(ending):
            break
    else:
        return word
    rest = word.removesuffix(ending)
    if ending in ("eed", "eedly"):
        return f"{rest}ee" if len(rest) >= first else word
    if not _VOWEL.search(rest):
        return word
    if rest.endswith(("at", "bl", "iz")) or (len(rest) == first and _SHORT.search(rest)):
        return f"{rest}e"
    return rest[:-1] if _DOUBLE.search(rest) else rest


def _derived(word: str, first: int, second: int) -> str:
    """Steps 2 to 5: the longest ending of each step counts, and only where its region reaches."""
    for ending, new in _STEP_2:
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            before = {"ogi": "l", "li": "cdeghkmnrt"}.get(ending)
            if len(rest) >= first and (before is None or (rest and rest[-1] in before)):
                word = rest + new
            break
    for ending, new in _STEP_3:
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            if len(rest) >= (max(first, second) if ending == "ative" else first):
                word = rest + new
            break
    for ending in _STEP_4:
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            if len(rest) >= second and (ending != "ion" or rest.endswith(("s", "t"))):
                word = rest
            break
    rest = word[:-1]
    if word.endswith("e") and (len(rest) >= second or (len(rest) >= first and not _SHORT.search(rest))):
        return rest
    return rest if word.endswith("ll") and len(rest) >= second else word
