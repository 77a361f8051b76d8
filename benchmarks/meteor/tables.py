"""METEOR's English word lists: function words, abbreviations that keep their dot, and WordNet's synonym sets.

Read from the Java archive, which is a zip, as data. Synonyms of a word are the sets it is in and those of its base form, found
as WordNet 3's `morph` finds it: its list of exceptions, else the first ending whose removal leaves a known word.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.meteor.normaliser import ALWAYS, BEFORE_NUMBER
from benchmarks.meteor.package import MeteorError

# WordNet's endings and what takes their place, in the order they are tried: of nouns, verbs, adjectives
ENDINGS = (
    ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"),
    ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""),
    ("er", ""), ("est", ""), ("er", "e"), ("est", "e"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tables:
    """`bases` are irregular forms' base forms; `sets` the numbers of a word's synonym sets, as they are written."""

    function_words: frozenset[str]
    prefixes: dict[str, int]
    bases: dict[str, list[str]]
    sets: dict[str, str]
    _senses: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])

    def senses(self, word: str) -> frozenset[int]:
        """The synonym sets of a word and of its base forms; two words that share one are synonyms."""
        if word not in self._senses:
            forms = [word, *(self.bases.get(word) or (self._base(word),))]
            self._senses[word] = frozenset(int(n) for form in forms for n in self.sets.get(form, "").split())
        return self._senses[word]

    def _base(self, word: str) -> str:
        if word.endswith("ss") or len(word) <= 2:
            return word
        for ending, new in ENDINGS:
            if word.endswith(ending) and (base := word.removesuffix(ending) + new) in self.sets:
                return base
        return ""


def read_tables(archive: Path) -> Tables:
    """The lists inside the archive. Raises `MeteorError`."""
    try:
        with zipfile.ZipFile(archive) as opened:
            lines = {
                name: opened.read(name).decode("utf-8").split("\n")
                for name in (
                    "function/english.words", "nonbreaking/english.prefixes",
                    "synonym/english.exceptions", "synonym/english.synsets",
                )
            }  # fmt: skip
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise MeteorError(f"{archive} is broken ({error}); the one that pycocoevalcap 1.2 carries is right") from error
    exceptions, synsets = lines["synonym/english.exceptions"], lines["synonym/english.synsets"]
    bases: dict[str, list[str]] = {}
    for base, forms in zip(exceptions[0::2], exceptions[1::2], strict=False):  # the last line ends the file
        for form in forms.split():
            bases.setdefault(form, []).append(base)
    return Tables(
        frozenset(lines["function/english.words"]),
        _prefixes(lines["nonbreaking/english.prefixes"]),
        bases,
        dict(zip(synsets[0::2], synsets[1::2], strict=False)),
    )


def _prefixes(lines: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for words in (line.split() for line in lines):
        if words and not words[0].startswith("#"):
            found[words[0]] = BEFORE_NUMBER if words[1:2] == ["#NUMERIC_ONLY#"] else ALWAYS
    return found
