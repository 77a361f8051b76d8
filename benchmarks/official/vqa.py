"""VQA annotations and results (VQAv2, OK-VQA), scored as the official `vqaEval.py` does.

Format: https://visualqa.org/evaluation.html: a result row has `question_id` and `answer`. The original refuses a file that
does not answer exactly the annotated questions; here a question without an answer counts 0, and is said. The original
rounds to two digits of per cent; nothing is rounded here.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.official._files import OfficialError, read_json, rows_of, table_of
from benchmarks.official._table import Table
from benchmarks.scorers.vqa import soft_accuracy


def vqa(annotations: Path, results: Path) -> Table:
    """Soft accuracy of a result file: of all questions, and by type of answer and of question. Raises `OfficialError`."""
    asked = _annotated(annotations)
    said: dict[int, str] = {}
    for number, row in enumerate(rows_of(read_json(results), str(results))):
        id_, answer = row.get("question_id"), row.get("answer")
        if not isinstance(id_, int) or not isinstance(answer, str):
            raise OfficialError(
                f"{results}: [{number}] is {row!r:.60}; question_id, a number, and answer, a text, are right"
            )
        if id_ not in asked:
            raise OfficialError(f"{results}: [{number}] answers question {id_}, which is not annotated")
        if id_ in said:
            raise OfficialError(f"{results}: [{number}] answers question {id_} again; one answer a question is right")
        said[id_] = answer
    scores = {id_: soft_accuracy(said[id_], _people(row)) if id_ in said else 0.0 for id_, row in asked.items()}
    corrected = {
        id_: soft_accuracy(said[id_], _people(row), always_respell=True) if id_ in said else 0.0
        for id_, row in asked.items()
    }
    groups: dict[tuple[str, str], list[float]] = {}
    for id_, row in asked.items():
        for field in ("answer_type", "question_type"):
            groups.setdefault((field, str(row.get(field, ""))), []).append(scores[id_])
    classes = tuple(
        {"class": name, "by": field, "n": len(values), "accuracy": sum(values) / len(values)}
        for (field, name), values in sorted(groups.items())
    )
    numbers = {"accuracy": _mean(scores), "accuracy[corrected]": _mean(corrected)}
    notes = (f"{len(said)} of {len(asked)} questions are answered; the others count 0",)
    return Table("VQA", numbers, classes, notes, {"vt-instruct": importlib.metadata.version("vt-instruct")})


def _mean(scores: Mapping[int, float]) -> float | None:
    return sum(scores.values()) / len(scores) if scores else None


def _people(row: Mapping[str, Any]) -> list[str]:
    return [answer["answer"] for answer in row["answers"]]


def _annotated(path: Path) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for number, row in enumerate(table_of(path, "annotations")):
        where = f"{path}: annotations[{number}]"
        if not isinstance(row.get("question_id"), int):
            raise OfficialError(f"{where} has question_id {row.get('question_id')!r:.40}; a whole number is right")
        for answer in rows_of(row.get("answers"), f"{where}: answers"):
            if not isinstance(answer.get("answer"), str):
                raise OfficialError(f"{where} has an answer {answer!r:.40}; an object with a text `answer` is right")
        if not row["answers"]:
            raise OfficialError(f"{where} has no answers; the answers of ten people are right")
        found[row["question_id"]] = row
    return found
