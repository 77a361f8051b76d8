"""Which licences a build takes: SPDX ids or patterns of them, held against every source and every record.

A source may name several licences (`CC-BY-4.0 AND CC-BY-NC-4.0`: each record has one of them); it is read when one of
them is wanted, and its records are kept one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from vtinstruct.record import Drop, Record
from vtinstruct.source import SourceError, licence_ids

REASON = "licence not wanted"


@dataclass(frozen=True, slots=True)
class Licences:
    """Patterns as in a shell (`CC-BY-4.0`, `CC-BY*`), whatever the case; `!CC-*-NC-*` takes out what it matches. A licence
    is wanted when a plain pattern matches it, or there is none, and no `!` pattern does. None at all want everything."""

    patterns: tuple[str, ...] = ()

    def wants(self, licence: str) -> bool:
        """Whether rows of that licence are kept."""
        name = licence.lower()
        no = [pattern[1:] for pattern in self.patterns if pattern.startswith("!")]
        yes = [pattern for pattern in self.patterns if not pattern.startswith("!")]
        if any(fnmatchcase(name, pattern.lower()) for pattern in no):
            return False
        return not yes or any(fnmatchcase(name, pattern.lower()) for pattern in yes)

    def wants_some(self, expression: str) -> bool:
        """Whether a source of that licence can have rows that are kept."""
        return any(self.wants(licence) for licence in licence_ids(expression))

    def drop(self, record: Record) -> Drop | None:
        """What to put in the ledger when the record's licence is not wanted; else None."""
        if self.wants(record.licence):
            return None
        detail = f"{record.licence!r}; --licence {','.join(self.patterns)} was asked for"
        return Drop(record.source, record.split, record.origin.file, record.origin.row, REASON, detail)

    def refuse_all(self, expressions: Sequence[str]) -> None:
        """Raise `SourceError` when no source of those licences is wanted."""
        if expressions and not any(map(self.wants_some, expressions)):
            known = ", ".join(sorted({licence for text in expressions for licence in licence_ids(text)}))
            raise SourceError(f"--licence {','.join(self.patterns)}: no source here is under it; there are: {known}")


EVERY = Licences()


def read_licences(texts: Sequence[str]) -> Licences:
    """The patterns of a command line, each text one or more by comma. Raises `SourceError` on an empty one."""
    patterns = tuple(dict.fromkeys(part.strip() for text in texts for part in text.split(",")))
    for pattern in patterns:
        if not pattern.removeprefix("!"):
            raise SourceError("--licence holds an empty name; an SPDX id (CC-BY-4.0) or a pattern (CC-BY*) is right")
    return Licences(patterns)
