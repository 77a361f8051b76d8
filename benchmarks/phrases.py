"""What an answered phrase means: the declared rule from words to classes. Which one was used is part of every result.

* "exact": the class's name or a synonym the source gives; case, white space and `_` do not matter (`scorer.class_key`).
* "synonyms:FILE": else what a TOML file says, `phrase = "class name"`, one a line.
* "vectors:FILE": else the class whose vector is nearest by cosine, at `NEAREST` or more. The file has a word or phrase (with
  `_` for white space) and its numbers on every line, the text format of GloVe and word2vec: whatever embedder is to decide
  writes it, for the classes and the phrases of the answers. A phrase without a vector of its own has the mean of its words'.

A phrase that no rule knows matches nothing and is counted by the scores.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST = 0.6
Resolve = Callable[[str, Mapping[str, int]], int | None]  # a normalised phrase, classes by normalised name


class PhraseError(Exception):
    """A rule that cannot be used; one line with the file, what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` as results record it (with the file's hash), `resolve` for phrases that are no class's own name."""

    name: str
    resolve: Resolve


def _nothing(phrase: str, vocabulary: Mapping[str, int]) -> int | None:
    return None


EXACT = Rule("exact", _nothing)


@lru_cache(maxsize=8)
def rule_of(said: str) -> Rule:
    """The rule an option names: "exact", "synonyms:FILE" or "vectors:FILE". Raises `PhraseError`."""
    kind, _, file = said.partition(":")
    if said == "exact":
        return EXACT
    if kind not in ("synonyms", "vectors") or not file:
        raise PhraseError(f"phrase rule {said!r:.60}; exact, synonyms:FILE or vectors:FILE is right")
    path = Path(file)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PhraseError(f"{path}: {error.strerror or error}; a file of {kind} is expected there") from error
    name = f"{kind}:{path.name} sha256:{hashlib.sha256(data).hexdigest()[:16]}"
    return Rule(name, (_synonyms if kind == "synonyms" else _vectors)(path, data))


@lru_cache(1 << 14)  # a set's answers say a few names again and again
def normal(name: str) -> str:
    """Case and runs of white space (and `_`) do not matter."""
    return " ".join(name.replace("_", " ").casefold().split())


def _synonyms(path: Path, data: bytes) -> Resolve:
    try:
        table: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhraseError(f'{path}: {error}; lines of phrase = "class name" are right') from error
    for phrase, meant in table.items():
        if not isinstance(meant, str):
            raise PhraseError(f"{path}: {phrase!r:.60} is {meant!r:.40}; the name of a class is right")
    known = {normal(phrase): normal(meant) for phrase, meant in table.items()}
    return lambda phrase, vocabulary: vocabulary.get(known.get(phrase, ""))


def _vectors(path: Path, data: bytes) -> Resolve:
    table: dict[str, NDArray[np.float64]] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        word, *values = line.split() or [""]
        try:
            vector = np.array(values, dtype=np.float64)
        except ValueError as error:
            raise PhraseError(f"{path}: line {number}: {error}; a word and numbers are right") from error
        if word and vector.size > 1:  # word2vec's first line has two counts
            size = next(iter(table.values()), vector).size
            if vector.size != size or not np.isfinite(vector).all():
                raise PhraseError(
                    f"{path}: line {number}: {vector.size} numbers, not all finite or not {size}; {size} are right"
                )
            table[normal(word)] = vector
    if not table:
        raise PhraseError(f"{path}: no vectors; lines of a word and its numbers are right")

    def direction(phrase: str) -> NDArray[np.float64] | None:
        own = table.get(phrase)
        words = [table[word] for word in phrase.split() if word in table] if own is None else [own]
        mean = np.mean(words, axis=0) if words else np.zeros(1)
        length = float(np.linalg.norm(mean))
        return mean / length if length > 0 else None

    def resolve(phrase: str, vocabulary: Mapping[str, int]) -> int | None:
        sought = direction(phrase)
        best, found = NEAREST, None
        for name, id_ in sorted(vocabulary.items()):
            own = direction(name)
            if sought is not None and own is not None and float(sought @ own) > best:
                best, found = float(sought @ own), id_
        return found

    return _remembered(resolve)


def _remembered(resolve: Resolve) -> Resolve:
    """Answers repeat their phrases; each is looked up once a vocabulary."""
    known: dict[tuple[frozenset[tuple[str, int]], str], int | None] = {}

    def quickly(phrase: str, vocabulary: Mapping[str, int]) -> int | None:
        key = (frozenset(vocabulary.items()), phrase)
        if key not in known:
            known[key] = resolve(phrase, vocabulary)
        return known[key]

    return quickly
