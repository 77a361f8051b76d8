"""Is a built dataset sound? Manifest, hashes, schema, counts, ids, every unit inside its photo; photos on demand."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import NDArray

from vtinstruct import card, croissant
from vtinstruct.check_photos import Embedded, Pictures
from vtinstruct.finding import Finding, wrong_bytes
from vtinstruct.manifest import LEDGER, DatasetError, Manifest, Shard, content_hash, read_manifest
from vtinstruct.shards import open_batches
from vtinstruct.soundness import faults
from vtinstruct.streams import FORMATS

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # many times as fast, where it is there
OTHER_BUILD = "is missing or of another build; what reads it would go wrong"
IN_HAND = 16  # batches
MOST = 20  # findings of one shard; a broken shard has thousands of the same


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check looked at and what it found. `bytes` and `rows` of shards, `photos` files."""

    findings: tuple[Finding, ...]
    shards: int
    rows: int
    units: int
    bytes: int
    photos: int


def check(root: Path, photos: bool = False, progress: Callable[[int, int], None] | None = None) -> Checked:
    """Check the dataset at `root`; with `photos`, read every photo and depth map too. `progress` is told bytes done and
    bytes in all. Raises `DatasetError` only when there is no usable manifest at all."""
    manifest = read_manifest(root)
    found = list(_around(root, manifest))
    total, done = sum(file.bytes for file in (*manifest.files, *manifest.images)), 0
    pictures = Pictures(root) if photos else None
    embedded = Embedded(root) if manifest.images else None
    if embedded is not None:
        for file in manifest.images:
            found.extend(embedded.take_file(file))
            done += file.bytes
    ids: dict[str, list[NDArray[np.int64]]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing and array passes let others run meanwhile
        for shard in manifest.files:
            hashed = pool.submit(wrong_bytes, root, shard)
            looked = _shard(pool, root, shard, ids.setdefault(shard.task, []), pictures, embedded)
            rows = tuple(_limited(looked, shard.path))
            found.extend(_limited(chain(hashed.result(), rows), shard.path))
            done += shard.bytes
            if progress is not None:
                progress(done, total)
    for task, hashes in ids.items():
        doubled = sum(map(len, hashes)) - len(np.unique(np.concatenate(hashes))) if hashes else 0
        if doubled:
            found.append(Finding("", "", f"{doubled} samples of task {task} have the id of another"))
    if pictures is not None:
        found.extend(pictures.findings)
    rows, units = sum(s.rows for s in manifest.files), sum(s.units for s in manifest.files)
    seen = len(pictures.seen) if pictures is not None else 0
    return Checked(tuple(found), len(manifest.files) + len(manifest.images), rows, units, total, seen)


def _around(root: Path, manifest: Manifest) -> Iterator[Finding]:
    """The files around the shards, and files that do not belong."""
    listed = {file.path for file in (*manifest.files, *manifest.images)}
    for path in sorted((root / "data").rglob("*")):
        relative = path.relative_to(root).as_posix()
        if path.suffix[1:] in FORMATS and relative not in listed:
            yield Finding(relative, "", "is in no manifest, and readers would load it; remove it")
    if content_hash(manifest.files, manifest.sources, manifest.images) != manifest.content_hash:
        yield Finding("manifest.json", "", "its content hash is not that of what it lists; build the dataset again")
    yield from _card(root, manifest)
    for relative, text in card.side_files(manifest).items():
        if _text(root / relative) != text:
            yield Finding(relative, "", OTHER_BUILD)
    if not croissant.says(_text(root / croissant.NAME), card.describe(manifest)):
        yield Finding(croissant.NAME, "", OTHER_BUILD)
    dropped, kept = sum(drop.count for drop in manifest.drops), _text(root / LEDGER).count("\n")
    if dropped != kept:
        yield Finding(LEDGER, "", f"has {kept} lines, the manifest counts {dropped} drops and repairs")


def _card(root: Path, manifest: Manifest) -> Iterator[Finding]:
    """What the card says to loaders must be what was built; its words may be anyone's."""
    text, right = _text(root / card.README), card.front(manifest)
    if text.startswith(card.head(right)):
        return
    try:
        front = yaml.load(text.split("---\n", 2)[1], _LOADER)
        said = {key: front.get(key) for key in ("configs", "dataset_info")}
    except (IndexError, AttributeError, yaml.YAMLError):
        said = {}
    if said != {key: right[key] for key in ("configs", "dataset_info")}:
        yield Finding(card.README, "", "is missing or of another build: `datasets` would serve stale or missing rows")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _limited(findings: Iterator[Finding], path: str) -> Iterator[Finding]:
    for number, finding in enumerate(findings):
        if number == MOST:
            yield Finding(path, "", f"more than {MOST} findings; the rest is not listed")
            return
        yield finding


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a batch is by itself: hashes of its rows' ids (N,), its units, and what is wrong in it: (id, one sentence)."""

    ids: NDArray[np.int64]
    units: int
    wrong: tuple[tuple[str, str], ...]


def _look(shard: Shard, batch: pa.RecordBatch) -> _Looked:
    """Look at a batch of a shard. Raises Arrow's errors."""
    batch.validate(full=True)
    wrong: list[tuple[str, str]] = []
    for column, value in (("task", shard.task), ("split", shard.split)):
        if set(batch.column(column).unique().to_pylist()) - {value}:
            wrong.append(("", f"has rows of another {column} than {value!r}"))
    names = batch.column("id").to_pylist()
    wrong.extend((str(names[row]), text) for row, text in islice(faults(batch), MOST + 1))
    ids = np.fromiter(map(hash, names), np.int64, len(names))
    return _Looked(ids, len(batch.column("units").flatten()), tuple(wrong))


def _ahead(pool: Executor, look: Callable[[Any], _Looked], batches: Iterable[Any]) -> Iterator[tuple[Any, _Looked]]:
    """Every batch and what it looks like, in order, a few at work at a time: those of Parquet are decoded in memory."""
    waiting: deque[tuple[Any, Future[_Looked]]] = deque()
    for batch in batches:
        waiting.append((batch, pool.submit(look, batch)))
        if len(waiting) > IN_HAND:
            batch, looked = waiting.popleft()
            yield batch, looked.result()
    for batch, looked in waiting:
        yield batch, looked.result()


def _shard(
    pool: Executor, root: Path, shard: Shard, ids: list[NDArray[np.int64]], pictures: Pictures | None,
    embedded: Embedded | None,
) -> Iterator[Finding]:  # fmt: skip
    """Everything about a shard but whether its bytes are the right ones."""
    path = root / shard.path
    if not path.is_file():
        return
    rows = units = 0
    try:
        for batch, looked in _ahead(pool, partial(_look, shard), open_batches(path)):
            rows += batch.num_rows
            units += looked.units
            ids.append(looked.ids)
            for name, text in looked.wrong:
                yield Finding(shard.path, name, text)
            if pictures is not None:
                pictures.take(shard.path, batch)
            if embedded is not None:
                yield from embedded.take(shard.path, batch)
    except (DatasetError, ValueError) as error:  # Arrow's errors are ValueErrors
        yield Finding(shard.path, "", str(error).removeprefix(f"{path}: "))
        return
    if rows != shard.rows:
        yield Finding(shard.path, "", f"has {rows} rows, the manifest says {shard.rows}")
    if units != shard.units:
        yield Finding(shard.path, "", f"has {units} units, the manifest says {shard.units}")
