"""POPE labels and answers, scored as its `evaluate.py` does.

Both are JSON lines, or one JSON list: labels have `label` (yes or no), answers `answer` (or `text`, as some models' scripts
call it). The n-th answer belongs to the n-th label; where both have a `question_id`, they must agree. LLaVA's and InternVL's
scripts answer all label files in one, and tell them apart by the questions' `category`: `questions`.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np

from benchmarks.official._files import OfficialError, Rows, check_ids, lines_or_list
from benchmarks.official._table import Table
from benchmarks.scorers.pope import SCRIPT, read_answer, read_as_script, yes_no_numbers


def pope(labels: Path, answers: Path, questions: Path | None = None) -> Table:
    """The script's five numbers (ending in `[script]`), and beside each the one by a careful reading of the answers. With
    `questions`, the answers to those of the category that the labels' file is called by. Raises `OfficialError`."""
    probes, said = lines_or_list(labels), lines_or_list(answers)
    if questions is not None:
        said = _of_category(said, answers, questions, labels.stem.rsplit("_", 1)[-1])
    if len(probes) != len(said):
        raise OfficialError(f"{answers}: {len(said)} answers to {len(probes)} probes of {labels}; one a probe is right")
    texts: list[str] = []
    for number, (probe, row) in enumerate(zip(probes, said, strict=True), start=1):
        if str(probe.get("label")).lower() not in ("yes", "no"):
            raise OfficialError(f"{labels}: line {number} has label {probe.get('label')!r:.40}; yes or no is right")
        mine, theirs = probe.get("question_id"), row.get("question_id")
        if questions is None and mine is not None and theirs is not None and mine != theirs:
            raise OfficialError(f"{answers}: line {number} is for question {theirs!r:.40}, the label's is {mine!r:.40}")
        text = row.get("answer", row.get("text"))
        if not isinstance(text, str):
            raise OfficialError(f"{answers}: line {number} has answer {text!r:.40}; a text is right")
        texts.append(text)
    label = np.array([probe["label"].lower() == "yes" for probe in probes], dtype=np.bool_)
    numbers: dict[str, float | None] = {}
    for reading, suffix in ((read_as_script, SCRIPT), (read_answer, "")):
        read = np.array([reading(text) for text in texts], dtype=np.str_)
        found = yes_no_numbers(label, read) if probes else {}
        numbers |= {f"{name}{suffix}": value for name, value in found.items()}
    neither = sum(not read_answer(text) for text in texts)
    notes = (f"{len(probes)} probes; {neither} answers say neither yes nor no: wrong by a careful reading",)
    return Table("POPE", numbers, (), notes, {"vt-instruct": importlib.metadata.version("vt-instruct")})


def _of_category(said: Rows, answers: Path, questions: Path, category: str) -> Rows:
    """The answers, in their order, to questions of a category (as `eval_pope.py` has it)."""
    asked = lines_or_list(questions)
    check_ids(said, str(answers), "question_id", check_ids(asked, str(questions), "question_id"))
    categories = {row["question_id"]: row.get("category") for row in asked}
    for number, row in enumerate(said, start=1):
        if row["question_id"] not in categories:
            raise OfficialError(
                f"{answers}: line {number} is for question {row['question_id']!r:.40}, which is not in {questions}"
            )
    found = [row for row in said if categories[row["question_id"]] == category]
    if not found:
        known = ", ".join(sorted({str(name) for name in categories.values()}))
        raise OfficialError(
            f"{questions}: no answered question of category {category!r:.40}; its categories are {known:.80}"
        )
    return found
