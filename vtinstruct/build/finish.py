"""From finished chunks to a dataset: shards in plan order, card, ledger and manifest, made aside and then moved in.

Nothing is visible under the dataset's own names until all of it is whole, and `manifest.json` is moved last. The move
can be interrupted anywhere and goes on where it stopped.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from vtinstruct import card, croissant, manifest
from vtinstruct.ahead import ahead
from vtinstruct.album import named_by, write_album
from vtinstruct.build import ledger
from vtinstruct.build.plan import Chunk, Plan
from vtinstruct.build.receipt import Group, Receipt, read_receipt, write_atomically
from vtinstruct.manifest import DatasetError, ImageFile, Manifest, SampledOut, Shard, SourceInfo, SplitInfo
from vtinstruct.photos import FOLDER, PhotoError, read_file
from vtinstruct.shards import ShardWriter, open_batches
from vtinstruct.source import inside
from vtinstruct.streams import Format
from vtinstruct.version import VERSION

SHARD_BYTES = 400_000_000
# what is moved in, in this order: the manifest last
PUBLISHED = ("data", FOLDER, manifest.LEDGER, croissant.NAME, card.README, manifest.NAME)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one chunk's rows of one task go: the number of the shard, of how many, and its folder."""

    task: str
    split: str
    number: int
    of: int
    format: Format

    @property
    def path(self) -> str:
        """The shard's path in the dataset."""
        return f"data/{self.task}/{self.split}/data-{self.number:05d}-of-{self.of:05d}.{self.format}"


class _Receipts:
    """The receipts of a plan's chunks, read when needed: a large build's ledger does not fit in memory."""

    def __init__(self, plan: Plan, chunks: Path) -> None:
        self._plan, self._chunks = plan, chunks

    def __call__(self, chunk: Chunk) -> Receipt:
        receipt = read_receipt(self._chunks, chunk.name, chunk.key)
        if receipt is None:
            raise DatasetError(f"{self._chunks / chunk.name}.arrow: the chunk is not finished; run the build again")
        return receipt


def stage(plan: Plan, chunks: Path, staging: Path, inputs: TextIO, step: Callable[[int], None]) -> Manifest:
    """Write everything of the finished dataset but its photos below `staging`, and the state of all photo files to
    `inputs`, one JSON list a chunk. `step` is told of each chunk's slots.

    Raises `DatasetError` when a chunk is missing or its bytes are not those of its receipt.
    """
    from vtinstruct.build.overlap import overlaps  # brings polars, which the processes that make chunks do not need

    receipts = _Receipts(plan, chunks)
    shutil.rmtree(staging / "data", ignore_errors=True)
    staging.mkdir(parents=True, exist_ok=True)
    with (staging / manifest.LEDGER).open("w", encoding="utf-8", newline="\n") as file:
        book = ledger.Ledger(file)
        files = _write_shards(plan, chunks, staging, receipts, book, inputs, step)
    sources = _sources(plan, receipts)
    images = _embed(plan, staging, files) if plan.options.embed else ()
    content = manifest.content_hash(files, sources, images)
    done = Manifest(
        content,
        VERSION,
        plan.options.seed,
        _content_options(plan),
        sources,
        files,
        book.counts(),
        _sampled_out(plan, receipts),
        overlaps(staging, files),
        images,
    )
    write_card(staging, done)
    return done


def _embed(plan: Plan, staging: Path, files: Sequence[Shard]) -> tuple[ImageFile, ...]:
    roots = {split.source: Path(split.root) for split in plan.splits}

    def read(path: str) -> bytes:
        _, source, relative = path.split("/", 2)
        try:
            return read_file(inside(roots[source], relative))
        except PhotoError as error:
            raise DatasetError(f"{relative}: {error.detail}; it was there when its rows were made") from error

    return write_album(staging, named_by(staging / shard.path for shard in files), read, plan.options.format)


def _content_options(plan: Plan) -> dict[str, object]:
    options = plan.options
    said: dict[str, object] = {"tasks": list(options.tasks), "limit": options.limit, "photo_check": options.photo_check}
    if options.licences.patterns:
        said["licences"] = list(options.licences.patterns)
    if options.mix is not None:
        said["mix"] = options.mix.said()
    if options.exclude_images_of:
        splits = dict(sorted(plan.excluded.splits.items()))
        unread = dict(sorted(plan.excluded.unread.items()))
        said["exclude_images_of"] = {"splits": splits, "unread": unread, "sha256": plan.excluded.digest()}
    return said | form_options(options.format, options.embed)


def form_options(format: Format, embed: bool) -> dict[str, object]:
    """What a manifest's options say of the form, where it is not the usual one."""
    said: dict[str, object] = {}
    if format != "arrow":
        said["format"] = format
    if embed:
        said["embed"] = True
    return said


def write_card(root: Path, done: Manifest) -> None:
    """Everything around the shards that a manifest gives: side files, card, and last the manifest itself."""
    for path, text in card.side_files(done).items():
        write_atomically(root / path, text)
    write_atomically(root / croissant.NAME, croissant.text(card.describe(done)))
    write_atomically(root / card.README, card.card(done))
    write_atomically(root / manifest.NAME, manifest.manifest_to_json(done))


def _sampled_out(plan: Plan, receipts: _Receipts) -> tuple[SampledOut, ...]:
    counts: Counter[tuple[str, str, str]] = Counter()
    if plan.options.mix is None:
        return ()
    for chunk in plan.chunks:
        split = plan.splits[chunk.split]
        for group in receipts(chunk).groups:
            counts[split.source, split.split, group.task] += group.sampled_out
    return tuple(SampledOut(*key, count) for key, count in sorted(counts.items()) if count)


