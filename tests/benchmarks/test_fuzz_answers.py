"""Predictions files broken by the thousand, of every task: nothing vanishes, nothing spills over, nothing ends in a traceback.

Every round breaks half of the answers of a file, each in a way of its own, and holds the laws:

* every line is an answer or a fault, every answer one of a sample, of another turn or of an unknown id;
* an answer that is whole keeps its rows, to the bit;
* the rows are the same in one stretch and in several, and by the quick road and the careful one;
* every table can be summed up, to finite numbers; the command ends with 0 and a result that can be read back, or with 2 and one line.

A few rounds stand in the normal suite; `VTINSTRUCT_FUZZ_ROUNDS` says how many `pytest -m slow` has (40 without it).
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest

from benchmarks.dataset import Dataset, open_dataset
from benchmarks.results import read_results, results_to_json
from benchmarks.score import absorb
from benchmarks.shares import Common, Options, read_truths
from benchmarks.suites import SUITES, suites_for
from benchmarks.sweep import Key, Stretch, Sweep, Swept, Table
from benchmarks.truths import Truths
from tests.benchmarks.damaged_answers import damaged_file, damaged_line, write_maps
from tests.benchmarks.everything import rough_answers
from tests.benchmarks.road import Done, bench
from tests.benchmarks.test_bad_files import LOSING
from tests.benchmarks.test_every_suite import SPLITS
from tests.damage import gathered
from vtinstruct import plugins
from vtinstruct.answer_lines import read_line

ROUNDS = int(os.environ.get("VTINSTRUCT_FUZZ_ROUNDS", "40"))
LIMIT = 3  # samples a task and split


@dataclass(frozen=True)
class Field:
    """What is broken: answers to samples of every task, with what they are swept against, and the rows of the whole file."""

    data: Path
    path: Path
    maps: tuple[str, ...]
    dataset: Dataset
    truths: Truths
    tables: dict[tuple[str, str, str], list[Table]]

    @property
    def found(self) -> dict[Key, Table]:
        return {table.key: table for several in self.tables.values() for table in several}


@pytest.fixture(scope="module")
def field(every_task_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Field:
    path = rough_answers(
        every_task_data, tmp_path_factory.mktemp("fuzz") / "answers.jsonl", 3, splits=SPLITS, limit=LIMIT
    )
    dataset, splits = open_dataset(every_task_data, SPLITS)
    options = Options(splits, limit=LIMIT, resamples=0)
    truths = read_truths(dataset, options)
    assert {task for task, _, _ in truths.whichs()} == set(plugins.names("vtinstruct.tasks"))
    suites = suites_for(sorted({task for task, _, _ in truths.whichs()}))
    assert suites == SUITES
    common = Common(every_task_data, options, tuple(truths.whichs()), path.parent)
    tables = common.tables(dataset, path.parent)
    return Field(every_task_data, path, write_maps(path.parent), dataset, truths, tables)


# --- a round ---------------------------------------------------------------------------------------------------------


def broken(lines: list[bytes], random: Random, maps: tuple[str, ...]) -> list[bytes]:
    """About half of the lines broken, some joined, in another order."""
    found = [damaged_line(line, random, maps) if random.random() < 0.5 else line for line in lines]
    random.shuffle(found)
    for at in sorted(random.sample(range(len(found) - 1), 3), reverse=True):
        found[at : at + 2] = [found[at] + found[at + 1]]
    return [line for several in found for line in several.split(b"\n")]


def without_doubles(lines: list[bytes]) -> list[bytes]:
    """Without second answers to a sample, which are refused (and are broken on purpose elsewhere)."""
    seen, kept = set[str](), list[bytes]()
    for line in lines:
        read = read_line(line, 0, lambda fault: None) if line.strip() else None
        if read is None or read.id not in seen:
            kept.append(line)
        seen |= {read.id} if read else set()
    return kept


def sweep(field: Field, pieces: list[Stretch]) -> Swept:
    whole, sweep = Swept(), Sweep(field.truths, field.tables, {})
    for piece in pieces:
        absorb(whole, sweep.stretch(piece), field.path)
    return whole


def rows_of(field: Field, swept: Swept) -> dict[Key, pl.DataFrame]:
    """Finished rows by table, by id."""
    return {key: field.found[key].scorer.finished(pl.concat(drafts)).sort("id") for key, drafts in swept.drafts.items()}


def pieces_of(path: Path, random: Random) -> list[Stretch]:
    """The file in some stretches of whole lines."""
    ends = [0]
    for line in path.read_bytes().split(b"\n"):
        ends.append(ends[-1] + len(line) + 1)
    chosen = sorted({0, len(ends) - 1, *random.sample(range(1, len(ends) - 1), 4)})
    return [Stretch(path, ends[a], ends[b], a + 1) for a, b in pairwise(chosen)]


def adds_up(swept: Swept, lines: list[bytes], truths: Truths) -> None:
    intake = swept.intake
    said = intake.answers + sum(intake.reasons[reason] for reason in LOSING)
    assert said == sum(bool(line) and not line.isspace() for line in lines)
    assert intake.answers == intake.unknown_ids + intake.other_turns + len(swept.answered)
    assert intake.unknown_ids == intake.reasons["unknown id"]
    assert set(swept.answered) <= set(truths.place)
    text = json.dumps(intake.to_json(), ensure_ascii=False, allow_nan=False)
    text.encode()
    assert all("\n" not in line for line in intake.to_json()["lines"])


def summed_up(field: Field, rows: dict[Key, pl.DataFrame]) -> None:
    for key, table in rows.items():
        summary = field.found[key].scorer.summarize(table, field.found[key].setting)
        assert all(value is None or math.isfinite(value) for value in summary.numbers.values()), (key, summary.numbers)
        json.dumps(summary.details, ensure_ascii=False, allow_nan=False).encode()


def same(one: dict[Key, pl.DataFrame], other: dict[Key, pl.DataFrame], ids: set[str] | None = None) -> None:
    """The same rows, of all samples or of some."""
    for key in sorted({*one, *other}):
        a, b = (side.get(key, pl.DataFrame({"id": []}, {"id": pl.String})) for side in (one, other))
        if ids is not None:
            a, b = (table.filter(pl.col("id").is_in(list(ids))) for table in (a, b))
        assert a["id"].to_list() == b["id"].to_list(), key
        assert not a.height or a.equals(b), (
            key,
            [i for i, x, y in zip(a["id"], a.rows(), b.rows(), strict=True) if x != y],
        )


def one_round(field: Field, seed: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Break, sweep in every way, and compare; how many answers were broken."""
    random = Random(f"answers {seed}")
    head, *lines = field.path.read_bytes().splitlines()
    after = without_doubles(broken(lines, random, field.maps))
    intact = {line: json.loads(line)["id"] for line in lines}
    ids = {intact[line] for line in after if line in intact}
    path = field.path.with_name("broken.jsonl")
    path.write_bytes(b"\n".join([head, *after]) + b"\n" * random.randint(0, 1))

    whole = sweep(field, [Stretch(path)])
    adds_up(whole, after, field.truths)
    assert ids <= set(whole.answered)
    rows = rows_of(field, whole)
    same(rows_of(field, sweep(field, [Stretch(field.path)])), rows, ids)

    parts = sweep(field, pieces_of(path, random))
    same(rows, rows_of(field, parts))
    assert parts.intake.to_json() == whole.intake.to_json()
    assert parts.digests == whole.digests
    assert parts.answered == whole.answered

    with monkeypatch.context() as patch:
        patch.setattr(Sweep, "_is_plain", lambda self, batch: np.zeros(10_000, dtype=bool))
        slow = sweep(field, [Stretch(path)])
    same(rows, rows_of(field, slow))
    assert slow.intake.to_json() == whole.intake.to_json()
    assert slow.digests == whole.digests

    left = [id_ for id_ in field.truths if id_ not in whole.answered]
    absorb(whole, Sweep(field.truths, field.tables, {}).missing(left), path)
    complete = rows_of(field, whole)
    assert set(complete) == set(field.found)
    assert all(table["id"].is_unique().all() for table in complete.values())
    assert sum(table.height for key, table in complete.items() if key[0] == "trp") == len(field.truths)
    summed_up(field, complete)
    return sum(line not in intact for line in after)


