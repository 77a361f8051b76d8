"""Dialogues of five masks to shards, against `datasets.Dataset.from_generator` on the same rows in the same run.

Ratios are in `extra_info`; nothing is asserted about them but that both sides wrote the same rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import datasets
import pyarrow as pa
import pytest

from tests.perf.million import MASKS, Regions, made_source, some_masks
from tests.perf.outlines import coco_folder
from vtinstruct.build import Options, build
from vtinstruct.build.choose import Chosen, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.dialogue import Dialogue, Evaluation, Provenance, Reference, StoredPhoto, Triplet, Turn
from vtinstruct.manifest import read_manifest
from vtinstruct.schema import SCHEMA
from vtinstruct.shards import open_batches, write_shard
from vtinstruct.units import Mask, Rle

# processor time: all of it is one process's work, and machines that measure are shared
pytestmark = [pytest.mark.perf, pytest.mark.benchmark(timer=time.process_time)]
ROWS = 20_000


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
    spent = []
    for turn in range(3):
        began = time.process_time()
        # with a fingerprint, or it would pickle all rows to make one
        made = datasets.Dataset.from_generator(
            lambda: iter(rows), features=features, cache_dir=str(folder / f"cache{turn}"), fingerprint=f"peer{turn}"
        )
        spent.append(time.process_time() - began)
        assert len(made) == len(rows)
        assert made[7]["messages"] == rows[7]["messages"]
    generator = len(rows) / min(spent)
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


class Ready(Regions):
    """Records that are there already: what making them costs is the converter's affair."""

    def __init__(self, rows: int, masks: list[Rle], root: Path) -> None:
        super().__init__(rows, masks, root)
        self.ready = list(super().records(0, rows, None))

    def records(self, start, stop, report):
        return iter(self.ready[start:stop])


@pytest.fixture
def source(masks, tmp_path, monkeypatch):
    (tmp_path / "ann.json").write_text("{}")
    made = made_source(Ready(ROWS, masks, tmp_path))
    monkeypatch.setattr("vtinstruct.build.chunk.source_named", lambda name: made)
    return made


def test_whole_pipeline(benchmark, source, peer, tmp_path):
    """Records -> tasks -> shards, manifest and card, by one worker (photos not read: their cost is the disk's)."""
    outs = iter(tmp_path / f"out{number}" for number in range(9))

    def whole():
        return build([Chosen(source, tmp_path, ("train",))], Options(("seg",), photo_check=False), next(outs), Silent())

    built = benchmark.pedantic(whole, rounds=3, warmup_rounds=1)
    assert sum(shard.rows for shard in built.manifest.files) == ROWS
    note(benchmark, ROWS, peer)


@pytest.mark.parametrize("rows", [10_000, 100_000])
def test_memory_and_time_of_more_rows(benchmark, tmp_path, rows):
    """Ten times the rows: ten times the processor time, the same memory (`docs/scale.md` has a million)."""
    words = [sys.executable, "-m", "tests.perf.million", str(rows), str(tmp_path / "made")]
    root = Path(__file__).parents[2]

    def run():
        done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=root)
        return json.loads(done.stdout)

    found = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info |= {
        name: found[name] for name in ("rows", "processor_seconds", "peak_mb", "peak_own_mb", "bytes")
    }


def _build_cli(root: Path, out: Path, workers: int) -> list[str]:
    words = ["build", f"coco_instances={root}", "--out", str(out), "--tasks", "seg,det", "--skip-photo-check"]
    return [sys.executable, "-c", "from vtinstruct.cli import main; main()", *words, "--workers", str(workers)]


@pytest.mark.parametrize("photos", [10_000, 60_000])
def test_two_workers(benchmark, tmp_path, photos):
    """A COCO file by one and by two processes, from the command line: time by the clock (which needs two free cores to mean
    anything) and all their processor time, whose growth is what the second worker costs."""
    coco_folder(tmp_path / "coco", photos)
    found, content = {}, set()
    for workers in (1, 2):
        run = _build_cli(tmp_path / "coco", tmp_path / f"out{workers}", workers)
        before, began = os.times(), time.perf_counter()
        if workers == 1:
            subprocess.run(run, check=True, capture_output=True)
        else:
            benchmark.pedantic(subprocess.run, (run,), {"check": True, "capture_output": True}, rounds=1)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        found[workers] = time.perf_counter() - began, used
        made = read_manifest(tmp_path / f"out{workers}")
        assert sum(shard.rows for shard in made.files) == 2 * photos
        content.add(made.content_hash)
    assert len(content) == 1
    benchmark.extra_info |= {
        "photos": photos,
        "one worker, seconds by the clock": round(found[1][0], 1),
        "clock: one worker / two": round(found[1][0] / found[2][0], 2),
        "processor: two workers / one": round(found[2][1] / found[1][1], 2),
    }


CHECKED = {"five masks a row": 200_000, "every task": 8_000}  # rows, photos: some hundred MB


@pytest.fixture(params=CHECKED)
def checked(request, masks, tmp_path) -> Path:
    """A dataset to check: of one task in one shard, or of ten tasks in one each."""
    many, out = CHECKED[request.param], tmp_path / "out"
    if request.param == "every task":
        coco_folder(tmp_path / "coco", many)
        chosen = choose([f"coco_instances={tmp_path / 'coco'}"])
        build(chosen, Options(photo_check=False), out, Silent(), os.cpu_count() or 1)
        return out
    (tmp_path / "ann.json").write_text("{}")
    made = made_source(Regions(many, masks, tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vtinstruct.build.chunk.source_named", lambda name: made)
        build([Chosen(made, tmp_path, ("train",))], Options(("seg",), photo_check=False), out, Silent())
    return out


def _processor() -> float:
    """Seconds of this process and of those that it has had."""
    return sum(os.times()[:4])


def test_check(benchmark, checked):
    """`vtinstruct check` without photos: megabytes a second by the clock with a process for every core (which needs cores
    that are free to mean anything), and a processor second of them all and of one process alone; beside it SHA-256 alone."""
    files = [checked / shard.path for shard in read_manifest(checked).files]
    size = sum(path.stat().st_size for path in files) / 1e6
    hashing, clock, processor = [], [], []
    for _ in range(3):
        began = time.process_time()
        assert all(len(hashlib.sha256(path.read_bytes()).digest()) == 32 for path in files)
        hashing.append(time.process_time() - began)
        began, before = time.perf_counter(), _processor()
        assert check(checked, workers=os.cpu_count() or 1).findings == ()
        clock.append(time.perf_counter() - began)
        processor.append(_processor() - before)
    found = benchmark.pedantic(check, (checked,), rounds=3)
    assert found.findings == ()
    benchmark.extra_info |= {
        "megabytes": round(size, 1),
        "megabytes a second by the clock": round(size / min(clock)),
        "megabytes a processor second": round(size / min(processor)),
        "megabytes a processor second, one process": round(size / benchmark.stats.stats.min),
        "SHA-256 alone, megabytes a processor second": round(size / min(hashing)),
        "load": os.getloadavg()[0],
    }
