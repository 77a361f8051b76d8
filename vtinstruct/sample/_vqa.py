"""What the sample's VQA-like files share: one root with COCO's photos of 2014, and ids of questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import Asked, keyed, voters
from vtinstruct.sample._shot import Shot

FOLDER = "vqa"
YEAR = {"train": "train2014", "val": "val2014"}


def photo_name(shot: Shot) -> str:
    """COCO's file name of 2014."""
    return f"COCO_{YEAR[shot.split]}_{shot.image_id:012d}.jpg"


def place_photo(shot: Shot, root: Path) -> str:
    """Put the photo where the VQA tools look for it, and return its file name."""
    name = photo_name(shot)
    shot.place_photo(root / "Images" / "mscoco" / YEAR[shot.split] / name)
    return name


def question_id(shot: Shot, n: int) -> int:
    """As VQA counts: the photo's number, then three digits."""
    return shot.image_id * 1000 + n


def question_row(shot: Shot, n: int, asked: Asked) -> dict[str, Any]:
    """A row of `questions`."""
    return {"image_id": shot.image_id, "question": asked.question, "question_id": question_id(shot, n)}


def answer_rows(shot: Shot, n: int, asked: Asked) -> list[dict[str, Any]]:
    """Ten people's answers."""
    given = voters(asked, keyed(shot, f"voters {n}"))
    return [{"answer": answer, "answer_confidence": "yes", "answer_id": k + 1} for k, answer in enumerate(given)]


def annotation_row(shot: Shot, n: int, asked: Asked) -> dict[str, Any]:
    """A row of `annotations`."""
    return {
        "question_type": asked.opening,
        "multiple_choice_answer": asked.answer,
        "answers": answer_rows(shot, n, asked),
        "image_id": shot.image_id,
        "answer_type": asked.kind,
        "question_id": question_id(shot, n),
    }


def question_file(year: str, rows: list[Any]) -> dict[str, Any]:
    """A file of questions."""
    return {
        "info": {"description": "VT-Instruct embedded sample", "version": "2.0", "year": 2017},
        "task_type": "Open-Ended",
        "data_type": "mscoco",
        "license": {"url": "https://creativecommons.org/publicdomain/zero/1.0/", "name": "CC0 1.0"},
        "data_subtype": year,
        "questions": rows,
    }


def annotation_file(year: str, rows: list[Any]) -> dict[str, Any]:
    """A file of annotations."""
    content = question_file(year, [])
    del content["questions"], content["task_type"]
    return {**content, "annotations": rows}
