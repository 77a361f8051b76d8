"""What a source is: the contract every `converters/<name>.py` meets with its one public name `SOURCE`.

A source is opened once per split (that parses the annotation files) and then read by slots, so that a build can
be cut into chunks: slot i always holds the same photo's record, whoever reads it and in whatever order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from vtinstruct.record import Category, Drop, Fact, Record

Report = Callable[[Drop], None]


class SourceError(Exception):
    """A source that cannot be read at all. The message is one line: file, what is wrong, what would be right."""


class Opened(Protocol):
    """One split of a source, parsed and ready to be read by slots.

    `files` are the annotation files that were read (for digests), `faults` what was dropped and belongs to no slot
    (an annotation of an unknown image), `vocabulary` the categories in the source's own order.
    """

    files: Sequence[Path]
    faults: Sequence[Drop]
    vocabulary: Sequence[Category]

    def __len__(self) -> int:
        """The number of slots; a slot yields one record, or none when it is dropped (with a report)."""
        ...

    def records(self, start: int, stop: int, report: Report) -> Iterator[Record]:
        """The records of slots start..stop-1, in order. What is dropped or repaired goes to `report`, and a broken
        record never ends the iteration."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A source of annotated photos.

    `offers` are the facts its records can have; `splits` the official ones; `layout` shows the folders expected below
    the root; `version` is the converter's own and must rise when its output changes; `licence` an SPDX id or a
    LicenseRef, or several joined by AND when every record has one of them; `find(root)` the splits whose files are there
    (cheap: looks at names only); `open(root, split)` parses and may raise `SourceError`.
    """

    name: str
    title: str
    homepage: str
    licence: str
    offers: frozenset[Fact]
    splits: tuple[str, ...]
    layout: str
    version: str
    find: Callable[[Path], tuple[str, ...]]
    open: Callable[[Path, str], Opened]


_JOINED = re.compile(r"\s+(?:AND|OR)\s+|[()]")


def licence_ids(expression: str) -> tuple[str, ...]:
    """The ids in an SPDX expression: `A AND B` gives A and B."""
    return tuple(part.strip() for part in _JOINED.split(expression) if part.strip())


def inside(root: Path, relative: str) -> Path:
    """`root / relative`, refused with `SourceError` when it would leave the root: absolute, `..`, or through a link."""
    pure = PurePosixPath(relative.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or (pure.parts and pure.parts[0].endswith(":")):
        raise SourceError(f"{relative!r} is not a path below the source's root; a relative path without '..' is right")
    found = root / pure
    if not found.resolve().is_relative_to(root.resolve()):
        raise SourceError(f"{relative!r} leaves the source's root through a link; a file below {root} is right")
    return found
