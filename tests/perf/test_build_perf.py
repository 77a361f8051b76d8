"""Dialogues of five masks to shards, against `datasets.Dataset.from_generator` on the same rows in the same run.

Ratios are in `extra_info`; nothing is asserted about them but that both sides wrote the same rows.
"""

from __future__ import annotations

import time
from random import Random

import datasets
import pyarrow as pa
import pytest

from vtinstruct.build import Options, build
from vtinstruct.build.choose import Chosen
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.dialogue import Dialogue, Evaluation, Provenance, Reference, StoredPhoto, Triplet, Turn
from vtinstruct.geometry import rle_from_runs
from vtinstruct.manifest import read_manifest
from vtinstruct.record import Category, Origin, Photo, Record, Region
from vtinstruct.schema import SCHEMA
from vtinstruct.shards import open_batches, write_shard
from vtinstruct.source import Source
from vtinstruct.units import Mask, Rle

# processor time: all of it is one process's work, and machines that measure are shared
pytestmark = [pytest.mark.perf, pytest.mark.benchmark(timer=time.process_time)]
ROWS, MASKS = 20_000, 5


def some_masks(count: int) -> list[Rle]:
    """Masks of 480 x 640 with about 60 runs each, as long as COCO's usual ones."""
    found = []
    for seed in range(count):
        random = Random(seed)
        cuts = sorted(random.sample(range(1, 480 * 640), 60))
        runs = [b - a for a, b in zip([0, *cuts], [*cuts, 480 * 640], strict=True)]
        found.append(rle_from_runs(runs, (480, 640)))
    return found


@pytest.fixture(scope="module")
def masks() -> list[Rle]:
    return some_masks(500)


@pytest.fixture(scope="module")
def samples(masks) -> list[Dialogue]:
    def one(number: int) -> Dialogue:
        references = tuple(
            Reference(Mask(masks[(number * MASKS + i) % len(masks)]), None, "dog", 18, f"{number}-{i}", 100.5 + i)
            for i in range(MASKS)
        )
        return Dialogue(
            f"coco/train/{number}/seg/0", "seg", "coco", "train", "CC-BY-4.0",
            StoredPhoto(f"images/coco/{number:012d}.jpg", "ab" * 32, (640, 480), f"coco:{number}"),
            (Turn("user", ("Segment every dog.",)), Turn("assistant", (Triplet("dog", "mask", references), "."))),
            Evaluation(concepts=("dog",)), Provenance("instances.json", "cd" * 32, str(number), "1", 0, "seg/3"),
        )  # fmt: skip

    return [one(number) for number in range(ROWS)]


@pytest.fixture(scope="module")
def peer(samples, tmp_path_factory) -> dict[str, float]:
    """Rows a second of `from_generator` (row dicts ready made), and of pyarrow's own row writer."""
    folder = tmp_path_factory.mktemp("peer")
    write_shard(folder / "rows.arrow", samples)
    rows = [row for batch in open_batches(folder / "rows.arrow") for row in batch.to_pylist()]
    features = datasets.Features.from_arrow_schema(SCHEMA)
    datasets.disable_progress_bars()
    began = time.process_time()
    # with a fingerprint, or it would pickle all rows to make one
    made = datasets.Dataset.from_generator(
        lambda: iter(rows), features=features, cache_dir=str(folder / "cache"), fingerprint="peer"
    )
    generator = len(rows) / (time.process_time() - began)
    assert len(made) == len(rows)
    assert made[7]["messages"] == rows[7]["messages"]
    began = time.process_time()
    with pa.OSFile(str(folder / "plain.arrow"), "wb") as file, pa.ipc.new_stream(file, SCHEMA) as stream:
        for start in range(0, len(rows), 1000):
            stream.write_batch(pa.RecordBatch.from_pylist(rows[start : start + 1000], schema=SCHEMA))
    return {"from_generator": generator, "pyarrow_rows": len(rows) / (time.process_time() - began)}


def note(benchmark, rows: int, peer: dict[str, float]) -> None:
    rate = rows / benchmark.stats.stats.min
    benchmark.extra_info["rows_per_second"] = round(rate)
    for name, other in peer.items():
        benchmark.extra_info[f"{name}_rows_per_second"] = round(other)
        benchmark.extra_info[f"times_{name}"] = round(rate / other, 2)


def test_columnar_write(benchmark, samples, peer, tmp_path):
    """Dialogues -> shard: rendering, columns, hash, disk."""
    written = benchmark.pedantic(write_shard, (tmp_path / "a.arrow", samples), rounds=3, warmup_rounds=1)
    assert (written.rows, written.units) == (ROWS, ROWS * MASKS)
    note(benchmark, ROWS, peer)


class Regions:
    """An opened source of photos with five masks each, made in memory."""

    def __init__(self, masks: list[Rle], root) -> None:
        self.masks, self.files, self.faults, self.vocabulary = masks, [root / "ann.json"], (), (Category(18, "dog"),)

    def __len__(self) -> int:
        return ROWS

    def records(self, start, stop, report):
        for number in range(start, stop):
            regions = tuple(
                Region(
                    f"{number}-{i}", "dog", 18, (10.0 * i, 5.0, 10.0 * i + 50, 90.0),
                    self.masks[(number * MASKS + i) % len(self.masks)], area=100.5 + i,
                )
                for i in range(MASKS)
            )  # fmt: skip
            photo = Photo(f"{number:012d}.jpg", (640, 480), f"coco:{number}")
            yield Record(str(number), "made", "train", "CC0-1.0", Origin("ann.json", str(number)), photo, regions)


def test_whole_pipeline(benchmark, masks, peer, tmp_path, monkeypatch):
    """Records -> tasks -> shards, manifest and card, by one worker (photos not read: their cost is the disk's)."""
    (tmp_path / "ann.json").write_text("{}")
    source = Source(
        "made", "Made", "https://example.org", "CC0-1.0", frozenset({"image", "masks", "boxes"}), ("train",), "", "1",
        lambda root: ("train",), lambda root, split: Regions(masks, root),
    )  # fmt: skip
    monkeypatch.setattr("vtinstruct.build.chunk.source_named", lambda name: source)
    outs = iter(tmp_path / f"out{number}" for number in range(9))

    def whole():
        return build([Chosen(source, tmp_path, ("train",))], Options(("seg",), photo_check=False), next(outs), Silent())

    built = benchmark.pedantic(whole, rounds=3, warmup_rounds=1)
    assert sum(shard.rows for shard in built.manifest.files) == ROWS
    note(benchmark, ROWS, peer)


def test_check(benchmark, masks, tmp_path, monkeypatch):
    """`vtinstruct check` without photos, megabytes a second."""
    (tmp_path / "ann.json").write_text("{}")
    source = Source(
        "made", "Made", "https://example.org", "CC0-1.0", frozenset({"image", "masks", "boxes"}), ("train",), "", "1",
        lambda root: ("train",), lambda root, split: Regions(masks, root),
    )  # fmt: skip
    monkeypatch.setattr("vtinstruct.build.chunk.source_named", lambda name: source)
    build([Chosen(source, tmp_path, ("train",))], Options(("seg",), photo_check=False), tmp_path / "out", Silent())
    found = benchmark.pedantic(check, (tmp_path / "out",), rounds=3)
    assert found.findings == ()
    size = sum(shard.bytes for shard in read_manifest(tmp_path / "out").files)
    benchmark.extra_info["megabytes_per_second"] = round(size / 1e6 / benchmark.stats.stats.min)
