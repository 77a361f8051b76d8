"""The plan of a build: which slots of which sources become which chunks, and the key that names each of them.

A chunk's key is a hash over everything that decides its bytes (code, converter version, annotation files, options, slot
range) and over nothing else (number of workers, machine, folder). Equal keys mean equal bytes: that is what resuming
rests on, and what notices a changed input.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vtinstruct import plugins, schema
from vtinstruct.build.choose import ROOM, Chosen
from vtinstruct.build.exclude import Excluded, read_excluded
from vtinstruct.build.licences import EVERY, Licences
from vtinstruct.build.mix import Mix
from vtinstruct.manifest import FileDigest, is_training
from vtinstruct.record import Category, Drop
from vtinstruct.source import Source, SourceError
from vtinstruct.streams import Format
from vtinstruct.task import Task
from vtinstruct.version import VERSION

CHUNK_SLOTS = 1000


@dataclass(frozen=True, slots=True)
class Options:
    """What decides a build's content beside its sources. `tasks` empty means all that fit; `limit` is the number of
    records (slots) taken from each split of each source, 0 for all; `chunk_slots` the slots of a chunk; `mix` what is
    kept of training splits; `exclude_images_of` whose photos stay out of them (see `build.exclude`); `licences` what rows
    may be under; `format` of the shards; `embed` puts photos and depth maps into them (`album`), once each."""

    tasks: tuple[str, ...] = ()
    limit: int = 0
    seed: int = 0
    photo_check: bool = True
    copy_photos: bool = False
    chunk_slots: int = CHUNK_SLOTS
    mix: Mix | None = None
    exclude_images_of: tuple[str, ...] = ()
    licences: Licences = EVERY
    format: Format = "arrow"
    embed: bool = False


@dataclass(frozen=True, slots=True)
class InputFile:
    """An annotation file as planned: path relative to the source's root, hash, size and time of change."""

    path: str
    sha256: str
    bytes: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class PlannedSplit:
    """One split of one source, and what it will be asked for. `built` slots of `slots` are taken."""

    source: str
    root: str
    split: str
    version: str
    licence: str
    title: str
    homepage: str
    files: tuple[InputFile, ...]
    slots: int
    built: int
    tasks: tuple[str, ...]
    vocabulary: tuple[Category, ...]
    faults: tuple[Drop, ...]

    def digests(self) -> tuple[FileDigest, ...]:
        """The annotation files' hashes, by path below the root."""
        return tuple(FileDigest(file.path, file.sha256) for file in self.files)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A range of slots of a planned split (by its number in the plan). `name` holds the start of `key`."""

    name: str
    key: str
    split: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Plan:
    """See the module. `key` names the whole build; `excluded` is what `options.exclude_images_of` was found to mean."""

    key: str
    options: Options
    splits: tuple[PlannedSplit, ...]
    chunks: tuple[Chunk, ...]
    excluded: Excluded

    def slots(self) -> int:
        """How many slots all chunks have together."""
        return sum(chunk.stop - chunk.start for chunk in self.chunks)


def tasks_for(source: Source, wanted: Sequence[str]) -> tuple[str, ...]:
    """The tasks (all, or the wanted ones) that the source's facts can feed, by name."""
    names = set(wanted or plugins.names("vtinstruct.tasks"))
    return tuple(sorted(name for name in names if task_named(name).fed_by(source.offers)))


def task_named(name: str) -> Task:
    """The task plugin of that name; `SourceError` with the known names when there is none."""
    try:
        return plugins.load("vtinstruct.tasks", name)
    except plugins.UnknownPlugin as error:
        raise SourceError(str(error)) from error


