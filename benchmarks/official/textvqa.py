"""TextVQA annotations and answers, scored as the challenge's evaluator does (`accuracy`).

Annotations are `TextVQA_0.5.1_val.json` (`data`: rows of `question_id`, `image_id`, `question` and ten `answers`). Answers are
rows of `question_id` and `answer` (or `pred_answer`), or LLaVA's (`eval_textvqa.py`): there `question_id` is the image's id,
`text` the answer, and the question stands in `prompt`. A JSON list or JSON lines.

Answers of both sides are always brought to one spelling; commas and question marks go first, and "'s" is a word of its own.
Sources: facebookresearch/mmf `mmf/utils/m4c_evaluators.py` (`EvalAIAnswerProcessor`, `TextVQAAccuracyEvaluator`);
haotian-liu/LLaVA `llava/eval/m4c_evaluator.py`, the same, and `llava/eval/eval_textvqa.py`, which scores the questions that are
answered. Here a question without an answer counts 0, and is said; `accuracy[answered]` is of those that have one.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from benchmarks.official._files import OfficialError, check_ids, lines_or_list, table_of
from benchmarks.official._table import Table
from benchmarks.scorers._vqa_words import same_answer
from benchmarks.scorers.vqa import agreement

PEOPLE = 10
Key = int | str | tuple[str, str]  # a question's id, or an image's id and the question
_ASKED = re.compile(r"Question: (.*?) Short answer:", re.DOTALL)
_TOKENS = "Reference OCR token:"


def textvqa(annotations: Path, results: Path) -> Table:
    """Soft accuracy of all questions, and of those that are answered. Raises `OfficialError`."""
    asked, rows = table_of(annotations, "data"), lines_or_list(results)
    prompted = any("prompt" in row for row in rows)
    if not prompted:
        check_ids(rows, str(results), "question_id", check_ids(asked, f"{annotations}: data", "question_id"))
    keys = [_annotated_key(row, f"{annotations}: data[{number}]", prompted) for number, row in enumerate(asked)]
    people = {key: _people(row, annotations, key) for key, row in zip(keys, asked, strict=True)}
    # a picture may be asked the same twice: the last annotation counts for both, as in LLaVA's script
    left = Counter(keys)
    scores: list[float] = []
    for number, row in enumerate(rows):
        where = f"{results}: [{number}]"
        key = _answered_key(row, where, prompted)
        if not left[key]:
            wrong = "again; one answer a question is right" if key in people else "which is not annotated"
            raise OfficialError(f"{where} answers question {key!r:.80}{' ' if key in people else ', '}{wrong}")
        left[key] -= 1
        scores.append(agreement(evalai_answer(_answer(row, where)), people[key]))
    numbers = {"accuracy": _share(scores, len(asked)), "accuracy[answered]": _share(scores, len(scores))}
    note = f"{len(scores)} of {len(asked)} questions are answered; the others count 0 in `accuracy`"
    return Table("TextVQA", numbers, (), (note,), {"vt-instruct": importlib.metadata.version("vt-instruct")})


def evalai_answer(text: str) -> str:
    """An answer as the challenge's evaluator compares it."""
    words = text.lower().replace(",", "").replace("?", "").replace("'s", " 's")
    return same_answer(words.strip())


def _share(scores: Sequence[float], count: int) -> float | None:
    return sum(scores) / count if count else None


def _people(row: Mapping[str, Any], path: Path, key: Key) -> list[str]:
    answers = row.get("answers")
    texts = cast(list[Any], answers) if isinstance(answers, list) else []
    if len(texts) != PEOPLE or not all(isinstance(one, str) for one in texts):
        raise OfficialError(f"{path}: question {key!r:.80} has answers {answers!r:.60}; {PEOPLE} texts are right")
    return [evalai_answer(one) for one in texts]


def _answer(row: Mapping[str, Any], where: str) -> str:
    answer = next((row[field] for field in ("text", "answer", "pred_answer") if field in row), None)
    if not isinstance(answer, str):
        raise OfficialError(f"{where} has answer {answer!r:.40}; a text is right")
    return answer


def _annotated_key(row: Mapping[str, Any], where: str, prompted: bool) -> Key:
    if not prompted:
        return row["question_id"]
    image, question = row.get("image_id"), row.get("question")
    if not isinstance(image, str) or not isinstance(question, str):
        raise OfficialError(f"{where} has no texts image_id and question, by which answers with a prompt are found")
    return image, question.lower()


def _answered_key(row: Mapping[str, Any], where: str, prompted: bool) -> Key:
    if not prompted:
        return row["question_id"]
    image, prompt = row.get("question_id"), row.get("prompt")
    asked = _asked(prompt) if isinstance(prompt, str) else None
    if not isinstance(image, str) or asked is None:
        raise OfficialError(
            f"{where} has question_id {image!r:.40} and prompt {prompt!r:.60}; an image's id, and the question on the first of "
            "two lines, as LLaVA's script asks it, are right"
        )
    return image, asked.lower()


def _asked(prompt: str) -> str | None:
    """The question in a prompt of LLaVA's scripts; None where it is none of them."""
    lines = prompt.split("\n")
    if prompt.startswith("OCR tokens: "):
        found = _ASKED.search(prompt)
        return found[1] if found else None
    if f"{_TOKENS} " in prompt and len(lines) == 3:
        return lines[1] if prompt.startswith(_TOKENS) else lines[0]
    return lines[0] if len(lines) == 2 else None