def test_nothing_vanishes_or_spills_over(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(one_round(field, seed, monkeypatch) for seed in range(2)) > 100


@pytest.mark.slow
def test_nothing_vanishes_or_spills_over_in_many_rounds(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    failed = gathered(range(2, ROUNDS + 2), lambda seed: counts.append(one_round(field, seed, monkeypatch)))
    print(f"\n{sum(counts)} broken answers in {len(counts)} files")
    assert not failed, "\n".join(failed)


# --- the command -----------------------------------------------------------------------------------------------------

FEW = ("det", "rec", "caption", "depth", "keypoints", "seg")  # suites of a quick command


def ended_well(done: Done, out: Path) -> bool:
    """Exit code 0 and a result that reads back, or 2 and one line; whether it was the first."""
    assert "Traceback" not in done.output
    assert "\x1b[2J" not in done.output
    if done.exit_code:
        assert done.exit_code == 2, done.output
        assert done.stderr.startswith("refvlm-bench: ")
        assert done.stderr.count("\n") == 1
        assert "a fault of the program" not in done.stderr
        assert not (out / "results.json").exists()
        return False
    results = read_results(out)
    assert all(suite.missing + suite.invalid <= suite.n for suite in results.suites)
    assert results_to_json(results) == (out / "results.json").read_text("utf-8")
    assert "<script>alert" not in (out / "report.html").read_text("utf-8")
    return True


def commanded(field: Field, out: Path, whole: bytes, suites: Sequence[str] = ()) -> Done:
    path = field.path.with_name("broken.jsonl")
    path.write_bytes(whole)
    more = [word for name in suites for word in ("--suite", name)] + [w for s in SPLITS for w in ("--split", s)]
    words = ("--data", field.data, "--out", out, "--resamples", 3, "--limit", LIMIT, *more)
    return bench("score", "--predictions", path, *words)


def one_command(field: Field, seed: int, out: Path) -> bool:
    """A whole file broken; scored, a second time from what was kept."""
    random = Random(f"file {seed}")
    whole = damaged_file(field.path.read_bytes(), random)
    if not ended_well(commanded(field, out, whole, FEW), out):
        return False
    first = (out / "results.json").read_bytes()
    assert ended_well(commanded(field, out, whole, FEW), out)
    assert (out / "results.json").read_bytes() == first
    return True


def test_a_broken_file_is_scored_or_refused_in_one_line(field: Field, tmp_path: Path) -> None:
    ended = [one_command(field, seed, tmp_path / str(seed)) for seed in range(8)]
    assert 0 < sum(ended) < len(ended)


@pytest.mark.slow
def test_broken_files_are_scored_or_refused_in_one_line(field: Field, tmp_path: Path) -> None:
    ended = Counter[bool]()
    failed = gathered(range(8, 8 + ROUNDS), lambda seed: ended.update([one_command(field, seed, tmp_path / str(seed))]))
    print(f"\n{ended[True]} broken files scored, {ended[False]} refused")
    assert not failed, "\n".join(failed)


@pytest.mark.slow
def test_broken_answers_make_whole_pages(field: Field, tmp_path: Path) -> None:
    """Every suite, with its pictures of broken answers, and again from the rows that were kept."""

    def command(seed: int) -> None:
        random, out = Random(f"pages {seed}"), tmp_path / str(seed)
        head, *lines = field.path.read_bytes().splitlines()
        whole = b"\n".join([head, *without_doubles(broken(lines, random, field.maps))])
        assert ended_well(commanded(field, out, whole), out)
        first = (out / "results.json").read_bytes(), (out / "report.html").read_bytes()
        assert ended_well(commanded(field, out, whole), out)
        assert first == ((out / "results.json").read_bytes(), (out / "report.html").read_bytes())

    failed = gathered(range(max(2, ROUNDS // 4)), command)
    assert not failed, "\n".join(failed)
