"""METEOR's English paraphrase table, as far as the scored texts need it.

The file holds 5.3 million pairs of phrases: a probability, a phrase and its paraphrase, line by line, 272 MB of text. It is
streamed once a scoring, and only pairs both of whose phrases stand in some text are kept. Seen phrases are bits of a map
under their CRC-32: a phrase that is only taken for a seen one is never looked up, so it costs memory and changes nothing.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.meteor.package import MeteorError

# phrase -> its paraphrases, each with its place in the file: the order in which METEOR tries them
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


def read_paraphrases(path: Path, texts: Iterable[Sequence[str]]) -> Paraphrases:
    """The pairs that may match among `texts`, which are words. Takes 2 to 3 seconds of processor time. Raises `MeteorError`."""
    seen = np.zeros(1 << BITS, dtype=np.bool_)
    for words in texts:
        seen[_places([phrase.encode("utf-8", "surrogatepass") for _, _, phrase in phrases_of(words)])] = True
    found: Paraphrases = {}
    place = 0
    try:
        for phrases, others in _pairs(path):
            for index in np.flatnonzero(seen[_places(phrases)]).tolist():
                other = others[index]
                if seen[zlib.crc32(other) >> (32 - BITS)]:
                    found.setdefault(phrases[index].decode(), {})[other.decode()] = place + index
            place += len(phrases)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise MeteorError(f"{path} is broken ({error}); the one that pycocoevalcap 1.2 carries is right") from error
    return found


def _places(phrases: Sequence[bytes]) -> NDArray[np.uint32]:
    hashes = np.fromiter(map(zlib.crc32, phrases), dtype=np.uint32, count=len(phrases))
    return hashes >> np.uint32(32 - BITS)


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
