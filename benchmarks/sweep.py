"""Passes over stretches of a predictions file: every answer becomes a row in every table that its sample belongs to.

Answers that are plain go in blocks (`plain.py`), all others one by one (`answers.check_answer`); the rows are the same. A
sweep knows nothing of the other stretches: duplicates across them, missing answers and the order of rows are settled where
sweeps are put together (`score.py`), so that stretches can be swept by as many processes as there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.answers import Intake, check_answer
from benchmarks.kept import digest_of
from benchmarks.plain import Block, Sketch, check_block, sketch
from benchmarks.scorer import MISSING, Answered, Prepared, Row, Scorer, Setting, answered_turn
from benchmarks.truths import Truths, Which
from vtinstruct.answer_lines import Fault, decode_line, lines_of, read_line
from vtinstruct.dialogue import Dialogue
from vtinstruct.prediction import PredictionsError
from vtinstruct.units import UnitKind

BLOCK, UNITS = 1000, 20_000  # answers scored together, and units: blocks are small enough to be nothing in memory

FOLLOWING = ("unit: nothing decoded", "trp: units")  # of units that could not be read

Key = tuple[str, str, str]  # suite, source ("all": every source), split


@dataclass(frozen=True, slots=True)
class Table:
    """What one suite's rows of one source and split are made with."""

    key: Key
    scorer: Scorer
    setting: Setting


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes `start` to `stop` (None: the end) of a predictions file; `first` is the number of the line at `start`."""

    path: Path
    start: int = 0
    stop: int | None = None
    first: int = 1


@dataclass(slots=True)
class Swept:
    """What a sweep found: drafts of rows by table, who answered, what was wrong."""

    drafts: dict[Key, list[pl.DataFrame]] = field(default_factory=dict[Key, list[pl.DataFrame]])
    answered: dict[str, None] = field(default_factory=dict[str, None])  # in file order
    digests: dict[str, bytes] = field(default_factory=dict[str, bytes])  # of faultless answers' lines
    reused: set[str] = field(default_factory=set[str])  # whose rows are taken over
    intake: Intake = field(default_factory=Intake)


class Sweep:
    """Scores answers. `tables` are those of every task, source and split that samples are of."""

    def __init__(self, truths: Truths, tables: Mapping[Which, Sequence[Table]], kept: Mapping[bytes, str]) -> None:
        self._truths, self._tables, self._kept = truths, tables, kept
        self._swept = Swept()
        self._open: dict[tuple[int, UnitKind | None], list[tuple[int, int, bytes, Sketch]]] = {}
        self._waiting = self._units = 0
        self._rows: dict[Key, list[Row]] = {}
        self._prepared: dict[tuple[int, Key], Prepared] = {}
        self._plain: dict[int, NDArray[np.bool_]] = {}
        self._path = Path()

    def stretch(self, stretch: Stretch) -> Swept:
        """Sweep a stretch. Raises `PredictionsError` when a sample is answered twice in it."""
        self._path, self._swept = stretch.path, Swept()
        header = stretch.start == 0
        for number, line in lines_of(stretch.path, self._report, stretch.start, stretch.stop, stretch.first):
            if header:
                header = False
            else:
                self._line(number, line)
        self._close()
        return self._swept

    def missing(self, ids: Sequence[str]) -> Swept:
        """Rows of samples without an answer."""
        self._swept = Swept()
        quick: dict[int, list[int]] = {}
        for id_ in ids:
            batch, row = self._truths.place[id_]
            if self._is_plain(batch)[row]:
                quick.setdefault(batch, []).append(row)
            else:
                self._add(self._truths[id_], MISSING)
        for batch, rows in quick.items():
            self._block(batch, np.array(rows, dtype=np.int64), None)
        self._close()
        return self._swept

    # --- one answer --------------------------------------------------------------------------------------------------

    def _report(self, fault: Fault) -> None:
        self._swept.intake.note(fault.reason, self._path.name, fault.line, fault.detail)

    def _line(self, number: int, line: bytes) -> None:
        digest = digest_of(line)
        known = self._kept.get(digest)
        if known is not None and known in self._truths.place:
            self._once(known)
            self._swept.intake.answers += 1
            self._swept.reused.add(known)
            self._swept.digests[known] = digest
            return
        wire = decode_line(line)
        place = None if wire is None else self._truths.place.get(wire.id)
        if wire is None or place is None or not self._is_plain(place[0])[place[1]]:
            self._slowly(number, line)
            return
        drawn = sketch(wire)
        if drawn is None:
            self._slowly(number, line)
            return
        self._once(wire.id)
        self._swept.digests[wire.id] = digest
        self._swept.intake.answers += 1
        waiting = self._open.setdefault((place[0], drawn.kind), [])
        waiting.append((place[1], number, line, drawn))
        self._waiting += 1
        self._units += len(wire.units)
        if self._waiting >= BLOCK or self._units >= UNITS:
            self._close()

    def _once(self, id_: str) -> None:
        if id_ in self._swept.answered:
            raise PredictionsError(twice(self._path, id_))
        self._swept.answered[id_] = None

    def _slowly(self, number: int, line: bytes) -> None:
        reasons: list[str] = []

        def report(fault: Fault) -> None:
            reasons.append(fault.reason)
            self._report(fault)

        prediction = read_line(line, number, report)
        if prediction is None:
            return
        intake = self._swept.intake
        intake.answers += 1
        if prediction.id not in self._truths.place:
            intake.stray(self._path.name, number, prediction.id)
            return
        truth = self._truths[prediction.id]
        if prediction.turn not in (None, answered_turn(truth)):
            intake.other_turns += 1  # a model may answer every turn; one of them is scored
            return
        self._once(prediction.id)
        answer = check_answer(prediction, truth, self._path.parent, reasons)
        self._note_faults(number, prediction.id, answer, reasons)
        if answer.state == "ok" and not answer.references("depth"):
            self._swept.digests[truth.id] = digest_of(line)
        self._add(truth, answer)

    def _note_faults(self, number: int, id_: str, answer: Answered, told: Sequence[str]) -> None:
        """What looking at an answer found, beyond what reading its line has told already, and what follows from that."""
        found = Counter(reason for reason in answer.faults[len(told) :] if not told or reason not in FOLLOWING)
        for reason, times in found.items():
            detail = f"line {number}: the answer to {id_!r:.100}: {reason}{f', {times} times' if times > 1 else ''}"
            self._swept.intake.note(reason, self._path.name, number, detail, times)

    def _add(self, truth: Dialogue, answer: Answered) -> None:
        for table in self._tables[truth.task, truth.source, truth.split]:
            self._rows.setdefault(table.key, []).append(table.scorer.score(truth, answer, table.setting))
        self._waiting += 1
        if self._waiting >= BLOCK:
            self._close()

    # --- many at once ------------------------------------------------------------------------------------------------

    def _is_plain(self, batch: int) -> NDArray[np.bool_]:
        """Which samples of a batch can be scored as columns, in every table they belong to."""
        if batch not in self._plain:
            which, rows = self._truths.batches[batch].which, self._truths.batches[batch].rows
            plain = np.ones(rows.num_rows, dtype=np.bool_)
            for table in self._tables[which]:
                if table.scorer.columnar is None:
                    plain[:] = False
                    break
                prepared = table.scorer.columnar.prepare(rows, table.setting)
                self._prepared[batch, table.key] = prepared
                plain &= prepared.plain
            self._plain[batch] = plain
        return self._plain[batch]

    def _close(self) -> None:
        """Turn what waits into drafts."""
        waiting, self._open, self._waiting, self._units = self._open, {}, 0, 0
        for (batch, kind), several in waiting.items():
            picks = np.array([row for row, _, _, _ in several], dtype=np.int64)
            block, good = check_block(kind, [one for _, _, _, one in several], self._truths.sizes_wh(batch)[picks])
            if len(block):
                self._block(batch, picks[good], block)
            for index in np.flatnonzero(~good).tolist():
                _, number, line, one = several[index]
                self._again(number, line, one.wire.id)
        for key, rows in self._rows.items():
            scorer = next(t.scorer for several in self._tables.values() for t in several if t.key == key)
            self._swept.drafts.setdefault(key, []).append(scorer.draft(rows))
        self._rows = {}

    def _again(self, number: int, line: bytes, id_: str) -> None:
        """An answer that looked plain and is not: counted already, now read with care."""
        del self._swept.answered[id_], self._swept.digests[id_]
        self._swept.intake.answers -= 1
        self._slowly(number, line)

    def _block(self, batch: int, picks: NDArray[np.int64], block: Block | None) -> None:
        which = self._truths.batches[batch].which
        shared = self._truths.common(batch)[picks]
        state = pl.lit("missing" if block is None else "ok").alias("state")
        for table in self._tables[which]:
            scorer = table.scorer
            assert scorer.columnar is not None  # the batch has plain samples
            data = self._prepared[batch, table.key].data
            own = scorer.columnar.score(data, picks, block, table.setting)
            whole = shared.hstack(own).with_columns(state, *_blank(scorer.schema, {*shared.columns, *own.columns}))
            self._swept.drafts.setdefault(table.key, []).append(
                whole.select(pl.col(name).cast(type_) for name, type_ in scorer.schema.items())
            )


def _blank(schema: Mapping[str, Any], there: set[str]) -> Iterator[pl.Expr]:
    """Columns that a scorer leaves out: empty lists, nulls."""
    for name, type_ in schema.items():
        if name not in there and name != "state":
            yield pl.lit([] if isinstance(type_, pl.List) else None, type_).alias(name)


def twice(path: Path, id_: str) -> str:
    """What is said of a sample that is answered twice."""
    return f"{path}: answers {id_!r:.100} twice; one answer a sample is right"
