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

from benchmarks.official._files import OfficialError, check_ids, read_json, rows_of, table_of
from benchmarks.official._table import Table
from benchmarks.scorers._vqa_words import plain_answer, same_answer
from benchmarks.scorers.vqa import soft_accuracy


def vqa(annotations: Path, results: Path) -> Table:
    """Soft accuracy of a result file: of all questions, and by type of answer and of question. Raises `OfficialError`."""
    asked, kind = _annotated(annotations)
    said: dict[int | str, str] = {}
    rows = rows_of(read_json(results), str(results))
    check_ids(rows, str(results), "question_id", kind)
    for number, row in enumerate(rows):
        id_, answer = row["question_id"], row.get("answer")
        if not isinstance(answer, str):
            raise OfficialError(f"{results}: [{number}] has answer {answer!r:.40}; a text is right")
        if id_ not in asked:
            raise OfficialError(f"{results}: [{number}] answers question {id_}, which is not annotated")
        if id_ in said:
            raise OfficialError(f"{results}: [{number}] answers question {id_} again; one answer a question is right")
        said[id_] = answer
    scores = {id_: _soft(said[id_], row["answers"]) if id_ in said else 0.0 for id_, row in asked.items()}
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
    notes = [f"{len(said)} of {len(asked)} questions are answered; the others count 0"]
    alike = sum(not _told_apart(row["answers"]) for row in asked.values())
    if alike:
        notes.append(
            f"{alike} questions' answers have no answer_id of their own: in `accuracy`, as in the original, equal ones are one "
            "person's; `accuracy[corrected]` counts each"
        )
    return Table("VQA", numbers, classes, tuple(notes), {"vt-instruct": importlib.metadata.version("vt-instruct")})


def _mean(scores: Mapping[int | str, float]) -> float | None:
    return sum(scores.values()) / len(scores) if scores else None


def _told_apart(answers: list[dict[str, Any]]) -> bool:
    return len({repr(one.get("answer_id")) for one in answers}) == len(answers)


def _soft(said: str, answers: list[dict[str, Any]]) -> float:
    """The official score. It leaves out every answer object that equals a person's own: where `answer_id` does not tell people
    apart, all who say the same."""
    if _told_apart(answers):
        return soft_accuracy(said, _people({"answers": answers}))
    texts = [plain_answer(one["answer"]) for one in answers]
    said = plain_answer(said)
    if len(set(texts)) > 1:
        said, texts = same_answer(said), [same_answer(text) for text in texts]
    people = [{**one, "answer": text} for one, text in zip(answers, texts, strict=True)]
    others = [[other["answer"] == said for other in people if other != one] for one in people]
    return sum(min(1.0, sum(same) / 3) for same in others) / len(people)


def _people(row: Mapping[str, Any]) -> list[str]:
    return [answer["answer"] for answer in row["answers"]]


def _annotated(path: Path) -> tuple[dict[int | str, dict[str, Any]], type]:
    """The annotated questions by id, and whether ids are numbers or texts."""
    found: dict[int | str, dict[str, Any]] = {}
    rows = table_of(path, "annotations")
    kind = check_ids(rows, f"{path}: annotations", "question_id")
    for number, row in enumerate(rows):
        where = f"{path}: annotations[{number}]"
        for answer in rows_of(row.get("answers"), f"{where}: answers"):
            if not isinstance(answer.get("answer"), str):
                raise OfficialError(f"{where} has an answer {answer!r:.40}; an object with a text `answer` is right")
        if not row["answers"]:
            raise OfficialError(f"{where} has no answers; the answers of ten people are right")
        found[row["question_id"]] = row
    return found, kind
