"""Is a built dataset sound? Manifest, hashes, schema, counts, ids, every unit inside its photo; photos on demand.

Every file is hashed before it is read. One with other bytes than were built is not read at all: there is no more to say of
it. A large dataset is looked at by several processes, a piece of a shard at a time, while this one hashes ahead.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pyarrow ships no types)

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import yaml

from vtinstruct import card, croissant
from vtinstruct.ahead import ahead
from vtinstruct.check_photos import Embedded, Pictures
from vtinstruct.check_rows import MOST, Hashes, Looked, look, pieces
from vtinstruct.engines import WorkerDied, local
from vtinstruct.finding import Finding, wrong_bytes
from vtinstruct.manifest import (
    LEDGER,
    NAME,
    DatasetError,
    ImageFile,
    Manifest,
    Shard,
    content_hash,
    is_sealed,
    read_manifest,
)  # fmt: skip
from vtinstruct.shards import open_batches
from vtinstruct.streams import FORMATS

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # many times as fast, where it is there
OTHER_BUILD = "is missing or of another build; what reads it would go wrong"
PROCESS_BYTES = 100_000_000  # of shards, for each of several processes, or else its start costs more than it brings

File = TypeVar("File", Shard, ImageFile)
ByShard = Mapping[str, Sequence[Looked]]  # path -> its pieces, in order


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check looked at and what it found. `bytes` and `rows` of shards, `photos` files."""

    findings: tuple[Finding, ...]
    shards: int
    rows: int
    units: int
    bytes: int
    photos: int


def check(root: Path, photos: bool = False, workers: int = 1) -> Checked:
    """Check the dataset at `root`, by up to so many processes where it is large; with `photos`, read every photo and depth
    map too. Raises `DatasetError` only when there is no manifest that can be read, or a process was lost."""
    manifest = read_manifest(root)
    pictures = Pictures(root) if photos else None
    if is_sealed((root / NAME).read_text(encoding="utf-8")):
        found = (*_around(root, manifest), *_inside(root, manifest, workers, pictures))
    else:  # nothing that it says is of use
        found = (Finding(NAME, "", "is not as it was written (its last line is not the SHA-256 of the others)"),)
    files, seen = (*manifest.files, *manifest.images), len(pictures.seen) if pictures is not None else 0
    rows, units = sum(s.rows for s in manifest.files), sum(s.units for s in manifest.files)
    return Checked(found, len(files), rows, units, sum(file.bytes for file in files), seen)


# --- what is around them ----------------------------------------------------------------------------------------------


def _around(root: Path, manifest: Manifest) -> Iterator[Finding]:
    """The files around the shards, and files that do not belong."""
    listed = {file.path for file in (*manifest.files, *manifest.images)}
    for path in sorted((*root.glob("*"), *(root / "data").rglob("*"))):
        relative = path.relative_to(root).as_posix()
        if path.suffix[1:] in FORMATS and relative not in listed:
            yield Finding(relative, "", "is in no manifest, and readers would load it; remove it")
    if content_hash(manifest.files, manifest.sources, manifest.images) != manifest.content_hash:
        yield Finding("manifest.json", "", "its content hash is not that of what it lists; build the dataset again")
    yield from _card(root, manifest)
    for relative, text in card.side_files(manifest).items():
        if _text(root / relative) != text:
            yield Finding(relative, "", OTHER_BUILD)
    described = _text(root / croissant.NAME)
    if described != croissant.text(card.describe(manifest, **croissant.published_in(described))):
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


# --- what is in the files --------------------------------------------------------------------------------------------


def _inside(root: Path, manifest: Manifest, workers: int, pictures: Pictures | None) -> Iterator[Finding]:
    """Everything in the shards, and in the files of embedded photos."""
    wrong: dict[str, Finding] = {}
    embedded = Embedded(root) if manifest.images else None
    for file in _right(root, manifest.images, wrong):
        assert embedded is not None  # there is a file
        yield from embedded.take_file(file)
    if wrong:  # rows would miss what is in them
        embedded = None
    processes = min(workers, sum(shard.bytes for shard in manifest.files) // PROCESS_BYTES)
    looked = _looked(root, manifest.files, wrong, processes)
    yield from wrong.values()
    for shard in manifest.files:
        if shard.path not in wrong:
            yield from _limited(shard.path, _of_shard(shard, looked[shard.path]))
            yield from _limited(shard.path, _named(root, shard, pictures, embedded))
    yield from _doubled(manifest.files, looked)
    if pictures is not None:
        yield from pictures.findings


def _right(root: Path, files: Iterable[File], wrong: dict[str, Finding]) -> Iterator[File]:
    """The files whose bytes are those of the manifest, in order, while the next ones are hashed; the others go to `wrong`."""
    for file, found in ahead(partial(wrong_bytes, root), files):
        if found is None:
            yield file
        else:
            wrong[file.path] = found


def _looked(root: Path, shards: Sequence[Shard], wrong: dict[str, Finding], processes: int) -> ByShard:
    """What the shards of right bytes are like; the others go to `wrong`. Raises `DatasetError` when a process is lost."""
    found: dict[str, dict[int, Looked]] = {shard.path: {} for shard in shards}
    try:
        for piece, looked in local.run_here_too(pieces(root, _right(root, shards, wrong)), look, processes):
            if isinstance(looked, Exception):
                raise looked
            found[piece.shard.path][piece.part] = looked
    except WorkerDied as error:
        raise DatasetError(f"{root}: {error}; check it again with --workers 1") from error
    return {path: [parts[part] for part in sorted(parts)] for path, parts in found.items()}


def _of_shard(shard: Shard, looked: Sequence[Looked]) -> Iterator[Finding]:
    """What is wrong with a shard of right bytes."""
    for name, text in dict.fromkeys(wrong for piece in looked for wrong in piece.wrong):
        yield Finding(shard.path, name, text)
    if all(piece.whole for piece in looked):
        for what, listed in (("rows", shard.rows), ("units", shard.units)):
            there = sum(getattr(piece, what) for piece in looked)
            if there != listed:
                yield Finding(shard.path, "", f"has {there} {what}, the manifest says {listed}")


def _named(root: Path, shard: Shard, pictures: Pictures | None, embedded: Embedded | None) -> Iterator[Finding]:
    """The files that a shard's rows name."""
    if pictures is None and embedded is None:
        return
    try:
        for batch in open_batches(root / shard.path):
            if pictures is not None:
                pictures.take(shard.path, batch)
            if embedded is not None:
                yield from embedded.take(shard.path, batch)
    except DatasetError:
        return  # told by `_of_shard`


def _doubled(shards: Sequence[Shard], looked: ByShard) -> Iterator[Finding]:
    ids: dict[str, list[Hashes]] = defaultdict(list)
    for shard in shards:
        ids[shard.task].extend(piece.ids for piece in looked[shard.path])
    for task, hashes in ids.items():
        doubled = sum(map(len, hashes)) - len(np.unique(np.concatenate(hashes))) if hashes else 0
        if doubled:
            yield Finding("", "", f"{doubled} samples of task {task} have the id of another")


def _limited(path: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    for number, finding in enumerate(findings):
        if number == MOST:
            yield Finding(path, "", f"more than {MOST} findings; the rest is not listed")
            return
        yield finding
