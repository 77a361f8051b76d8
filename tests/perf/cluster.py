"""What a Ray cluster would do with a large build: a simulation from the chunk times that `tests.perf.million` measured.

    python -m tests.perf.cluster million.json --rows 100000000 --nodes 32 --cores 16

Chunks are given to whichever process is free, in plan order, as `vtinstruct.engines.ray` does, two in hand for each. A
chunk takes the measured mean of processor time, times a factor drawn from the measured spread (its clock time over
the median, with everything the measuring machine did beside). On top come what a cluster adds: every process opens the
annotation files first, the driver hands out and takes back one task after the other, some nodes are slow, and one node is
lost half way and its chunks are made again. The finish is one process's, as it is today. What is assumed and not
measured are the arguments' defaults.
"""

from __future__ import annotations

import argparse
import heapq
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any


@dataclass(frozen=True)
class Cluster:
    """`open_seconds` each process pays first, `dispatch_seconds` the driver pays a task, `slow_nodes` work at `slowdown`
    times the time, and of `lost_nodes` every running chunk is lost half way."""

    nodes: int
    cores: int
    open_seconds: float
    dispatch_seconds: float
    slow_nodes: int
    slowdown: float
    lost_nodes: int


def simulate(chunks: int, chunk_seconds: float, spread: Sequence[float], cluster: Cluster, seed: int = 0) -> float:
    """Seconds until the last chunk is made."""
    rng = Random(seed)
    times = [chunk_seconds * rng.choice(spread) for _ in range(chunks)]
    slow = range(cluster.slow_nodes)
    lost = range(cluster.nodes - cluster.lost_nodes, cluster.nodes)
    processes = cluster.nodes * cluster.cores
    half = sum(times) / processes / 2 + cluster.open_seconds
    free = [(cluster.open_seconds, process % cluster.nodes) for process in range(processes)]
    heapq.heapify(free)
    driver = end = 0.0
    waiting = list(reversed(times))
    while waiting:
        at, node = heapq.heappop(free)
        if node in lost and at >= half:
            continue  # gone: it takes nothing any more
        took = waiting.pop()
        driver = max(driver + cluster.dispatch_seconds, at)
        done = driver + took * (cluster.slowdown if node in slow else 1.0)
        if node in lost and done > half:
            waiting.insert(0, took)  # Ray notices and gives it to another
            continue
        end = max(end, done)
        heapq.heappush(free, (done, node))
    return end


def forecast(measured: dict[str, Any], rows: int, cluster: Cluster, disk_mb_per_second: float) -> dict[str, float]:
    """Seconds of making and of finishing, and what one core and a perfect cluster would need for the making."""
    chunks = max(round(rows * len(measured["chunk_seconds"]) / measured["rows"]), 1)
    making = measured["processor_seconds"] - measured["finishing_processor_seconds"]
    chunk_seconds = making / len(measured["chunk_seconds"])
    median = statistics.median(measured["chunk_seconds"])
    spread = [seconds / median for seconds in measured["chunk_seconds"]]
    size = rows * measured["bytes"] / measured["rows"]
    finishing = rows * measured["finishing_processor_seconds"] / measured["rows"]
    moving = 2 * size / (disk_mb_per_second * 1e6)  # chunks read, shards written
    return {
        "rows": rows,
        "gigabytes": round(size / 1e9, 1),
        "chunks": chunks,
        "one core, making, hours": round(chunks * chunk_seconds / 3600, 2),
        "perfect cluster, making, seconds": round(chunks * chunk_seconds / (cluster.nodes * cluster.cores), 1),
        "cluster, making, seconds": round(simulate(chunks, chunk_seconds, spread, cluster), 1),
        "finish, seconds": round(max(finishing, moving), 1),
    }


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="Simulate a build on a Ray cluster from measured chunk times.")
    parser.add_argument("measured", type=Path)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--nodes", type=int, default=32)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--open-seconds", type=float, default=10.0)
    parser.add_argument("--dispatch-seconds", type=float, default=0.001)
    parser.add_argument("--slow-nodes", type=int, default=2)
    parser.add_argument("--slowdown", type=float, default=4.0)
    parser.add_argument("--lost-nodes", type=int, default=1)
    parser.add_argument("--disk-mb-per-second", type=float, default=500.0)
    said = parser.parse_args()
    cluster = Cluster(
        said.nodes,
        said.cores,
        said.open_seconds,
        said.dispatch_seconds,
        said.slow_nodes,
        said.slowdown,
        said.lost_nodes,
    )
    found = forecast(json.loads(said.measured.read_text()), said.rows, cluster, said.disk_mb_per_second)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
