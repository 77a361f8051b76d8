"""Results and kept rows broken by the thousand: `merge`, `compare`, `leaderboard` and a second `score` take them, or refuse them in
one line. `VTINSTRUCT_FUZZ_CASES` says how many of each `pytest -m slow` has (400 without it)."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import polars as pl
import pyarrow.parquet as pq
import pytest

from benchmarks.results import read_results
from benchmarks.scorer import COMMON
from tests.benchmarks.road import Done, bench, edited, perfect, score
from tests.benchmarks.test_bad_files import with_confidences
from tests.benchmarks.test_fuzz_official import CASES
from tests.benchmarks.test_parts import in_parts
from tests.damage import BYTES, changed, gathered, written

COMMANDS = ("merge", "compare", "leaderboard", "score")


@dataclass(frozen=True)
class Parts:
    """Two halves of one run, each scored into a folder, the whole of it into a third; all files, by path."""

    data: Path
    answers: tuple[Path, Path]
    folders: tuple[Path, Path]
    whole: Path
    files: dict[Path, bytes]


@pytest.fixture(scope="module")
def parts(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    root = tmp_path_factory.mktemp("parts")
    path = edited(perfect(data, root / "answers.jsonl"), with_confidences)
    halves = in_parts(path, root, 2)
    folders = [root / "first", root / "second", root / "whole"]
    for answers, folder in zip((*halves, path), folders, strict=True):
        done = score(answers, data, folder, "--suite", "det", "--suite", "seg", "--suite", "depth")
        assert done.exit_code == 0, done.output
    files = {p: p.read_bytes() for folder in folders for p in folder.rglob("*") if p.suffix in (".json", ".parquet")}
    return Parts(data, (halves[0], halves[1]), (folders[0], folders[1]), folders[2], files)


def with_another_value(rows: pl.DataFrame, random: Random) -> pl.DataFrame:
    """One value of one row is another: a number that cannot be, or a list cut short."""
    wire = rows.to_dicts()
    row = random.choice(wire)
    name = random.choice([name for name, value in row.items() if value not in ([], None)])
    value = row[name]
    if isinstance(value, list):
        row[name] = value[:-1]
    elif isinstance(value, str):
        row[name] = value + "x"
    else:
        row[name] = -7 - value
    return pl.DataFrame(wire, schema=rows.schema)


def other_table(path: Path, random: Random) -> None:
    """Rows of another schema, or with other rows or another value in them, under their own metadata; or under a broken one."""
    table = pq.read_table(path)
    meta, rows = dict(table.schema.metadata or {}), pl.from_arrow(table)
    assert isinstance(rows, pl.DataFrame)
    name = random.choice(rows.columns)
    match random.randrange(9):
        case 0:
            rows = rows.drop(name)
        case 1:
            rows = rows.rename({name: f"{name}x"})
        case 2:
            rows = rows.with_columns(pl.lit(1, pl.Int8).alias(name))
        case 3:
            rows = pl.concat([rows, rows])
        case 4:
            rows = rows.head(random.choice((0, 1)))
        case 5:
            name = random.choice(sorted(COMMON))
            rows = rows.with_columns(
                pl.when(pl.int_range(pl.len()) == 0).then(None).otherwise(pl.col(name)).alias(name)
            )
        case 6:
            key = random.choice(sorted(meta))
            meta[key] = written(changed(json.loads(meta[key]), random)) if key == b"refvlm-bench" else b"x"
        case 7:
            rows = rows.select(sorted(rows.columns))
        case _:
            rows = with_another_value(rows, random)
    pq.write_table(rows.to_arrow(compat_level=pl.CompatLevel.oldest()).replace_schema_metadata(meta), path)


def break_one(parts: Parts, random: Random) -> Path:
    """Any byte of a file, any field of a result, any table as another program would write it; the file."""
    path = random.choice(sorted(parts.files))
    if path.suffix == ".parquet" and random.random() < 0.6 and path.name != "answers.parquet":
        other_table(path, random)
    elif path.suffix == ".json" and random.random() < 0.8:
        wire = json.loads(parts.files[path])
        for _ in range(random.choice((1, 1, 2))):
            wire = changed(wire, random)
        if isinstance(wire, dict) and isinstance(wire.get("suites"), list) and random.random() < 0.2 and wire["suites"]:
            one = random.choice(wire["suites"])
            if isinstance(one, dict):
                one["rows"] = random.choice(
                    ("../../x", "/tmp/x", "", ".", "rows", "rows/none.parquet", "results.json", "a\0b")
                )
        path.write_bytes(written(wire))
    else:
        path.write_bytes(random.choice(BYTES)(parts.files[path], random))
    return path


def command(name: str, parts: Parts, out: Path) -> Done:
    first, second = parts.folders
    match name:
        case "merge":
            out.mkdir()
            return bench("merge", first, second, "--out", out)
        case "compare":
            return bench("compare", parts.whole, first, "--out", out / "compare.html", "--resamples", 5)
        case "leaderboard":
            return bench("leaderboard", first, parts.whole, "--out", out)
        case _:
            return score(
                parts.answers[0],
                parts.data,
                first,
                "--suite",
                "det",
                "--suite",
                "seg",
                "--suite",
                "depth",
            )


def read_by(name: str, parts: Parts) -> tuple[Path, ...]:
    """The folders whose rows a command reads."""
    return {"merge": parts.folders, "compare": (parts.whole, parts.folders[0])}.get(name, ())


def one_case(name: str, seed: int, parts: Parts, tmp: Path) -> str:
    """Break a file, run a command, mend it; how it ended."""
    random, out = Random(f"{name} {seed}"), tmp / "place" / "out"
    shutil.rmtree(tmp / "place", ignore_errors=True)
    (tmp / "place").mkdir(parents=True)
    try:
        path = break_one(parts, random)
        changed_rows = (
            path.parent.name == "rows" and path.name != "answers.parquet" and path.read_bytes() != parts.files[path]
        )
        done = command(name, parts, out)
        assert "Traceback" not in done.output
        if name == "score":  # what was kept is no input: it is left alone or used, and the result is the same
            assert done.exit_code == 0, done.output
            assert (parts.folders[0] / "results.json").read_bytes() == parts.files[parts.folders[0] / "results.json"]
        assert {path.name for path in (tmp / "place").iterdir()} <= {"out"}, "written outside of the folder"
        if done.exit_code:
            assert done.exit_code == 2, done.output
            assert done.stderr.startswith("refvlm-bench: ")
            assert done.stderr.count("\n") == 1
            return "refused"
        assert not (changed_rows and any(path.is_relative_to(folder) for folder in read_by(name, parts))), (
            "changed rows were taken"
        )
        if name == "merge":
            read_results(out)
        return "taken"
    finally:
        for path, whole in parts.files.items():
            path.write_bytes(whole)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_broken_result_is_taken_or_refused_in_one_line(name: str, parts: Parts, tmp_path: Path) -> None:
    outcomes = Counter(one_case(name, seed, parts, tmp_path) for seed in range(10))
    assert outcomes.total() == 10
    assert outcomes["refused"] or name in ("leaderboard", "score")  # which read little of a folder


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_many_broken_results_are_taken_or_refused_in_one_line(name: str, parts: Parts, tmp_path: Path) -> None:
    outcomes = Counter[str]()
    failed = gathered(range(10, 10 + CASES), lambda seed: outcomes.update([one_case(name, seed, parts, tmp_path)]))
    print(f"\n{name}: {dict(outcomes)}")
    assert not failed, "\n".join(failed)
