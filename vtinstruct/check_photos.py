"""The photos' part of `check`: embedded files, and every photo and depth map that rows name."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from vtinstruct import album
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.finding import Finding
from vtinstruct.manifest import DatasetError, ImageFile
from vtinstruct.photos import PhotoError, look_in
from vtinstruct.streams import read_stream
from vtinstruct.units import Depth


class Embedded:
    """The files in the `images` configuration, and whether every row's are among them, with the right bytes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._hashes: dict[str, str] = {}
        self._missed: set[str] = set()

    def take_file(self, file: ImageFile) -> Iterator[Finding]:
        """One file of embedded photos, whose bytes are those of the manifest."""
        path, rows = self._root / file.path, 0
        try:
            for batch in read_stream(path, album.SCHEMA):
                batch.validate(full=True)
                rows += batch.num_rows
                for digest, paths, content in zip(*map(batch.column, ("sha256", "paths", "bytes")), strict=True):
                    if hashlib.sha256(content.as_buffer()).hexdigest() != digest.as_py():
                        yield Finding(file.path, str(paths[0]), "its bytes are not those of its SHA-256")
                    self._hashes.update(dict.fromkeys(paths.as_py(), digest.as_py()))
        except (DatasetError, pa.ArrowException) as error:
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


class Pictures:
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