def _places(plan: Plan, receipts: _Receipts) -> Mapping[tuple[str, str], Place]:
    """(chunk name, task) -> place. Shards end at the first chunk past `SHARD_BYTES`; empty groups have no place."""
    numbers: dict[tuple[str, str], int] = {}
    sizes: dict[tuple[str, str], int] = {}
    where: dict[tuple[str, str], tuple[str, str, int]] = {}
    for chunk in plan.chunks:
        split = plan.splits[chunk.split].split
        for group in receipts(chunk).groups:
            key = (group.task, split)
            if not group.rows:
                continue
            if key not in numbers or sizes[key] >= SHARD_BYTES:
                numbers[key], sizes[key] = numbers.get(key, -1) + 1, 0
            sizes[key] += group.bytes
            where[chunk.name, group.task] = (*key, numbers[key])
    form = plan.options.format
    return {key: Place(task, split, n, numbers[task, split] + 1, form) for key, (task, split, n) in where.items()}


class _Shards:
    """The shards being written: one open for each task and split, closed when the next one begins."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging
        self._open: dict[tuple[str, str], tuple[Place, ShardWriter]] = {}
        self._done: list[Shard] = []

    def writer(self, place: Place) -> ShardWriter:
        """The open writer of a place."""
        key = (place.task, place.split)
        known = self._open.get(key)
        if known is not None and known[0] == place:
            return known[1]
        if known is not None:
            self._close(key)
        writer = ShardWriter(self._staging / place.path).__enter__()
        self._open[key] = (place, writer)
        return writer

    def _close(self, key: tuple[str, str]) -> None:
        place, writer = self._open.pop(key)
        writer.__exit__(None)
        done = writer.written
        assert done is not None  # its block ended well
        self._done.append(Shard(place.path, done.sha256, done.bytes, done.rows, done.units, place.task, place.split))

    def finished(self) -> tuple[Shard, ...]:
        """Close what is open; all shards by path."""
        for key in list(self._open):
            self._close(key)
        return tuple(sorted(self._done, key=lambda shard: shard.path))

    def abandon(self, error: BaseException) -> None:
        """Leave no half shard."""
        for _, writer in self._open.values():
            writer.__exit__(type(error))


def _write_shards(
    plan: Plan,
    chunks: Path,
    staging: Path,
    receipts: _Receipts,
    book: ledger.Ledger,
    inputs: TextIO,
    step: Callable[[int], None],
) -> tuple[Shard, ...]:
    """One pass over the chunks in plan order."""
    places, shards = _places(plan, receipts), _Shards(staging)
    told: set[int] = set()
    try:
        for chunk, receipt in ahead(partial(_verified, chunks, receipts), plan.chunks):
            if chunk.split not in told:
                told.add(chunk.split)
                book.add(plan.splits[chunk.split].faults)
            book.add(receipt.drops)
            inputs.write(json.dumps([plan.splits[chunk.split].root, receipt.inputs]) + "\n")
            groups = [(group, places[chunk.name, group.task]) for group in receipt.groups if group.rows]
            targets = [(group, shards.writer(place)) for group, place in groups]
            _copy(chunks / f"{chunk.name}.arrow", targets)
            step(chunk.stop - chunk.start)
        for number, split in enumerate(plan.splits):
            if number not in told:  # a split without a single slot
                book.add(split.faults)
        return shards.finished()
    except BaseException as error:
        shards.abandon(error)
        raise


def _verified(chunks: Path, receipts: _Receipts, chunk: Chunk) -> Receipt:
    """The receipt of a chunk whose bytes are those it says."""
    receipt, path = receipts(chunk), chunks / f"{chunk.name}.arrow"
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != receipt.sha256:
            path.with_suffix(".json").unlink()  # so that the next run makes the chunk anew
            raise DatasetError(f"{path}: its bytes are not those of its receipt; run the build again")
    return receipt


def _copy(path: Path, targets: Sequence[tuple[Group, ShardWriter]]) -> None:
    batches = open_batches(path)
    for group, writer in targets:
        for units in group.units:
            writer.add_batch(next(batches), units)


def _sources(plan: Plan, receipts: _Receipts) -> dict[str, SourceInfo]:
    depth: dict[int, list[str]] = {}
    for chunk in plan.chunks:
        if digest := receipts(chunk).depth_sha256:
            depth.setdefault(chunk.split, []).append(digest)
    found: dict[str, SourceInfo] = {}
    for number, split in enumerate(plan.splits):
        known = found.get(split.source)
        maps = hashlib.sha256("".join(depth[number]).encode()).hexdigest() if number in depth else ""
        info = SplitInfo(split.digests(), split.slots, split.built, split.vocabulary, maps)
        found[split.source] = SourceInfo(
            split.title,
            split.homepage,
            split.licence,
            split.version,
            {**(known.splits if known else {}), split.split: info},
        )
    return found


def publish(root: Path, staging: Path, embedded: bool = False) -> None:
    """Move the staged dataset in, the manifest last; an earlier dataset is taken down first. May be interrupted and called
    again. Photos that are links are only unlinked, never followed."""
    for name in (manifest.NAME, card.README):  # without these, no reader takes what follows for a dataset
        if (staging / name).exists():
            (root / name).unlink(missing_ok=True)
    if embedded:
        _remove(root / FOLDER)  # an earlier dataset's; this one's photos are in its data
    for name in PUBLISHED:
        staged, target = staging / name, root / name
        if not staged.exists():
            continue
        _remove(target)
        staged.rename(target)


def _remove(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
