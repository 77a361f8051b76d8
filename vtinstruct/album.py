"""Photos and depth maps inside a dataset: the configuration `images`, which holds every file once, whatever number of
tasks and sources name it.

Without it a dataset names files in the sources' folders; with it, its folder is all there is to copy. The bytes are the
files' own, never decoded. Rows name a photo by path and SHA-256, a depth map by path; both are columns here.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from vtinstruct import manifest
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.manifest import DatasetError, ImageFile, read_manifest
from vtinstruct.shards import open_batches
from vtinstruct.streams import BATCH_BYTES, BATCH_ROWS, Format, StreamWriter, read_stream

CONFIG = "images"
SPLIT = "photos"
SCHEMA = pa.schema(
    [
        ("sha256", pa.string()),  # of the bytes: a photo row's image.sha256
        ("paths", pa.list_(pa.string())),  # all that rows call it: image.path, units.depth.path
        ("kind", pa.string()),  # photo or depth
        ("id", pa.string()),  # identity across sources; "" for a depth map
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bytes", pa.binary()),
    ]
)
FILE_BYTES = 400_000_000
GROUPS_KEPT = 4  # decoded row groups of a Parquet album


@dataclass(slots=True)
class Named:
    """What rows say of the files they name: photos by path, and of every depth map the size of its photo."""

    photos: dict[str, StoredPhoto] = field(default_factory=dict[str, StoredPhoto])
    depths: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    def take(self, batch: pa.RecordBatch) -> None:
        """Add the files of a batch of rows."""
        image = batch.column("image")
        values = [image.field(name).to_pylist() for name in ("path", "sha256", "width", "height", "id")]
        for path, sha256, width, height, identity in zip(*values, strict=True):
            if path is not None and path not in self.photos:
                self.photos[path] = StoredPhoto(path, sha256, (width, height), identity)
        units = batch.column("units")
        depth = units.flatten().field("depth").field("path")
        if depth.null_count == len(depth):
            return
        for row in batch.select(["image", "units"]).to_pylist():
            for unit in row["units"]:
                if unit["depth"] is not None and unit["depth"]["path"] is not None:
                    size = row["image"] or {"width": 0, "height": 0}
                    self.depths.setdefault(unit["depth"]["path"], (size["width"], size["height"]))


def named_by(shards: Iterable[Path]) -> Named:
    """All files that the rows of some shards name."""
    found = Named()
    for shard in shards:
        for batch in open_batches(shard):
            found.take(batch)
    return found


@dataclass(frozen=True, slots=True)
class _Picture:
    """One row to be: its bytes' hash, all its paths, and what is known of it."""

    sha256: str
    paths: list[str]
    kind: str
    id: str
    size_wh: tuple[int, int]


def _pictures(named: Named, read: Callable[[str], bytes]) -> list[_Picture]:
    """Every file once, by its first path. A depth map is read to know whether another has its bytes."""
    found: dict[tuple[str, str], _Picture] = {}
    for path, photo in sorted(named.photos.items()):
        made = _Picture(photo.sha256, [], "photo", photo.id, photo.size_wh)
        found.setdefault(("photo", photo.sha256), made).paths.append(path)
    for path, size_wh in sorted(named.depths.items()):
        digest = hashlib.sha256(read(path)).hexdigest()
        found.setdefault(("depth", digest), _Picture(digest, [], "depth", "", size_wh)).paths.append(path)
    return sorted(found.values(), key=lambda picture: picture.paths[0])


