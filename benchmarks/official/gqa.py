"""GQA's questions and answers, scored as its `eval.py` does.

Questions are `*_questions.json` (an object by question id, or a folder of such files), answers rows of `questionId` and
`prediction`. Balanced questions count, an answer is right letter by letter. The original refuses a file that misses an answer;
here it counts as wrong, and is said.

With `*_choices.json` (by question id `valid` and `plausible` answers) there are validity and plausibility; with `consistency`,
which needs `*_all_questions.json` and answers to all of them, the mean over right answers of how many of the questions that
follow from them (`entailed`) are answered right too. Where the original has no choices or nothing to be consistent with, it
prints 0; here it is null. Its grounding is not computed: it needs a model's attention maps. Source: Hudson & Manning, CVPR 2019,
section 4.4; cs.stanford.edu/people/dorarad/gqa/evaluate.html.
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
Questions = Mapping[str, Mapping[str, Any]]  # by id
TYPES = ("structural", "semantic")
POSSIBLE = {"validity": "valid", "plausibility": "plausible"}
UNCOUNTED = ("exist", "query: name", "choose name")


COMMON = ("color", "material", "shape")  # what `choices` is not asked for: the original has a list of its own


def gqa(questions: Path, predictions: Path, choices: Path | None = None, consistency: bool = False) -> Table:
    """Accuracy of the balanced questions, of binary and open ones, the distance of the distributions, and where asked for
    validity, plausibility and consistency. Raises `OfficialError`."""
    every, said = _asked(questions), _said(predictions)
    unknown = len(said.keys() - every.keys())
    asked = {id_: row for id_, row in every.items() if row["isBalanced"]}
    answers = {id_: said.get(id_) for id_ in asked}
    right = {id_: float(answers[id_] == row["answer"]) for id_, row in asked.items()}
    spelled = [
        float(said_ is not None and same_answer(said_) == same_answer(asked[id_]["answer"]))
        for id_, said_ in answers.items()
    ]
    groups: dict[tuple[str, str], list[float]] = {}
    for id_, row in asked.items():
        kinds = {"answer": "open" if row["types"]["structural"] == "query" else "binary"}
        for by, name in (kinds | {by: row["types"][by] for by in TYPES} | _lengths(row)).items():
            groups.setdefault((by, str(name)), []).append(right[id_])
    numbers = {
        "accuracy": _mean(right.values()), "accuracy[one spelling]": _mean(spelled),
        **{name: _mean(groups.get(("answer", name), ())) for name in ("binary", "open")},
        "distribution": _distance([(row["groups"]["global"], row["answer"], answers[id_]) for id_, row in asked.items()]),
    }  # fmt: skip
    missing = sum(answer is None for answer in answers.values())
    notes = [f"{len(asked)} balanced questions; {missing} have no answer, and count as wrong"]
    if choices is not None:
        numbers |= _possible(_choices(choices, asked, questions), asked, answers)
    if consistency:
        numbers["consistency"] = _consistency(every, said, questions)
        left = sum(id_ not in said for id_ in every)
        notes.append(f"{left} of all {len(every)} questions have no answer, and count as wrong for the consistency")
    if unknown:
        notes.append(f"{unknown} answers are to questions that are not in {questions}")
    return Table(
        "GQA", numbers, _classes(groups), tuple(notes), {"vt-instruct": importlib.metadata.version("vt-instruct")}
    )


def _lengths(row: Mapping[str, Any]) -> dict[str, str]:
    """How many words a question has, and how many steps of reasoning lead to its answer (the last, which asks for a name or
    whether something is there, is none)."""
    found: dict[str, str] = {}
    if isinstance(row.get("question"), str):
        found["words"] = f"{len(row['question'].split()):02d}"
    if "semantic" in row:
        said = [f"{step['operation']}: {step['argument']}" for step in row["semantic"]]
        found["steps"] = str(sum(not any(name in one for name in UNCOUNTED) for one in said))
    return found


def _possible(
    choices: Mapping[str, Mapping[str, Sequence[str]]], asked: Questions, answers: Mapping[str, str | None]
) -> dict[str, float | None]:
    """The shares of answers that could be given to their question at all, and that make sense in the world."""
    found: dict[str, float | None] = {}
    for name, field in POSSIBLE.items():
        groups = {id_: COMMON if "Common" in asked[id_]["types"]["detailed"] else choices[id_][field] for id_ in asked}
        found[name] = _mean(float(answers[id_] in groups[id_]) for id_ in asked)
    return found


def _consistency(every: Questions, said: Mapping[str, str], path: Path) -> float | None:
    """The mean over balanced questions that are answered right of the share of those right that follow from them."""
    means: list[float] = []
    for id_, row in every.items():
        if not row["isBalanced"]:
            continue
        follow = _entailed(row, id_, every, path)
        if follow and said.get(id_) == row["answer"]:
            right = [float(said.get(one) == every[one]["answer"]) for one in follow]
            means.append(sum(right) / len(right))
    return _mean(means)


def _entailed(row: Mapping[str, Any], id_: str, every: Questions, path: Path) -> list[str]:
    named = row.get("entailed")
    if not isinstance(named, list) or not all(isinstance(one, str) for one in cast(list[Any], named)):
        raise OfficialError(f"{path}: question {id_!r:.40} has entailed {named!r:.60}; a list of question ids is right")
    follow = [one for one in cast(list[str], named) if one != id_]
    for one in follow:
        if one not in every:
            raise OfficialError(
                f"{path}: question {id_!r:.40} entails {one!r:.40}, which is not there; *_all_questions.json is right"
            )
    return follow


def _choices(path: Path, asked: Questions, questions: Path) -> dict[str, dict[str, list[str]]]:
    whole = _object(read_json(path))
    for id_, question in asked.items():
        row = _object(whole.get(id_))
        if not all(isinstance(row.get(field), list) for field in POSSIBLE.values()):
            raise OfficialError(
                f"{path}: question {id_!r:.40} has {row!r:.60}; lists named valid and plausible are right"
            )
        if not isinstance(question["types"].get("detailed"), str):
            raise OfficialError(
                f"{questions}: question {id_!r:.40} has no text as types.detailed, which the choices need"
            )
    return whole


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
    found: dict[str, dict[str, Any]] = {}
    for one in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        found |= _checked(one)
    return found


def _checked(path: Path) -> dict[str, dict[str, Any]]:
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
        steps = fields.get("semantic", [])
        if not isinstance(steps, list) or not all(
            {"operation", "argument"} <= _object(step).keys() for step in cast(list[Any], steps)
        ):
            raise OfficialError(
                f"{path}: question {id_!r:.40} has semantic {steps!r:.60}; steps with operation and argument are right"
            )
        fields["groups"] = groups
    return cast(dict[str, dict[str, Any]], whole)


def _object(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
