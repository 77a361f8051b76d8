"""Results of parts, scored apart (on several machines, say), put together as if they had been scored at once."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import polars as pl

from benchmarks.answers import SHOWN_FAULTS, SHOWN_STRAYS, STRAY
from benchmarks.folder import RESULTS, begin, claimed
from benchmarks.intervals import plain_intervals
from benchmarks.results import Results, ResultsError, SuiteResult, read_results, write_results
from benchmarks.rows import in_photo_order, rows_of, setting_of, write_rows
from benchmarks.score import joint_digest, with_word_lists
from benchmarks.suites import suite_of

FRESH = ".merging"  # where merged rows wait


def merge(folders: Sequence[Path], out: Path) -> Results:
    """Merge folders of `score` into `out`: a sample is taken from the part that answered it. Raises `ResultsError` when the
    parts are of different models, datasets, suites or settings, two of them answer the same sample, or `out` is one of them."""
    parts = [read_results(folder) for folder in folders]
    first = parts[0]
    for folder, part in zip(folders, parts, strict=True):
        for name in ("model", "dataset", "engine", "versions", "options", "generation", "other_dataset"):
            if getattr(part, name) != getattr(first, name):
                raise ResultsError(f"{folder}: its {name} is not that of {folders[0]}; parts of one run are right")
        if [suite.key for suite in part.suites] != [suite.key for suite in first.suites]:
            raise ResultsError(f"{folder}: other suites than {folders[0]}; parts of one run are right")
    if out.resolve() in {folder.resolve() for folder in folders}:
        raise ResultsError(f"{out}: is one of the parts; another folder is right")
    with claimed(out):
        fresh = out / FRESH
        shutil.rmtree(fresh, ignore_errors=True)  # of a command that was killed
        try:
            merged = _merged(folders, parts, fresh)
            begin(out)  # nothing can be refused any more: until now the folder keeps what it held
            for suite in merged.suites:
                (out / suite.rows).parent.mkdir(parents=True, exist_ok=True)
                (fresh / suite.rows).replace(out / suite.rows)
            write_results(out / RESULTS, merged)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return merged


def _merged(folders: Sequence[Path], parts: Sequence[Results], out: Path) -> Results:
    first = parts[0]
    suites = tuple(_suite(index, folders, parts, out) for index in range(len(first.suites)))
    digests = tuple(sorted({digest for part in parts for digest in part.predictions or (part.predictions_sha256,)}))
    return replace(
        first, suites=suites, versions=with_word_lists(first.versions, suites), predictions=digests,
        predictions_sha256=joint_digest(digests), intake=_intake([part.intake for part in parts]),
    )  # fmt: skip


def _suite(index: int, folders: Sequence[Path], parts: Sequence[Results], out: Path) -> SuiteResult:
    result = parts[0].suites[index]
    read = [rows_of(folder, part.suites[index]) for folder, part in zip(folders, parts, strict=True)]
    _, whose, categories = read[0]
    answered = [rows.filter(pl.col("state") != "missing") for rows, _, _ in read]
    together = pl.concat(answered)
    twice = together.filter(pl.col("id").is_duplicated())
    if twice.height:
        raise ResultsError(
            f"{folders[0]}: {twice['id'].min()!r:.100} is answered in two parts; one answer a sample is right"
        )
    everything = pl.concat([rows for rows, _, _ in read])
    silent = everything.filter(~pl.col("id").is_in(together["id"].to_list())).unique("id", keep="first")
    rows = in_photo_order(pl.concat([together, silent]))
    seal = write_rows(out / result.rows, rows, whose, categories)
    setting = setting_of(categories, parts[0], parts[0].options["resamples"], parts[0].options["seed"])
    suite = suite_of(result.suite, result.task)
    summary = suite.load().summarize(rows, setting)
    states = Counter(rows["state"].to_list())
    return replace(
        result, n=rows.height, missing=states["missing"], invalid=states["invalid"], numbers=summary.numbers,
        intervals=plain_intervals(summary.intervals), details=summary.details, rows_sha256=seal,
    )  # fmt: skip


def _intake(parts: Sequence[Any]) -> dict[str, Any]:
    reasons: Counter[str] = Counter()
    lines: list[str] = []
    for part in parts:
        reasons.update(cast(dict[str, int], part.get("reasons", {})))
        lines += part.get("lines", [])
    counts = {name: sum(part.get(name, 0) for part in parts) for name in ("answers", "unknown_ids", "other_turns")}
    lines.sort(key=_place)
    strays = [line for line in lines if line.endswith(STRAY)]
    kept = [line for line in lines if not line.endswith(STRAY)][:SHOWN_FAULTS] + strays[:SHOWN_STRAYS]
    return {**counts, "reasons": dict(sorted(reasons.items())), "lines": sorted(kept, key=_place)}


def _place(line: str) -> tuple[str, int, str]:
    """File, number of the line in it, and the whole: the order of one scoring (`answers.Intake`)."""
    found = re.match(r"(.*?): line (\d+): ", line, re.DOTALL)
    return (found[1], int(found[2]), line) if found else (line, 0, line)
