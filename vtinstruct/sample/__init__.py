"""The embedded sample: drawn scenes written in the official file formats of the sources, from nothing but a seed.

`write_sample(out, scenes, seed)` draws; every `vtinstruct/sample/<source>.py` with a `WRITER` writes the format its
converter reads. `SAMPLE.json`, written last, says what is there: where it is, the sample is whole.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import shutil
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vtinstruct import plugins
from vtinstruct.sample._shot import Shot, Writer, write_json
from vtinstruct.sample.scenes import Scene, draw_scene

__all__ = ["NAME", "Sample", "SampleError", "SampleSource", "sources", "write_sample"]

NAME = "SAMPLE.json"
UNFINISHED = ".sample-unfinished"
VERSION = 1  # rises when the same seed gives other bytes


class SampleError(Exception):
    """A sample that cannot be written: one line with the folder, what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class SampleSource:
    """One source of a sample: its name, its root below the sample's folder, its splits."""

    name: str
    folder: str
    splits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a finished sample holds; the same as in its `SAMPLE.json`."""

    scenes: int
    seed: int
    size_wh: tuple[int, int]
    version: int
    things: int
    sources: tuple[SampleSource, ...]


def sources() -> tuple[str, ...]:
    """The sources the sample is written for: the names of the writer files."""
    return tuple(name for name in plugins.names(__name__) if name != "scenes")


def write_sample(
    out: Path,
    scenes: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
    only: Collection[str] | None = None,
) -> Sample:
    """Draw `scenes` scenes from `seed` and write them below `out` in all formats, or in those of the sources `only`.

    The same bytes on every run, whatever the number of `workers` (processes that draw; this one writes). `progress` is
    called with (scenes done, scenes wanted). A finished sample of the same numbers and sources is left as it is; an
    unfinished one is begun anew. Raises `SampleError` when `out` holds anything else.
    """
    if scenes < 1:
        raise SampleError(f"{scenes} scenes; 1 or more are right")
    names = tuple(name for name in sources() if only is None or name in only)
    unknown = sorted(set(only or ()) - set(names))
    if unknown or not names:
        raise SampleError(f"no sample for {', '.join(unknown) or 'no source'}; known: {', '.join(sources())}")
    found = _finished(out, scenes, seed, names)
    if found is not None:
        return found
    writers: dict[str, Writer] = {name: _writer(name)(out, seed) for name in names}
    _clear(out)
    things, size_wh = 0, (0, 0)
    for index, scene in enumerate(_drawn(scenes, seed, workers)):
        shot = Shot(index, seed, scene)
        for writer in writers.values():
            writer.add(shot)
        things, size_wh = things + len(shot.scene.things), shot.size_wh
        if progress is not None:
            progress(index + 1, scenes)
    written = tuple(SampleSource(name, writer.folder, writer.finish()) for name, writer in writers.items())
    sample = Sample(scenes, seed, size_wh, VERSION, things, written)
    write_json(out / NAME, asdict(sample))
    (out / UNFINISHED).unlink()
    return sample


def _drawn(scenes: int, seed: int, workers: int) -> Iterator[Scene]:
    """The scenes in order, drawn here or in other processes."""
    draw = partial(draw_scene, seed)
    if workers <= 1:
        yield from map(draw, range(scenes))
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(draw, range(scenes), chunksize=8)
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(out: Path, scenes: int, seed: int, names: tuple[str, ...]) -> Sample | None:
    """The sample that is already there in full, None where there is none."""
    path = out / NAME
    if not path.exists() or (out / UNFINISHED).exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parts = tuple(SampleSource(row["name"], row["folder"], tuple(row["splits"])) for row in content["sources"])
        width, height = content["size_wh"]
        found = Sample(
            content["scenes"], content["seed"], (width, height), content["version"], content["things"], parts
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SampleError(
            f"{path}: not the list of a sample ({error!r}); remove {out} or name another folder"
        ) from error
    there = tuple(part.name for part in found.sources)
    if (found.scenes, found.seed, found.version, there) != (scenes, seed, VERSION, names):
        raise SampleError(
            f"{out}: holds another sample ({found.scenes} scenes, seed {found.seed}, version {found.version}, "
            f"{len(there)} sources); remove it or name another folder"
        )
    return found


def _clear(out: Path) -> None:
    """Make `out` an empty folder marked as unfinished; only what an interrupted run of ours left may be removed."""
    marker = out / UNFINISHED
    if out.exists() and not out.is_dir():
        raise SampleError(f"{out}: is a file; name a new or empty folder")
    if out.is_dir() and any(out.iterdir()) and not marker.exists():
        raise SampleError(f"{out}: not empty and no sample of ours; name a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    marker.touch()
    (out / NAME).unlink(missing_ok=True)
    for folder in sorted({_writer(name).folder for name in sources()}):
        if (out / folder).exists():
            shutil.rmtree(out / folder)


def _writer(name: str) -> type[Writer]:
    """The writer of a source, not yet made."""
    return importlib.import_module(f"{__name__}.{name}").WRITER
