"""GQA's questions and answers, scored as its `eval.py` does.

Questions are `*_questions.json` (an object by question id), answers rows of `questionId` and `prediction`. Balanced questions
count, an answer is right letter by letter. The original refuses a file that misses a balanced question; here it counts as wrong,
and is said. Its validity, plausibility, consistency and grounding are not computed: they need its choices, answers to
unbalanced questions, and attention maps. Source: Hudson & Manning, CVPR 2019, section 4.4;
cs.stanford.edu/people/dorarad/gqa/evaluate.html.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from benchmarks.official._files import OfficialError, check_ids, lines_or_list, read_json
from benchmarks.official._table import Table
from benchmarks.scorers._vqa_words import same_answer

Groups = Mapping[tuple[str, str], Sequence[float]]  # right or wrong, by the kind of a type and its name
TYPES = ("structural", "semantic")


def gqa(questions: Path, predictions: Path) -> Table:
    """Accuracy of the balanced questions, of binary and open ones, and the distance of the distributions. Raises
    `OfficialError`."""
    asked, said = _asked(questions), _said(predictions)
    unknown = len(said.keys() - asked.keys())
    asked = {id_: row for id_, row in asked.items() if row["isBalanced"]}
    answers = {id_: said.get(id_) for id_ in asked}
    right = {id_: float(answers[id_] == row["answer"]) for id_, row in asked.items()}
    spelled = [
        float(said_ is not None and same_answer(said_) == same_answer(asked[id_]["answer"]))
        for id_, said_ in answers.items()
    ]
    groups: dict[tuple[str, str], list[float]] = {}
    for id_, row in asked.items():
        kinds = {"answer": "open" if row["types"]["structural"] == "query" else "binary"}
        for by, name in (kinds | {by: row["types"][by] for by in TYPES}).items():
            groups.setdefault((by, str(name)), []).append(right[id_])
    numbers = {
        "accuracy": _mean(right.values()), "accuracy[one spelling]": _mean(spelled),
        **{name: _mean(groups.get(("answer", name), ())) for name in ("binary", "open")},
        "distribution": _distance([(row["groups"]["global"], row["answer"], answers[id_]) for id_, row in asked.items()]),
    }  # fmt: skip
    missing = sum(answer is None for answer in answers.values())
    notes = [f"{len(asked)} balanced questions; {missing} have no answer, and count as wrong"]
    if unknown:
        notes.append(f"{unknown} answers are to questions that are not in {questions}")
    return Table(
        "GQA", numbers, _classes(groups), tuple(notes), {"vt-instruct": importlib.metadata.version("vt-instruct")}
    )


def _classes(groups: Groups) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"class": name, "by": by, "n": len(values), "accuracy": _mean(values)}
        for (by, name), values in sorted(groups.items()) if by != "answer"
    )  # fmt: skip


def _distance(rows: Iterable[tuple[str | None, str, str | None]]) -> float | None:
    """Chi square of the annotated and the answered words of every group, weighed by the group's questions; a hundredth, as the
    original prints it (lower is better). Wrong words that are nobody's answer in the group do not count."""
    true: dict[str, Counter[str]] = {}
    found: dict[str, Counter[str | None]] = {}
    for group, answer, said in rows:
        if group is not None:
            true.setdefault(group, Counter())[answer] += 1
            found.setdefault(group, Counter())[said] += 1
    total, questions = 0.0, 0
    for group, counts in true.items():
        chi = 0.0
        for answer, count in counts.items():
            chi += float(found[group][answer] - count) ** 2 / count
        total += chi * counts.total()
        questions += counts.total()
    return total / questions / 100 if questions else None


def _mean(values: Iterable[float]) -> float | None:
    several = list(values)
    return sum(several) / len(several) if several else None


def _said(path: Path) -> dict[str, str]:
    rows = lines_or_list(path)
    for row in rows:
        if isinstance(row.get("questionId"), int) and not isinstance(row["questionId"], bool):
            row["questionId"] = str(row["questionId"])  # ids are keys of the questions, and keys are texts
    check_ids(rows, str(path), "questionId", str)
    said: dict[str, str] = {}
    for number, row in enumerate(rows):
        if not isinstance(row.get("prediction"), str):
            raise OfficialError(f"{path}: [{number}] has prediction {row.get('prediction')!r:.40}; a text is right")
        if row["questionId"] in said:
            raise OfficialError(
                f"{path}: [{number}] answers question {row['questionId']} again; one answer each is right"
            )
        said[row["questionId"]] = row["prediction"]
    return said


def _asked(path: Path) -> dict[str, dict[str, Any]]:
    whole = read_json(path)
    if not isinstance(whole, dict):
        raise OfficialError(f"{path}: {type(whole).__name__}; an object of questions by id is right")
    for id_, row in cast(dict[str, Any], whole).items():
        fields = cast(dict[str, Any], row) if isinstance(row, dict) else {}
        types, groups = (_object(fields.get(name)) for name in ("types", "groups"))
        texts = (fields.get("answer"), *(types.get(by) for by in TYPES))
        balanced = fields.setdefault("isBalanced", True)
        if not (all(isinstance(text, str) for text in texts) and isinstance(balanced, bool)):
            raise OfficialError(
                f"{path}: question {id_!r:.40} has no text as answer, types.structural and types.semantic; these, and isBalanced "
                "true or false, are right"
            )
        if not isinstance(groups.setdefault("global", None), str | None):
            raise OfficialError(
                f"{path}: question {id_!r:.40} has groups {groups!r:.60}; a text as groups.global is right"
            )
        fields["groups"] = groups
    return cast(dict[str, dict[str, Any]], whole)


def _object(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
