"""Text to the words METEOR compares: its own tokeniser, `-norm` with punctuation kept, English.

Written after METEOR 1.5's normaliser, which follows Moses' tokeniser (rev. 3612) and then gives up dashes between words and
dots inside abbreviations, so that spellings match. Java's `\\s`, digits and case classes are ASCII, and so are these. Quirks
kept because scores depend on them: a dot stays on a word that a lower-case word follows ("end. a"), and texts that hold the
original's placeholder words lose them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# letters, Western European and Cyrillic, as the original lists them
ALPHA = (
    "A-Za-z\u0160\u017d\u0161\u017e\u0178\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017e"
    "\u0400-\u0527\ua640-\ua66e\ua67e-\ua697\u1d00-\u1d7f"
)
_SPACE = r" \t\n\x0b\f\r"
_DOTS, _DOTS_SEEN = "DOTMULTI", "DOTDOTMULTI"  # stand-ins of the original for a run of dots

_SYMBOL = re.compile(rf"([^0-9{ALPHA}{_SPACE}.'`,\-\u2018\u2019])")
_DOT_RUN = re.compile(r"\.(\.+)")
_DOT_RUN_END = re.compile(rf"{_DOTS}\.([^.])")
_COMMAS = (re.compile("([^0-9]),([^0-9])"), re.compile("([0-9]),([^0-9])"), re.compile("([^0-9]),([0-9])"))
_SINGLE_QUOTE = re.compile("[`\u2018\u2019]")
_DOUBLE_QUOTE = re.compile("[\u201c\u201d]|''")
_DASH_IN_WORD = re.compile(rf"([0-9{ALPHA}.])-([0-9{ALPHA}])")
# an apostrophe between others than letters stands alone; before a letter, or an s after a digit, it opens a word of its own
_APART = (
    re.compile(rf"([^{ALPHA}])'([^{ALPHA}])"), re.compile(rf"([^0-9{ALPHA}])'([{ALPHA}])"),
    re.compile(rf"([{ALPHA}])'([^{ALPHA}])"),
)  # fmt: skip
_OPENING = (re.compile(rf"([{ALPHA}])'([{ALPHA}])"), re.compile("([0-9])'(s)"))
_LETTER = re.compile(f"[{ALPHA}]")
_LOWER, _DIGIT = re.compile("[a-z]"), re.compile("[0-9]")
_GAP = re.compile(r"[ \t\n\r\f]+")
_WIDE_GAP = re.compile("[ \u2000-\u200a\u202f\u205f\u3000\u00a0]+")
_CONTROL = "".join(map(chr, range(0x21)))  # what Java's trim() takes off

# what a dot after a word means: always part of it, or only where a number follows
ALWAYS, BEFORE_NUMBER = 1, 2


def words_of(text: str, prefixes: Mapping[str, int]) -> list[str]:
    """The lower-case words of one text. `prefixes` are abbreviations that keep their dot (`ALWAYS`, `BEFORE_NUMBER`)."""
    line = _apostrophes_apart(_symbols_apart(f" {text.strip(_CONTROL)} "))
    line = "".join(f"{word} " for word in _dots_apart(_split(line), prefixes))
    while _DOTS_SEEN in line:
        line = line.replace(_DOTS_SEEN, f"{_DOTS}.")
    line = line.replace(_DOTS, ".")
    return _split(_WIDE_GAP.sub(" ", line).strip(_CONTROL).lower())


def _split(line: str) -> list[str]:
    return [word for word in _GAP.split(line) if word]


def _symbols_apart(line: str) -> str:
    line = _SYMBOL.sub(r" \1 ", line)
    line = _DOT_RUN.sub(rf" {_DOTS}\1", line)
    while f"{_DOTS}." in line:
        line = _DOT_RUN_END.sub(rf"{_DOTS_SEEN} \1", line)
        line = line.replace(f"{_DOTS}.", _DOTS_SEEN)
    for comma in _COMMAS:
        line = comma.sub(r"\1 , \2", line)
    line = _DOUBLE_QUOTE.sub(' " ', _SINGLE_QUOTE.sub("'", line))
    line = line.replace("\u2013", "-").replace("--", "-")
    return _DASH_IN_WORD.sub(r"\1 \2", line)


def _apostrophes_apart(line: str) -> str:
    for pattern in _APART:
        line = pattern.sub(r"\1 ' \2", line)
    for pattern in _OPENING:
        line = pattern.sub(r"\1 '\2", line)
    return line


def _dots_apart(words: list[str], prefixes: Mapping[str, int]) -> list[str]:
    """Each word with its closing dot set apart, kept, or (U.S.) with all its dots gone."""
    found: list[str] = []
    for word, following in zip(words, [*words, ""][1:], strict=True):
        stem, kind = word[:-1], prefixes.get(word[:-1])
        if len(word) < 2 or not word.endswith("."):
            found.append(word)
        elif "." in stem and _LETTER.search(stem):
            found.append(word.replace(".", ""))
        elif kind == ALWAYS or _LOWER.match(following) or (kind == BEFORE_NUMBER and _DIGIT.match(following)):
            found.append(word)
        else:
            found.append(f"{stem} .")
    return found
