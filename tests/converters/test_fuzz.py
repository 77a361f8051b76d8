"""Broken annotation files by the thousand: no exception but one clear line, no hang, every slot accounted for.

A small sample of every source is written; a file of it that is no photo is damaged in one of many ways, its source is opened and
read slot by slot, and the file is put back. `VTINSTRUCT_FUZZ_FILES` sets how many (10,000 without it; three minutes), and
`VTINSTRUCT_FUZZ_SOURCES` names single sources.
"""

from __future__ import annotations

import os
import re
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.damage import Way, bomb, cut, deep, empty, erase, flip, noise, repeat, value
from vtinstruct import plugins
from vtinstruct.record import Drop
from vtinstruct.sample import write_sample
from vtinstruct.source import Source, SourceError

FILES = int(os.environ.get("VTINSTRUCT_FUZZ_FILES", "10000"))
CHOSEN = os.environ.get("VTINSTRUCT_FUZZ_SOURCES", "").split()
SCENES = 10
LONGEST_S = 20.0  # for one file of a few kilobytes on a busy machine; a hang is minutes


def key(data: bytes, random: Random) -> bytes:
    """A field or an element under another name."""
    found = list(re.finditer(rb'"(\w+)"\s*:|<(\w+)>', data))
    if not found:
        return flip(data, random)
    match = random.choice(found)
    start, stop = match.span(1 if match[1] else 2)
    return data[:start] + random.choice((b"", b"x", b"id", b"segmentation")) + data[stop:]


WAYS: tuple[Way, ...] = (cut, flip, erase, repeat, noise, value, value, value, key, empty, deep, bomb)


@dataclass(frozen=True)
class Target:
    """One file of one source, and the splits that read it."""

    source: Source
    root: Path
    path: Path
    splits: tuple[str, ...]


def targets(out: Path) -> list[Target]:
    """Every file of the sample that is no photo, source by source."""
    found: list[Target] = []
    for part in write_sample(out, SCENES, seed=5).sources:
        if CHOSEN and part.name not in CHOSEN:
            continue
        source, root = plugins.load("converters", part.name), out / part.folder
        photos: set[Path] = set()
        files: dict[str, set[Path]] = {}
        for split in part.splits:
            opened = source.open(root, split)
            files[split] = set(opened.files)
            for record in opened.records(0, len(opened), lambda drop: None):
                photos |= {root / record.photo.path} if record.photo is not None else set()
        for path in sorted(root.rglob("*")):
            if path.is_file() and path not in photos:
                own = tuple(split for split in part.splits if path in files[split])
                named = tuple(split for split in part.splits if split in path.parts or split in path.name)
                found.append(Target(source, root, path, own or named or part.splits))
    return found


def told(target: Target, split: str) -> str:
    """Read a source slot by slot and say how it went; raises whatever a reader lets through."""
    try:
        opened = target.source.open(target.root, split)
    except SourceError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "\n" not in refused, "one line"
        return "refused"
    drops: list[Drop] = list(opened.faults)
    lost = 0
    for n in range(len(opened)):
        before = len(drops)
        records = list(opened.records(n, n + 1, drops.append))
        assert len(records) <= 1
        if not records:
            assert any(not drop.repaired for drop in drops[before:]), f"slot {n} vanished without a word"
            lost += 1
    for drop in drops:
        assert drop.source == target.source.name
        assert drop.file, drop
        assert drop.row, drop
        assert drop.reason, drop
    return "records lost" if lost else "parts lost" if drops else "read whole"


@pytest.mark.slow
def test_broken_files(tmp_path: Path) -> None:
    random = Random("vt-instruct fuzz")
    by_source: dict[str, list[Target]] = {}
    for target in targets(tmp_path / "sample"):
        by_source.setdefault(target.source.name, []).append(target)
    names = sorted(by_source)
    outcomes: Counter[tuple[str, str]] = Counter()
    failures: Counter[str] = Counter()
    slowest = (0.0, "")
    for number in range(FILES):
        target = random.choice(by_source[names[number % len(names)]])
        way = random.choice(WAYS)
        whole = target.path.read_bytes()
        broken = way(whole, random) if whole else b"x"
        split = random.choice(target.splits)
        target.path.write_bytes(broken)
        start = time.perf_counter()
        try:
            outcomes[target.source.name, told(target, split)] += 1
        except Exception as error:  # this is what the test looks for: gathered, so that one run shows them all
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{target.source.name}, {target.path.suffix}, {way.__name__}: {error!r:.120} at {place.name}:{place.lineno}"
            failures[what] += 1
        finally:
            target.path.write_bytes(whole)
        slowest = max(slowest, (time.perf_counter() - start, f"{target.path.name} {way.__name__}"))
    print(f"\n{FILES} files of {len(names)} sources; slowest {slowest[0]:.2f} s ({slowest[1]})")
    for outcome in ("refused", "records lost", "parts lost", "read whole"):
        print(f"{outcome}: {sum(count for (_, what), count in outcomes.items() if what == outcome)}")
    assert not failures, "\n".join(f"{count} x {what}" for what, count in failures.most_common(40))
    assert sum(outcomes.values()) == FILES
    assert slowest[0] < LONGEST_S, slowest
    unmoved = [name for name in names if {how for source, how in outcomes if source == name} <= {"read whole"}]
    assert not unmoved, "damage that nobody notices is no damage"
