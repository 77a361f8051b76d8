"""Which sources a command line means: `NAME=ROOT`, `NAME:SPLIT,SPLIT=ROOT`, or a bare `ROOT` in which every source that
finds its files is taken. A folder that `vtinstruct sample` wrote says itself what is where."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vtinstruct import plugins
from vtinstruct.source import Source, SourceError, inside

ROOM = "converters"
SAMPLE = "SAMPLE.json"
UNFINISHED = ".sample-unfinished"  # stands in a sample's folder while it is drawn
_NAMED = re.compile(r"([a-z0-9_]+)(?::([\w.,-]+))?=(.+)", re.DOTALL)
# what `datasets` takes for a split name, without the one it keeps for itself
_SPLIT = re.compile(r"\w+(\.\w+)*")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A source, its folder, and the splits to build."""

    source: Source
    root: Path
    splits: tuple[str, ...]


def source_named(name: str) -> Source:
    """The source plugin of that name; `SourceError` with the known names when there is none."""
    try:
        return plugins.load(ROOM, name)
    except plugins.UnknownPlugin as error:
        raise SourceError(str(error)) from error


def names_splits(text: str) -> bool:
    """Whether a command line's argument says which splits it means."""
    named = _NAMED.fullmatch(text)
    return named is not None and bool((named[2] or "").strip(","))


def choose(texts: Sequence[str], only_splits: Sequence[str] = ()) -> tuple[Chosen, ...]:
    """The sources that a command line's arguments mean, in the order given (a bare root's by name).

    `only_splits` keeps just these splits. Raises `SourceError` when an argument finds nothing or two folders claim one
    source, because `images/<source>` can lead to one folder only.
    """
    found: dict[str, Chosen] = {}
    for text in texts:
        for chosen in _of(text):
            splits = tuple(s for s in chosen.splits if not only_splits or s in only_splits)
            known = found.get(chosen.source.name)
            if known is not None and known.root != chosen.root:
                raise SourceError(
                    f"{chosen.source.name} is given with two folders, {known.root} and {chosen.root}; one is right"
                )
            before = known.splits if known else ()
            merged = tuple(dict.fromkeys((*before, *splits)))
            found[chosen.source.name] = Chosen(chosen.source, chosen.root, merged)
    if only_splits and not any(chosen.splits for chosen in found.values()):
        raise SourceError(f"no source has a split named {' or '.join(only_splits)}; found: {_known_splits(texts)}")
    kept = tuple(chosen for chosen in found.values() if chosen.splits)
    for chosen in kept:
        for split in chosen.splits:
            if not _SPLIT.fullmatch(split) or split == "all":
                raise SourceError(
                    f"{chosen.source.name}: {split!r} is no split name; letters, digits, _ and . are right"
                )
    return kept


def _known_splits(texts: Sequence[str]) -> str:
    return ", ".join(sorted({split for text in texts for chosen in _of(text) for split in chosen.splits})) or "none"


def _of(text: str) -> list[Chosen]:
    if not text.strip():
        raise SourceError("an empty word instead of a source; a source's folder, or NAME=FOLDER, is right")
    named = _NAMED.fullmatch(text)
    root = _folder(named[3] if named is not None else text)
    _refuse_unfinished(root)
    if named is not None:
        return [_named(named[1], named[2], root)]
    if not root.is_dir():
        found = "a file and no folder" if root.exists() else "no such folder"
        raise SourceError(f"{text}: {found}; a source's folder, or NAME=FOLDER, is right")
    if (root / SAMPLE).is_file():
        return _of_sample(root)
    taken = [chosen for name in plugins.names(ROOM) if (chosen := _find(source_named(name), root)) is not None]
    if not taken:
        names = ", ".join(plugins.names(ROOM))
        raise SourceError(f"{root}: no source finds its files there; NAME=FOLDER says which one to expect ({names})")
    return taken


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a ring, a user that is not there, a null character
        raise SourceError(f"{text}: {error}; a source's folder is right") from error


def _refuse_unfinished(root: Path) -> None:
    for folder in (root, root.parent):  # a sample's, or one source's in it
        if (folder / UNFINISHED).exists():
            raise SourceError(
                f"{folder}: a sample that is still being drawn, or was left so; wait for `vtinstruct sample`, or run it again"
            )


def _of_sample(root: Path) -> list[Chosen]:
    try:
        parts = json.loads((root / SAMPLE).read_text(encoding="utf-8"))["sources"]
        listed = [(part["name"], part["folder"], tuple(part["splits"])) for part in parts]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{root / SAMPLE}: not what `vtinstruct sample` writes ({error!r}); draw it again") from error
    return [Chosen(source_named(name), inside(root, folder).resolve(), splits) for name, folder, splits in listed]


def _named(name: str, splits: str | None, root: Path) -> Chosen:
    source = source_named(name)
    if not root.is_dir():
        raise SourceError(f"{name}: {root} is no folder; the root of {source.title} is right")
    asked = tuple(split for split in (splits or "").split(",") if split)
    there = asked or source.find(root)
    if not there:
        raise SourceError(f"{name}: no split's files are below {root}; `vtinstruct sources {name}` shows the layout")
    return Chosen(source, root, tuple(there))


def _find(source: Source, root: Path) -> Chosen | None:
    """The source in the root itself, or else in the folder below it that has its name or is the only one to match."""
    if splits := source.find(root):
        return Chosen(source, root, tuple(splits))
    below = [(folder, splits) for folder in _folders(root) if (splits := source.find(folder))]
    below = [match for match in below if match[0].name == source.name] or below
    if len(below) > 1:
        names = " and ".join(str(folder) for folder, _ in below)
        raise SourceError(f"{source.name} finds its files in {names}; {source.name}=FOLDER says which one to take")
    return Chosen(source, below[0][0], tuple(below[0][1])) if below else None


def _folders(root: Path) -> Iterable[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
