"""`vtinstruct export`: a built dataset in the formats other trainers read, row by row, whatever its size.

Every `exports/<name>.py` is one format, with one public name `EXPORT`. What a format cannot carry is left out, counted by
reason, and said in `export.json`, which is written last: where it is, the export is whole.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pyarrow ships no types)

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from vtinstruct import plugins
from vtinstruct.dialect import dialect_named
from vtinstruct.dialogue import Dialogue
from vtinstruct.manifest import DatasetError, Manifest, read_manifest
from vtinstruct.photos import PhotoError, file_bytes
from vtinstruct.rows import ReadError, dialogue_from_row
from vtinstruct.shards import open_batches

ROOM = "vtinstruct.exports"
REPORT = "export.json"


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a dataset, as `datasets` gives it (`row`) and as a dialogue."""

    row: Mapping[str, Any]

    @property
    def dialogue(self) -> Dialogue:
        """The row, read. Raises `rows.ReadError`."""
        return dialogue_from_row(self.row)


@dataclass(slots=True)
class Job:
    """What an export works on: the dataset at `root`, the folder `out` it fills, and whether photos are to be written too.

    `dialect` is how answers are to be said, where the format can say them in several ways ("": its own). `left_out` counts
    what the format could not carry, `noted` what it carries in another form, both by reason.
    """

    root: Path
    manifest: Manifest
    out: Path
    photos: bool
    dialect: str = ""
    left_out: Counter[str] = field(default_factory=Counter[str])
    noted: Counter[str] = field(default_factory=Counter[str])
    _opened: ExitStack = field(default_factory=ExitStack)

    def create(self, name: str) -> BinaryIO:
        """A new file below `out`; closed with the job at the latest."""
        path = self.out / name
        path.parent.mkdir(exist_ok=True)
        return self._opened.enter_context(path.open("w+b"))

    def close(self) -> None:
        """Close what an export that failed has left open."""
        self._opened.close()

    def bytes_of(self, path: str) -> bytes:
        """The bytes of a photo or depth map that a row names. Raises `DatasetError`."""
        try:
            return file_bytes(self.root, path)
        except PhotoError as error:
            raise DatasetError(f"{error}; `vtinstruct check --photos` lists what is missing") from error

    def place_photo(self, path: str) -> str:
        """What an export calls a photo: its path below the dataset, or, with `photos`, below `out`, where it is put."""
        target = self.out / path
        if self.photos and not target.exists():
            content = self.bytes_of(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return path


@dataclass(frozen=True, slots=True)
class Export:
    """A format. `name` is what `--to` says; `kinds` the unit kinds it is made for (only tasks that can answer with one of
    them are exported), or none when it takes every task; `write` takes the items, task by task within split by split, and
    yields every file it has finished, relative to `job.out`. `dialects`: it can say answers in a model's own words."""

    name: str
    title: str
    kinds: frozenset[str]
    write: Callable[[Iterable[Item], Job], Iterator[str]]
    dialects: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to: `dialogues` read, the `files` written, and what was left out or changed, by reason."""

    format: str
    content_hash: str
    tasks: tuple[str, ...]
    splits: tuple[str, ...]
    dialogues: int
    files: tuple[str, ...]
    left_out: Mapping[str, int]
    noted: Mapping[str, int]
    dialect: str = ""


def formats() -> tuple[str, ...]:
    """What `--to` may say."""
    return tuple(name.replace("_", "-") for name in plugins.names(ROOM))


def export_named(name: str) -> Export:
    """The format of that name. Raises `UnknownPlugin`."""
    if name not in formats():
        raise plugins.UnknownPlugin(f"no export {name!r}; known: {', '.join(formats())}")
    return plugins.load(ROOM, name.replace("-", "_"))


def export(
    root: Path,
    to: str,
    out: Path,
    tasks: Sequence[str] = (),
    splits: Sequence[str] = (),
    photos: bool = False,
    progress: Callable[[int, int], None] | None = None,
    dialect: str = "",
) -> Exported:
    """Export the dataset at `root` to the new or empty folder `out`; `progress` is told rows done and rows in all. Raises
    `DatasetError` or `UnknownPlugin`, each with one line."""
    form, manifest = export_named(to), read_manifest(root)
    if dialect:
        dialect_named(dialect)
        if not form.dialects:
            raise DatasetError(f"{form.name} says answers in one way; --dialect goes with llava-json")
    chosen = _tasks(form, manifest, tasks)
    known = sorted({shard.split for shard in manifest.files})
    if unknown := [split for split in splits if split not in known]:
        raise DatasetError(f"{root}: no split {unknown[0]!r}; there are: {', '.join(known)}")
    wanted = tuple(split for split in known if not splits or split in splits)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out}: is there already; a new or empty folder is right")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with closing(Job(root, manifest, out, photos, dialect)) as job:
            rows = _Rows(job, chosen, wanted, progress)
            files = tuple(form.write(rows, job))
        done = Exported(
            form.name, manifest.content_hash, chosen, wanted, rows.read, files,
            dict(sorted(job.left_out.items())), dict(sorted(job.noted.items())), dialect,
        )  # fmt: skip
        text = json.dumps(asdict(done), indent=1, ensure_ascii=False)
        (out / REPORT).write_text(text + "\n", encoding="utf-8")
    except ReadError as error:
        raise DatasetError(f"{root}: {error}; `vtinstruct check` says what else is wrong") from error
    except OSError as error:
        raise DatasetError(
            f"{error.filename or out}: {error.strerror or error}; remove {out} and export again"
        ) from error
    return done


def _tasks(form: Export, manifest: Manifest, wanted: Sequence[str]) -> tuple[str, ...]:
    there = manifest.tasks()
    if not there:
        raise DatasetError("the dataset has no rows; nothing to export")
    if unknown := [task for task in wanted if task not in there]:
        raise DatasetError(f"no task {unknown[0]!r} in the dataset; there are: {', '.join(there) or 'none'}")
    fitting = tuple(task for task in there if not form.kinds or form.kinds & set(_units(task)))
    if unfit := [task for task in wanted if task not in fitting]:
        raise DatasetError(
            f"{form.name} holds {', '.join(sorted(form.kinds))}, and {unfit[0]} answers with none of them"
        )
    chosen = tuple(task for task in fitting if not wanted or task in wanted)
    if not chosen:
        raise DatasetError(f"no task of the dataset answers with {' or '.join(sorted(form.kinds))}; nothing to export")
    return chosen


def _units(task: str) -> tuple[str, ...]:
    return plugins.load("vtinstruct.tasks", task).units


class _Rows:
    """The rows of some tasks and splits, split by split, counted as they go."""

    def __init__(
        self, job: Job, tasks: Sequence[str], splits: Sequence[str], progress: Callable[[int, int], None] | None
    ) -> None:
        self._job, self._progress = job, progress
        self.read = 0
        files = job.manifest.files
        self._shards = [f for split in splits for task in tasks for f in files if (f.split, f.task) == (split, task)]

    def __iter__(self) -> Iterator[Item]:
        total = sum(shard.rows for shard in self._shards)
        for shard in self._shards:
            for batch in open_batches(self._job.root / shard.path):
                for row in batch.to_pylist():
                    yield Item(row)
                self.read += batch.num_rows
                if self._progress is not None:
                    self._progress(self.read, total)
