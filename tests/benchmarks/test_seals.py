"""Kept rows are read as they were written, or not at all: whatever another program makes of them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from benchmarks import score as score_module
from benchmarks import suites
from benchmarks.results import read_results
from benchmarks.rows import RowsError, Whose, read_rows, write_rows
from benchmarks.score import rescore
from benchmarks.suites import suite_named
from tests.benchmarks.road import Done, bench, edited, perfect, score
from tests.benchmarks.test_bad_files import with_confidences

SUITES = ("--suite", "det", "--suite", "seg")
CHANGED = "was changed after it was scored (its SHA-256 is another); score the predictions again\n"


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Path:
    """A scored folder, the answers beside it."""
    answers = edited(perfect(data, tmp_path / "answers.jsonl"), with_confidences)
    assert score(answers, data, tmp_path / "run", *SUITES).exit_code == 0
    return tmp_path / "run"


def rows_file(run: Path, suite: str = "det") -> Path:
    (path,) = (run / "rows").glob(f"{suite}.*.parquet")
    return path


def rewrite(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame], reseal: bool = False) -> None:
    """The table as polars would write it, its metadata kept; `reseal`: as a program would that knows of seals."""
    meta = pq.read_schema(path).metadata
    table = change(pl.read_parquet(path)).to_arrow(compat_level=pl.CompatLevel.oldest())
    pq.write_table(table.replace_schema_metadata(meta), path)
    if reseal:
        edit_result(path, rows_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def edit_result(file: Path, **fields: Any) -> None:
    """Change the entry of a row file in its results.json."""
    path = file.parent.parent / "results.json"
    wire = json.loads(path.read_text())
    (entry,) = (one for one in wire["suites"] if one["rows"] == f"rows/{file.name}")
    entry |= fields
    path.write_text(json.dumps(wire))


def both(run: Path) -> tuple[Done, Done]:
    """`merge` and `compare` of a folder; what is wrong with it is one line, and nothing is left behind."""
    merged, compared = (
        bench("merge", run, "--out", run.parent / "merged"), bench("compare", run, run, "--out", run.parent / "c.html")
    )  # fmt: skip
    for done in (merged, compared):
        assert done.exit_code == 2, done.output
        assert done.stderr.count("\n") == 1
    assert not (run.parent / "merged/results.json").exists()
    assert not (run.parent / "c.html").exists()
    return merged, compared


def in_first(name: str, value: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Another value in a column, of the first row that has instances."""
    first = pl.int_range(pl.len()) == (pl.col("found_count") > 0).arg_max()
    return lambda rows: rows.with_columns(pl.when(first).then(value).otherwise(pl.col(name)).alias(name))


ONE_VALUE = {
    "a confidence of 7": in_first("found_score", pl.col("found_score").list.eval(pl.lit(7.0))),
    "a confidence a little higher": in_first("found_score", pl.col("found_score").list.eval(pl.element() + 1e-9)),
    "a confidence that is no number": in_first("found_score", pl.col("found_score").list.eval(pl.lit(float("nan")))),
    "a negative count": in_first("found_count", pl.lit(-3, pl.Int64)),
    "more hits than there were": in_first("hits50", pl.col("hits50") + 1),
    "boxes cut short": in_first("found_box", pl.col("found_box").list.head(pl.col("found_box").list.len() - 1)),
    "classes cut short": in_first("found_class", pl.col("found_class").list.head(0)),
    "another class": in_first("found_class", pl.col("found_class").list.eval(pl.element() + 1)),
    "another photo": in_first("photo", pl.lit("coco:999999")),
    "another quality": in_first("quality", pl.lit(0.25)),
    "another state": in_first("state", pl.lit("missing")),
    "a row less": lambda rows: rows.head(rows.height - 1),
    "a row twice": lambda rows: pl.concat([rows, rows.head(1)]),
    "another order": lambda rows: rows.reverse(),
    "the same values in another file": lambda rows: rows,
}  # fmt: skip


@pytest.mark.parametrize("what", ONE_VALUE)
def test_rows_with_another_value_are_refused_in_one_line_and_scored_anew(run: Path, data: Path, what: str) -> None:
    path, before = rows_file(run), (run / "results.json").read_bytes()
    whole = path.read_bytes()
    rewrite(path, ONE_VALUE[what])
    for done in both(run):
        assert done.stderr == f"refvlm-bench: {path} {CHANGED}"
    with pytest.raises(RowsError, match="was changed after it was scored"):
        rescore(read_results(run), run)
    assert score(run.parent / "answers.jsonl", data, run, *SUITES).exit_code == 0  # what was changed is not taken over
    assert (path.read_bytes(), (run / "results.json").read_bytes()) == (whole, before)


def test_a_refused_merge_leaves_the_result_that_is_there(run: Path) -> None:
    """Also where the first suite is sound, and where two parts answer the same."""
    out = run.parent / "merged"
    assert bench("merge", run, "--out", out).exit_code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    shutil.copytree(run, run.parent / "copy")
    shutil.copytree(run, out / ".merging")  # as a killed command leaves it
    assert "answered in two parts" in bench("merge", run, run.parent / "copy", "--out", out).stderr
    rewrite(rows_file(run, "seg"), lambda rows: rows.reverse())
    assert CHANGED in bench("merge", run, "--out", out).stderr
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in out.iterdir()) == ["results.json", "rows"]