def make_plan(chosen: Sequence[Chosen], options: Options, say: Callable[[str], None] = lambda text: None) -> Plan:
    """Open every split once, hash what it was read from, and cut it into chunks. Raises `SourceError`."""
    for name in options.tasks:
        task_named(name)
    excluded = read_excluded(options.exclude_images_of, options.photo_check, say)
    splits: list[PlannedSplit] = []
    if options.mix is not None and (gone := options.mix.without(options.tasks or plugins.names("vtinstruct.tasks"))):
        say(f"the mix {options.mix.name} leaves out {', '.join(gone)}")
    options.licences.refuse_all([choice.source.licence for choice in chosen])
    for choice in chosen:
        if not options.licences.wants_some(choice.source.licence):
            say(f"{choice.source.name}: its licence {choice.source.licence} was not asked for; left out")
            continue
        tasks = tasks_for(choice.source, options.tasks)
        if options.mix is not None:
            tasks = tuple(task for task in tasks if options.mix.weight(task, choice.source.name) > 0)
        if not tasks:
            say(f"{choice.source.name}: feeds none of the tasks asked for; left out")
            continue
        splits.extend(plan_split(choice.source, choice.root, split, tasks, options) for split in choice.splits)
    if not splits:
        raise SourceError("nothing to build: no source feeds any of the tasks asked for")
    kept_out = excluded.digest()
    chunks = tuple(chunk for number, split in enumerate(splits) for chunk in _cut(number, split, options, kept_out))
    named = options.mix.said() if options.mix is not None else None
    shape = options.format, options.embed  # of the shards alone: chunks are the same
    said = [chunk.key for chunk in chunks], [_split_key(split) for split in splits], named, kept_out, shape
    return Plan(_hash(said), options, tuple(splits), chunks, excluded)


def plan_split(source: Source, root: Path, split: str, tasks: tuple[str, ...], options: Options) -> PlannedSplit:
    """Open a split, count its slots and hash its files. Raises `SourceError`."""
    opened = source.open(root, split)
    slots = len(opened)
    return PlannedSplit(
        source.name,
        str(root),
        split,
        source.version,
        source.licence,
        source.title,
        source.homepage,
        tuple(input_file(path, root) for path in opened.files),
        slots,
        min(slots, options.limit) if options.limit else slots,
        tasks,
        tuple(opened.vocabulary),
        tuple(opened.faults),
    )


def input_file(path: Path, root: Path) -> InputFile:
    """An annotation file's hash and state. Raises `SourceError` when it cannot be read."""
    try:
        state = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}; it was there when the source was opened") from error
    return InputFile(_relative(path, root), digest, state.st_size, state.st_mtime_ns)


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:  # the file was reached through a link
        return path.resolve().relative_to(root.resolve()).as_posix()


def _cut(number: int, split: PlannedSplit, options: Options, kept_out: str) -> list[Chunk]:
    key = _split_key(split)
    content: list[Any] = [options.seed, options.photo_check, options.copy_photos, options.licences.patterns]
    if is_training(split.split):  # evaluation splits are the same with any mix
        content += [options.mix.digest() if options.mix is not None else "", kept_out]
    found: list[Chunk] = []
    for start in range(0, split.built, options.chunk_slots):
        stop = min(start + options.chunk_slots, split.built)
        own = _hash([key, content, start, stop])
        found.append(Chunk(f"{split.source}-{split.split}-{start:09d}-{own[:12]}", own, number, start, stop))
    return found


def _split_key(split: PlannedSplit) -> str:
    return _hash(
        [
            schema.VERSION,
            VERSION,
            code_digest(split.source),
            [split.source, split.split, split.version, split.licence, split.title, split.homepage],
            [asdict(file) for file in split.digests()],
            [split.slots, split.built],
            list(split.tasks),
        ]
    )


def _hash(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@cache
def code_digest(source: str) -> str:
    """A hash over the code that makes a source's rows (this package and the converter with its furniture): chunks made by
    other code are never mixed in."""
    digest = hashlib.sha256()
    for room in ("vtinstruct", ROOM):
        spec = importlib.util.find_spec(room)
        for folder in map(Path, (spec.submodule_search_locations or ()) if spec else ()):
            for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.toml")]):
                name = path.relative_to(folder).as_posix()
                if name.startswith("sample/") or (room == ROOM and not name.startswith(("_", f"{source}."))):
                    continue
                digest.update(f"{room}/{name}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
