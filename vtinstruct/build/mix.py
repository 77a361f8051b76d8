"""A mix: which share of each task's and each source's training dialogues a build keeps, read from a small TOML file.

What is kept is decided by a hash of (seed, source, record, task, n) alone, so neither order nor workers nor any other
dialogue matter, and a larger weight keeps all that a smaller one kept. A weight of 0 leaves a task or source out
altogether; any other leaves evaluation splits whole. Weights above 1 are refused: the same dialogue twice teaches
nothing that more epochs do not. The file's form is in `docs/build.md`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from vtinstruct import plugins
from vtinstruct.build.choose import ROOM
from vtinstruct.dialogue import Dialogue
from vtinstruct.manifest import DatasetError

DEFAULT = "default"
FOLDER = Path(__file__).parent / "mixes"


class MixError(DatasetError):
    """A mix that cannot be read: one line with the file, what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Shares:
    """A number for each name, and one for all others."""

    others: float
    named: Mapping[str, float] = field(default_factory=dict[str, float])

    def __getitem__(self, name: str) -> float:
        return self.named.get(name, self.others)


@dataclass(frozen=True, slots=True)
class Mix:
    """See the module. `tasks` and `sources` are weights in 0..1 that multiply; `caps` the most dialogues of one record
    and task (0: no cap); `negatives` a further weight, by task, for dialogues whose answers point at nothing."""

    name: str
    tasks: Shares = Shares(1.0)
    sources: Shares = Shares(1.0)
    caps: Shares = Shares(0)
    negatives: Shares = Shares(1.0)

    def weight(self, task: str, source: str) -> float:
        """The share of a task's dialogues of a source that is kept."""
        return self.tasks[task] * self.sources[source]

    def without(self, tasks: Iterable[str]) -> tuple[str, ...]:
        """Those of the tasks that it leaves out altogether."""
        return tuple(task for task in tasks if not self.tasks[task])

    def said(self) -> dict[str, Any]:
        """The mix as it stands in a manifest; two mixes that say the same keep the same."""
        return asdict(self)

    def digest(self) -> str:
        """A hash over everything but the name."""
        numbers = {key: value for key, value in self.said().items() if key != "name"}
        return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()


class Sampler:
    """A mix at work on one training split: keeps or leaves out, and counts what it left out of each task."""

    def __init__(self, mix: Mix, seed: int, source: str) -> None:
        self._mix, self._seed, self._source = mix, seed, source
        self.left_out: dict[str, int] = {}

    def choose(self, record: str, task: str, grounds: bool, made: Iterable[Dialogue]) -> list[Dialogue]:
        """Those of a record's dialogues that are kept, in their order. `grounds` says whether the task's answers can point
        at something, so that one that points at nothing is a negative."""
        weight, cap = self._mix.weight(task, self._source), int(self._mix.caps[task])
        thinned = weight * self._mix.negatives[task] if grounds else weight
        found = list(made)
        kept: list[tuple[int, int, Dialogue]] = []  # rank, place
        for place, dialogue in enumerate(found):
            share = thinned if thinned < weight and points_at_nothing(dialogue) else weight
            chance, rank = draws(self._seed, self._source, record, task, place)
            if chance < share:
                kept.append((rank, place, dialogue))
        if cap and len(kept) > cap:
            kept = sorted(sorted(kept, key=_rank)[:cap], key=_place)
        if len(kept) < len(found):
            self.left_out[task] = self.left_out.get(task, 0) + len(found) - len(kept)
        return [dialogue for _, _, dialogue in kept]


def _rank(entry: tuple[int, int, Dialogue]) -> tuple[int, int]:
    return entry[0], entry[1]


def _place(entry: tuple[int, int, Dialogue]) -> int:
    return entry[1]


def draws(seed: int, source: str, record: str, task: str, n: int) -> tuple[float, int]:
    """Two independent draws for the n-th dialogue a task makes of a record: a chance in [0, 1) to hold against a weight,
    and a rank to hold against a cap (another one, or a cap would favour what a small weight let pass)."""
    digest = hashlib.sha256(f"mix|{seed}|{source}|{record}|{task}|{n}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53), int.from_bytes(digest[8:16], "big")


def points_at_nothing(dialogue: Dialogue) -> bool:
    """Whether no answer refers to anything: "none here"."""
    return next(dialogue.references(), None) is None


# --- reading ---------------------------------------------------------------------------------------------------------


def named_mixes() -> tuple[str, ...]:
    """The mixes that come with this package, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def read_mix(text: str) -> Mix:
    """The mix of that name, or else of that file. Raises `MixError`."""
    known = text in named_mixes()
    path = FOLDER / f"{text}.toml" if known else Path(text).expanduser()
    try:
        words = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise MixError(f"--mix {text}: {why}; a TOML file or one of {', '.join(named_mixes())} is right") from error
    return mix_of(words, text if known else path.stem, text)


def mix_of(words: str, name: str, where: str) -> Mix:
    """The mix that a TOML text says; `where` is for messages. Raises `MixError`."""
    try:
        tables: dict[str, Any] = tomllib.loads(words)
    except tomllib.TOMLDecodeError as error:
        raise MixError(f"{where}: not TOML ({error})") from error
    tasks, sources = plugins.names("vtinstruct.tasks"), plugins.names(ROOM)
    forms: dict[str, tuple[float, Collection[str], str, Callable[[str, Any], float]]] = {
        "tasks": (1.0, tasks, "task", _weight),
        "sources": (1.0, sources, "source", _weight),
        "caps": (0, tasks, "task", _cap),
        "negatives": (1.0, tasks, "task", _weight),
    }
    if unknown := sorted(tables.keys() - forms.keys()):
        raise MixError(f"{where}: no table {unknown[0]!r}; known: {', '.join(forms)}")
    read: dict[str, Shares] = {}
    for key, (others, known, what, number) in forms.items():
        table = tables.get(key, {})
        if not isinstance(table, dict):
            raise MixError(f"{where}: {key} is {table!r}; a table, [{key}], is right")
        numbers: dict[str, float] = {}
        for entry, value in sorted(cast(dict[str, Any], table).items()):
            if entry != DEFAULT and entry not in known:
                raise MixError(f"{where}: [{key}] names the unknown {what} {entry!r}; known: {', '.join(known)}")
            numbers[entry] = number(f"{where}: [{key}] {entry} = {value!r}", value)
        read[key] = Shares(numbers.pop(DEFAULT, others), numbers)
    return Mix(name, **read)


def _weight(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:  # so NaN is none either
        raise MixError(f"{where}: a number from 0 to 1 is right")
    if value > 1:
        raise MixError(f"{where}: dialogues are never repeated; 1 keeps all there are, and others can be weighed lower")
    return float(value)


def _cap(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise MixError(f"{where}: a whole number is right, 0 for no cap")
    return value