@pytest.mark.parametrize("at", ["photo", "footer", "end"])
def test_a_damaged_byte_is_refused_wherever_it_is(run: Path, at: str) -> None:
    path = rows_file(run)
    content = bytearray(path.read_bytes())
    place = {"photo": content.index(b"coco") + 1, "footer": len(content) - 40, "end": len(content) - 1}[at]
    content[place] ^= 1
    path.write_bytes(content)
    assert all(done.stderr == f"refvlm-bench: {path} {CHANGED}" for done in both(run))


def test_rows_without_a_seal_are_not_read_but_their_result_is(run: Path) -> None:
    """As an older version left them: the leaderboard has its numbers, whatever sums rows up again does not."""
    path = rows_file(run, "seg")
    edit_result(path, rows_sha256="")
    for done in both(run):
        assert done.stderr.startswith(f"refvlm-bench: {path}: its results.json keeps no seal of it")
        assert done.stderr.endswith("score the predictions again\n")
    assert bench("leaderboard", run, "--out", run.parent / "board").exit_code == 0


def test_sealed_rows_of_another_suite_are_refused(run: Path) -> None:
    det, seg = rows_file(run), rows_file(run, "seg")
    edit_result(seg, rows=f"rows/{det.name}", rows_sha256=hashlib.sha256(det.read_bytes()).hexdigest())
    for done in both(run):
        assert "holds rows of det hand val; those of its result are right" in done.stderr


def test_rows_of_another_version_of_their_suite_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would get the numbers of another definition under the name of their own."""
    newer = tuple(replace(one, version=2) if one.name == "det" else one for one in suites.SUITES)
    monkeypatch.setattr(suites, "SUITES", newer)
    for done in both(run):
        assert f"{rows_file(run)} is of version 1 of det, this is 2; score again" in done.stderr


def test_columns_of_another_version_are_refused_by_name(run: Path) -> None:
    path = rows_file(run)
    rewrite(path, lambda rows: rows.rename({"photo": "photos"}), reseal=True)
    for done in both(run):
        assert "columns photo, photos are not those of det; score again" in done.stderr
    schema = suite_named("det").load().schema
    rewrite(path, lambda rows: rows.rename({"photos": "photo"}).select(list(schema)), reseal=True)
    assert bench("compare", run, run, "--out", run.parent / "c.html").exit_code == 0


def test_a_scoring_cut_short_leaves_no_rows_that_older_digests_promise(
    run: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of other answers lie beside the digests of the first: scoring the first again must not take them over."""
    before, answers = (run / "results.json").read_bytes(), run.parent / "answers.jsonl"
    worse = run.parent / "worse.jsonl"
    head, *lines = answers.read_text().splitlines()
    emptied = [json.dumps(json.loads(line) | {"text": "Nothing.", "units": []}) for line in lines]
    worse.write_text("\n".join([head, *emptied]) + "\n")
    with monkeypatch.context() as patch:
        patch.setattr(score_module, "write_kept", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert score(worse, data, run, *SUITES).exit_code not in (0, 2)
    assert score(answers, data, run, *SUITES).exit_code == 0
    assert (run / "results.json").read_bytes() == before


def test_digests_that_another_program_exchanged_are_not_believed(run: Path, data: Path) -> None:
    """Each line would take over the rows of another sample."""
    before, path = (run / "results.json").read_bytes(), run / "rows/answers.parquet"
    rewrite(path, lambda table: table.with_columns(pl.col("digest").reverse()))
    assert score(run.parent / "answers.jsonl", data, run, *SUITES).exit_code == 0
    assert (run / "results.json").read_bytes() == before


def test_the_pieces_that_a_table_comes_in_do_not_show_in_its_file(run: Path) -> None:
    rows = pl.concat([pl.read_parquet(rows_file(run))] * 40)
    whole, (path, whose) = rows.rechunk(), (run / "rows.parquet", Whose("det", 1, "hand", "val"))
    pieces = pl.concat([whole[n : n + 7] for n in range(0, whole.height, 7)], rechunk=False)
    assert pieces.n_chunks() > 10
    assert write_rows(path, whole, whose, {}) == write_rows(path, pieces, whose, {})
    assert read_rows(path, write_rows(path, pieces, whose, {}))[0].equals(whole)


def test_parts_of_whole_stretches_merge_to_the_same_bytes_in_any_order(data: Path, tmp_path: Path) -> None:
    """Together they are in order one way round, and put in order the other."""
    answers = edited(perfect(data, tmp_path / "answers.jsonl"), with_confidences)
    head, *lines = answers.read_text().splitlines()
    folders = []
    for number, part in enumerate((lines[:3], lines[3:])):
        half = tmp_path / f"half{number}.jsonl"
        half.write_text("\n".join([head, *part]) + "\n")
        folders.append(tmp_path / f"scored{number}")
        assert score(half, data, folders[-1]).exit_code == 0
    found = []
    for name, order in (("forward", folders), ("backward", folders[::-1])):
        assert bench("merge", *order, "--out", tmp_path / name).exit_code == 0
        found.append(
            {p.name: p.read_bytes() for p in (tmp_path / name).rglob("*") if p.suffix in (".json", ".parquet")}
        )
    assert found[0] == found[1]
    merged = read_results(tmp_path / "forward")
    for suite in merged.suites:
        assert suite.rows_sha256 == hashlib.sha256((tmp_path / "forward" / suite.rows).read_bytes()).hexdigest()
    assert bench("merge", tmp_path / "forward", "--out", tmp_path / "again").exit_code == 0  # its seals are sound
    assert read_results(tmp_path / "again").suites == merged.suites
    assert rescore(merged, tmp_path / "forward") == merged
