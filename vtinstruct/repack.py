"""`vtinstruct repack`: a built dataset in another form, without building it again: Parquet for Arrow or the other way
round, and its photos taken in. The rows and all that is said of them stay; the bytes are those a build with the same
options would have given.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pyarrow ships no types)

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vtinstruct import manifest
from vtinstruct.album import named_by, write_album
from vtinstruct.build.finish import form_options, write_card
from vtinstruct.manifest import DatasetError, Manifest, Shard, content_hash, read_manifest
from vtinstruct.photos import FOLDER, PhotoError, file_bytes
from vtinstruct.shards import ShardWriter, open_batches
from vtinstruct.streams import Format


def repack(
    root: Path, out: Path, format: Format, embed: bool = False, progress: Callable[[int, int], None] | None = None
) -> Manifest:
    """Write the dataset at `root` anew to the new or empty folder `out`. Photos are linked or copied there as they are here,
    unless they are embedded, here or by `embed`. `progress` is told shards done and shards in all. Raises `DatasetError`."""
    whole = read_manifest(root)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out}: is there already; a new or empty folder is right")
    try:
        out.mkdir(parents=True, exist_ok=True)
        files: list[Shard] = []
        for number, shard in enumerate(whole.files, 1):
            files.append(_shard(root, out, shard, format))
            if progress is not None:
                progress(number, len(whole.files))
        embed = embed or bool(whole.images)
        images = ()
        if embed:
            named = named_by(root / shard.path for shard in whole.files)
            images = write_album(out, named, lambda path: file_bytes(root, path), format)
        elif (root / FOLDER).exists():
            shutil.copytree(root / FOLDER, out / FOLDER, symlinks=True)
        options = {key: value for key, value in whole.options.items() if key not in ("format", "embed")}
        options |= form_options(format, embed)
        files.sort(key=lambda shard: shard.path)
        content = content_hash(files, whole.sources, images)
        done = replace(whole, content_hash=content, options=options, files=tuple(files), images=images)
        shutil.copyfile(root / manifest.LEDGER, out / manifest.LEDGER)
        write_card(out, done)
    except PhotoError as error:
        raise DatasetError(f"{error}; `vtinstruct check --photos` lists what is missing") from error
    except OSError as error:
        raise DatasetError(f"{error.filename or out}: {error.strerror or error}; remove {out} and try again") from error
    return done


def _shard(root: Path, out: Path, shard: Shard, format: Format) -> Shard:
    path = f"{shard.path.rpartition('.')[0]}.{format}"
    with ShardWriter(out / path) as writer:
        for batch in open_batches(root / shard.path):
            writer.add_batch(batch, len(batch.column("units").flatten()))
    done = writer.written
    assert done is not None  # the block ended well
    if (done.rows, done.units) != (shard.rows, shard.units):
        raise DatasetError(
            f"{root / shard.path}: {done.rows} rows and {done.units} units, the manifest says {shard.rows} and {shard.units}"
        )
    return replace(shard, path=path, sha256=done.sha256, bytes=done.bytes)