def _batch(pictures: Sequence[_Picture], data: Sequence[bytes]) -> pa.RecordBatch:
    columns = [
        [p.sha256 for p in pictures], [p.paths for p in pictures], [p.kind for p in pictures], [p.id for p in pictures],
        [p.size_wh[0] for p in pictures], [p.size_wh[1] for p in pictures], data,
    ]  # fmt: skip
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _batches(pictures: Iterable[_Picture], read: Callable[[str], bytes]) -> Iterator[pa.RecordBatch]:
    waiting: list[_Picture] = []
    data: list[bytes] = []
    size = 0
    for picture in pictures:
        content = read(picture.paths[0])
        if hashlib.sha256(content).hexdigest() != picture.sha256:
            raise DatasetError(f"{picture.paths[0]}: has changed since its rows were made; run the build again")
        waiting.append(picture)
        data.append(content)
        size += len(content)
        if size >= BATCH_BYTES or len(waiting) == BATCH_ROWS:
            yield _batch(waiting, data)
            waiting, data, size = [], [], 0
    if waiting:
        yield _batch(waiting, data)


def write_album(root: Path, named: Named, read: Callable[[str], bytes], format: Format) -> tuple[ImageFile, ...]:
    """Write every named file into shards of about `FILE_BYTES` below `root`; `read` gives a path's bytes. Raises
    `DatasetError` on a photo that is not the one its rows were made for."""
    folder = root / "data" / CONFIG / SPLIT
    batches = _batches(_pictures(named, read), read)
    waiting = next(batches, None)
    done: list[StreamWriter] = []
    while waiting is not None:
        size = 0
        with StreamWriter(folder / f"{len(done)}.{format}", SCHEMA) as writer:
            while waiting is not None and size < FILE_BYTES:
                writer.write_batch(waiting)
                size += waiting.nbytes
                waiting = next(batches, None)
        done.append(writer)
    files: list[ImageFile] = []
    for number, writer in enumerate(done):
        name = f"data-{number:05d}-of-{len(done):05d}.{format}"
        writer.path.rename(folder / name)
        files.append(ImageFile(f"data/{CONFIG}/{SPLIT}/{name}", writer.sha256, writer.bytes, writer.rows))
    return tuple(files)


# --- reading ---------------------------------------------------------------------------------------------------------


class Album:
    """The embedded files of the dataset at `root`, found by path. Arrow shards stay mapped; of Parquet, the last few row
    groups stay decoded."""

    def __init__(self, root: Path, files: Sequence[ImageFile]) -> None:
        self._groups: list[Callable[[], Any]] = []
        self._places: dict[str, tuple[int, int]] = {}
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._lock = Lock()  # a Parquet file is no thing to read by two threads
        for file in files:
            self._open(root / file.path)

    def _open(self, path: Path) -> None:
        if path.suffix != ".parquet":
            for batch in read_stream(path, SCHEMA):
                self._add(batch.column("paths"), partial(batch.column, "bytes"))
            return
        import pyarrow.parquet as pq

        file = pq.ParquetFile(pa.memory_map(os.fsencode(path)))
        for group in range(file.num_row_groups):
            paths = file.read_row_group(group, columns=["paths"]).column("paths").combine_chunks()
            self._add(paths, partial(_bytes_of_group, file, group))

    def _add(self, paths: pa.Array, column: Callable[[], Any]) -> None:
        for row, names in enumerate(paths.to_pylist()):
            self._places.update(dict.fromkeys(names, (len(self._groups), row)))
        self._groups.append(column)

    def __contains__(self, path: str) -> bool:
        return path in self._places

    def read(self, path: str) -> bytes:
        """The bytes of a file. `KeyError` when no row has that path."""
        number, row = self._places[path]
        with self._lock:
            if number not in self._kept:
                self._kept[number] = self._groups[number]()
                if len(self._kept) > GROUPS_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(number)
            return self._kept[number][row].as_py()


def _bytes_of_group(file: Any, group: int) -> Any:
    return file.read_row_group(group, columns=["bytes"]).column("bytes").combine_chunks()


def album_of(root: Path) -> Album | None:
    """The album of the dataset at `root`; None when it has none or is no dataset. Raises `DatasetError` on a broken one."""
    path = root / manifest.NAME
    try:
        state = path.stat()
    except OSError:
        return None
    return _album(root, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _album(root: Path, changed_ns: int, size: int) -> Album | None:
    """Opened once for each state of the manifest: after a rebuild, the new files."""
    files = read_manifest(root).images
    return Album(root, files) if files else None
