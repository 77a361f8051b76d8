"""WebDataset: tar files `<task>/<split>-000000.tar`, each sample the photo's own bytes and the whole row as JSON.

Format: github.com/webdataset/webdataset. A sample's files stand together under one key: `<key>.jpg` (or what the photo's
file is called), `<key>.json`, and `<key>.depth-<n>.png` for the n-th unit's depth map. Nothing is lost: `row_from_json`
gives the row back. A photo stands in the tar once for every dialogue about it, as the format wants it. Headers hold no
time and no owner, so the same rows make the same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from vtinstruct.export import Export, Item, Job

TAR_BYTES = 500_000_000


def write(items: Iterable[Item], job: Job) -> Iterator[str]:
    """One or more tars for each task and split; yields each when it is finished."""
    tar = None
    for item in items:
        place = f"{item.row['task']}/{item.row['split']}"
        if tar is None or place != tar.place or tar.bytes >= TAR_BYTES:
            if tar is not None:
                yield tar.finish()
            tar = _Tar(place, tar.number + 1 if tar is not None and place == tar.place else 0, job)
        tar.put(_files(item.row, job))
    if tar is not None:
        yield tar.finish()


class _Tar:
    """One tar as it grows."""

    def __init__(self, place: str, number: int, job: Job) -> None:
        self.place, self.number = place, number
        self._name = f"{place}-{number:06d}.tar"
        self._samples = 0
        self._bytes = job.create(self._name)
        self._file = tarfile.TarFile(mode="w", fileobj=self._bytes, format=tarfile.USTAR_FORMAT)

    @property
    def bytes(self) -> int:
        """Written so far."""
        return self._file.offset

    def put(self, files: Iterable[tuple[str, bytes]]) -> None:
        """One sample: its files by suffix."""
        for suffix, content in files:
            info = tarfile.TarInfo(f"{self.number:06d}-{self._samples:09d}.{suffix}")
            info.size = len(content)
            self._file.addfile(info, io.BytesIO(content))
        self._samples += 1

    def finish(self) -> str:
        """Close it; its name."""
        self._file.close()
        self._bytes.close()
        return self._name


def _files(row: Mapping[str, Any], job: Job) -> Iterator[tuple[str, bytes]]:
    image = row["image"]
    if image is not None and image["path"] is not None:
        yield _suffix(image["path"]), job.bytes_of(image["path"])
    for n, unit in enumerate(row["units"]):
        if unit["depth"] is not None and unit["depth"]["path"] is not None:
            yield f"depth-{n}.{_suffix(unit['depth']['path'])}", job.bytes_of(unit["depth"]["path"])
    yield "json", row_to_json(row).encode()


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix[1:].lower() or "bin"


def row_to_json(row: Mapping[str, Any]) -> str:
    """A row as JSON: itself, but for the run lengths of masks, which are ASCII bytes and stand as text."""
    return json.dumps(row, ensure_ascii=False, default=lambda counts: bytes(counts).decode("ascii"))


def row_from_json(text: str) -> dict[str, Any]:
    """The row that `row_to_json` wrote."""

    def restored(found: dict[str, Any]) -> dict[str, Any]:
        if isinstance(counts := found.get("counts"), str):
            found["counts"] = counts.encode("ascii")
        return found

    return json.loads(text, object_hook=restored)


EXPORT = Export("webdataset", "tar shards of photos and whole rows", frozenset(), write)
