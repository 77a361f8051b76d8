"""The triplets of a well-formed answer by name, unit and count alone: what scoring boxes by the hundred thousand needs.

Detectors' answers repeat the same few pieces (`dog</Phrase>(<Unit>box</Unit>[0]<REF>), `), so each distinct piece is read
once and remembered. Anything that is not plainly well-formed gives None, and `trp.parse` reads it; where both read, they
agree (`tests/vtinstruct/test_trp_plain.py`).
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from vtinstruct.trp import IMAGE, VPT
from vtinstruct.units import UNIT_KINDS, UnitKind


class Counted(NamedTuple):
    """A triplet without its references: concept, unit and how many references it has."""

    concept: str
    kind: UnitKind
    references: int


# Everything between two <Phrase>: the concept, its unit, references 0, 1, 2, ..., and words without any mark.
_PIECE = re.compile(
    r"([^<\n]++)</Phrase>\(<Unit>(" + "|".join(UNIT_KINDS) + r")</Unit>((?:\[[0-9]++\]<REF>)*+)\)([^<]*+)\Z"
)
_LONGEST, _MOST = 2000, 20_000  # a piece worth remembering, and how many are
_known: dict[str, Counted | None] = {}


def plain_triplets(text: str) -> list[Counted] | None:
    """The triplets of an answer in order; None unless the text is well-formed throughout and has no plan block."""
    words, *pieces = text.split("<Phrase>")
    if "<" in words or VPT in words:
        return None
    found = [_known.get(piece) for piece in pieces]
    if None in found:
        found = [_learned(piece) if counted is None else counted for counted, piece in zip(found, pieces, strict=True)]
    return None if None in found else cast(list[Counted], found)


def _learned(piece: str) -> Counted | None:
    if piece in _known:
        return _known[piece]
    counted = _read(piece)
    if len(piece) <= _LONGEST:
        if len(_known) >= _MOST:
            _known.clear()
        _known[piece] = counted
    return counted


def _read(piece: str) -> Counted | None:
    match = _PIECE.match(piece)
    if match is None or match[1].isspace() or VPT in match[1] or VPT in match[4] or IMAGE in match[1]:
        return None
    count = match[3].count("<REF>")
    if match[3] != "".join(f"[{i}]<REF>" for i in range(count)):
        return None
    return Counted(match[1], cast(UnitKind, match[2]), count)
