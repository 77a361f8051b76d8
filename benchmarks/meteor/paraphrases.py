"""METEOR's English paraphrase table, as far as the scored texts need it.

The file holds 5.3 million pairs of phrases: a probability, a phrase and its paraphrase, line by line, 272 MB of text. It is read
once a process and kept without what METEOR does not use, about 110 MB. Of it come, for a set of texts, the pairs both of whose
phrases stand in some text. Seen phrases are bits of a map under their CRC-32: a paraphrase that is only taken for a seen one
is never met, so it costs memory and changes nothing.
"""

from __future__ import annotations

import gzip
import operator
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.meteor.package import MeteorError

# phrase -> its paraphrases, each with its place among them: the order in which METEOR tries them
Paraphrases = dict[str, dict[str, int]]
LONGEST = 7  # words of the longest phrase in the file
BITS, BLOCK = 26, 1 << 20


def phrases_of(words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Start, length in words and text of every run of up to `LONGEST` words, by start, then length."""
    for start in range(len(words)):
        phrase = ""
        for length, word in enumerate(words[start : start + LONGEST], 1):
            phrase = f"{phrase} {word}" if phrase else word
            yield start, length, phrase


@dataclass(frozen=True, slots=True)
class Packed:
    """The file in runs of one phrase: `lines` has the phrase, then its paraphrases; `starts` says where each run begins, and the
    end; `hashes` are the phrases' CRC-32 in rising order, and `runs` whose they are."""

    lines: bytearray
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    runs: NDArray[np.int64]

    def paraphrases(self, phrase: bytes) -> list[bytes]:
        """A phrase's paraphrases in the order of the file."""
        hashed = np.uint32(zlib.crc32(phrase))
        found: list[bytes] = []
        for run in self.runs[
            np.searchsorted(self.hashes, hashed) : np.searchsorted(self.hashes, hashed, "right")
        ].tolist():
            first, *others = bytes(self.lines[self.starts[run] : self.starts[run + 1]]).split(b"\n")[:-1]
            found += others if first == phrase else []
        return found


def read_paraphrases(path: Path, texts: Iterable[Sequence[str]]) -> Paraphrases:
    """The pairs that may match among `texts`, which are words. Raises `MeteorError`."""
    try:
        about = path.stat()
        packed = _packed(path, about.st_mtime_ns, about.st_size)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise MeteorError(f"{path} is broken ({error}); the one that pycocoevalcap 1.2 carries is right") from error
    seen, known = np.zeros(1 << BITS, dtype=np.bool_), set[bytes]()
    for words in texts:
        phrases = [phrase.encode("utf-8", "surrogatepass") for _, _, phrase in phrases_of(words)]
        hashes = _hashes(phrases)
        seen[hashes >> np.uint32(32 - BITS)] = True
        nearest = np.minimum(np.searchsorted(packed.hashes, hashes), len(packed.hashes) - 1)
        known.update(phrases[index] for index in np.flatnonzero(packed.hashes[nearest] == hashes).tolist())
    found: Paraphrases = {}
    for phrase in known:
        others = packed.paraphrases(phrase)
        kept = {other.decode(): n for n, other in enumerate(others) if seen[zlib.crc32(other) >> (32 - BITS)]}
        if kept:
            found[phrase.decode()] = kept
    return found


def _hashes(phrases: Sequence[bytes]) -> NDArray[np.uint32]:
    return np.fromiter(map(zlib.crc32, phrases), dtype=np.uint32, count=len(phrases))


@lru_cache(maxsize=1)
def _packed(path: Path, changed: int, size: int) -> Packed:
    """The file as it was when changed; 2 to 3 seconds of processor time."""
    lines, starts, hashes = bytearray(), [0], list[int]()
    for phrases, others in _pairs(path):
        bounds = np.flatnonzero(np.fromiter(map(operator.ne, phrases, [None, *phrases]), np.bool_, len(phrases)))
        for start, end in pairwise([*bounds.tolist(), len(phrases)]):
            lines += b"\n".join((phrases[start], *others[start:end], b""))
            starts.append(len(lines))
            hashes.append(zlib.crc32(phrases[start]))
    if not hashes:
        raise ValueError("it is empty")
    hashed = np.array(hashes, dtype=np.uint32)
    runs = np.argsort(hashed, kind="stable")
    return Packed(lines, np.array(starts), hashed[runs], runs)


def _pairs(path: Path) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Blocks of phrases and, beside them, their paraphrases."""
    rest = b""
    with gzip.open(path) as stream:
        while block := stream.read(BLOCK):
            lines = (rest + block).split(b"\n")
            whole = (len(lines) - 1) // 3 * 3
            yield lines[1:whole:3], lines[2:whole:3]
            rest = b"\n".join(lines[whole:])
    if rest:
        raise ValueError("it ends within a pair")
