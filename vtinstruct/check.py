"""Is a built dataset sound? Manifest, hashes, schema, counts, ids, every unit inside its photo; photos on demand."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import NDArray

from vtinstruct import album, card, croissant
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.manifest import LEDGER, DatasetError, ImageFile, Manifest, Shard, content_hash, read_manifest
from vtinstruct.photos import PhotoError, look_in
from vtinstruct.shards import open_batches
from vtinstruct.soundness import faults
from vtinstruct.streams import FORMATS, read_stream
from vtinstruct.units import Depth

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # many times as fast, where it is there
MOST = 20  # findings of one shard; a broken shard has thousands of the same


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: the file (relative to the dataset), the sample's id where there is one, and one sentence."""

    path: str
    id: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.path, self.id, self.text) if part)


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
    pictures = _Pictures(root) if photos else None
    embedded = _Embedded(root) if manifest.images else None
    if embedded is not None:
        for file in manifest.images:
            found.extend(embedded.take_file(file))
            done += file.bytes
    ids: dict[str, list[NDArray[np.int64]]] = {}
    for shard in manifest.files:
        found.extend(_limited(_shard(root, shard, ids.setdefault(shard.task, []), pictures, embedded), shard.path))
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
        there = _text(root / relative)
        if there != text and not (relative == croissant.NAME and croissant.same(there, text)):
            yield Finding(relative, "", "is missing or of another build; what reads it would go wrong")
    dropped, kept = sum(drop.count for drop in manifest.drops), _text(root / LEDGER).count("\n")
    if dropped != kept:
        yield Finding(LEDGER, "", f"has {kept} lines, the manifest counts {dropped} drops and repairs")


def _card(root: Path, manifest: Manifest) -> Iterator[Finding]:
    """What the card says to loaders must be what was built; its words may be anyone's."""
    text = _text(root / card.README)
    try:
        front = yaml.load(text.split("---\n", 2)[1], _LOADER)
        said = {key: front.get(key) for key in ("configs", "dataset_info")}
    except (IndexError, AttributeError, yaml.YAMLError):
        said = {}
    right = card.front(manifest)
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


def _bytes(root: Path, file: Shard | ImageFile) -> Iterator[Finding]:
    """Whether a file's bytes are those of the manifest."""
    try:
        with (root / file.path).open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        yield Finding(file.path, "", f"{error.strerror or error}; the manifest lists {file.rows} rows in it")
        return
    if digest != file.sha256:
        yield Finding(file.path, "", "its bytes are not those that were built (SHA-256 differs)")


def _shard(
    root: Path, shard: Shard, ids: list[NDArray[np.int64]], pictures: _Pictures | None, embedded: _Embedded | None
) -> Iterator[Finding]:
    path = root / shard.path
    yield from _bytes(root, shard)
    if not path.is_file():
        return
    rows = units = 0
    try:
        for batch in open_batches(path):
            batch.validate(full=True)
            rows += batch.num_rows
            units += len(batch.column("units").flatten())
            names = batch.column("id").to_pylist()
            ids.append(np.fromiter(map(hash, names), np.int64, len(names)))
            for column, value in (("task", shard.task), ("split", shard.split)):
                if set(batch.column(column).unique().to_pylist()) - {value}:
                    yield Finding(shard.path, "", f"has rows of another {column} than {value!r}")
            for row, text in faults(batch):
                yield Finding(shard.path, str(names[row]), text)
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


class _Embedded:
    """The files in the `images` configuration, and whether every row's are among them, with the right bytes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._hashes: dict[str, str] = {}
        self._missed: set[str] = set()

    def take_file(self, file: ImageFile) -> Iterator[Finding]:
        """One file of embedded photos."""
        yield from _bytes(self._root, file)
        path, rows = self._root / file.path, 0
        if not path.is_file():
            return
        try:
            for batch in read_stream(path, album.SCHEMA):
                batch.validate(full=True)
                rows += batch.num_rows
                for digest, paths, content in zip(*map(batch.column, ("sha256", "paths", "bytes")), strict=True):
                    if hashlib.sha256(content.as_buffer()).hexdigest() != digest.as_py():
                        yield Finding(file.path, str(paths[0]), "its bytes are not those of its SHA-256")
                    self._hashes.update(dict.fromkeys(paths.as_py(), digest.as_py()))
        except (DatasetError, ValueError) as error:  # Arrow's errors are ValueErrors
            yield Finding(file.path, "", str(error).removeprefix(f"{path}: "))
            return
        if rows != file.rows:
            yield Finding(file.path, "", f"has {rows} rows, the manifest says {file.rows}")

    def take(self, shard: str, batch: pa.RecordBatch) -> Iterator[Finding]:
        """The references of a batch of rows."""
        named = album.Named()
        named.take(batch)
        for path, photo in named.photos.items():
            yield from self._look(shard, path, photo.sha256)
        for path in named.depths:
            yield from self._look(shard, path, "")

    def _look(self, shard: str, path: str, sha256: str) -> Iterator[Finding]:
        there = self._hashes.get(path)
        if path not in self._missed and (there is None or sha256 not in ("", there)):
            self._missed.add(path)
            what = "is not among the embedded photos" if there is None else "is embedded with other bytes than rows say"
            yield Finding(shard, "", f"{path} {what}")


class _Pictures:
    """Looks at every photo and depth map once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.seen: set[str] = set()
        self.findings: list[Finding] = []

    def take(self, shard: str, batch: pa.RecordBatch) -> None:
        """All files that a batch names."""
        for row in batch.select(["id", "image", "units"]).to_pylist():
            image, name = row["image"], row["id"]
            if image is not None:
                self._photo(
                    shard, name, StoredPhoto(image["path"], image["sha256"], (image["width"], image["height"]), "")
                )
            for unit in row["units"]:
                if unit["depth"] is not None:
                    self._depth(shard, name, Depth(unit["depth"]["path"], unit["depth"]["scale"]), image)

    def _photo(self, shard: str, name: str, photo: StoredPhoto) -> None:
        if photo.path in self.seen:
            return
        self.seen.add(photo.path)
        try:
            now = look_in(self._root, photo.path)
        except PhotoError as error:
            self.findings.append(Finding(shard, name, f"{photo.path}: {error.reason}: {error.detail}"))
            return
        if now.size_wh != photo.size_wh or photo.sha256 not in ("", now.sha256):
            text = (
                f"{photo.path}: is not the picture that was built from (size {now.size_wh}, SHA-256 {now.sha256[:12]})"
            )
            self.findings.append(Finding(shard, name, text))

    def _depth(self, shard: str, name: str, depth: Depth, image: dict[str, int] | None) -> None:
        if depth.path in self.seen:
            return
        self.seen.add(depth.path)
        try:
            size = look_in(self._root, depth.path, depth=True).size_wh
        except PhotoError as error:
            self.findings.append(Finding(shard, name, f"{depth.path}: {error.reason}: {error.detail}"))
            return
        if image is not None and size != (image["width"], image["height"]):
            self.findings.append(Finding(shard, name, f"{depth.path}: {size} pixels, its photo has others"))
