"""Rows back to dialogues: a row as `datasets` or pyarrow hand it out (nested dicts and lists), read without loss.

Inverse of `columns.Columns` (`tests/vtinstruct/test_shards.py`), for turns in their well-formed shape
(`trp.join_parts`): the text is parsed again and its n-th `<REF>` and `[VPT]` get the row's n-th unit and prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from vtinstruct import trp
from vtinstruct.dialogue import (
    Dialogue,
    Evaluation,
    Prompt,
    Provenance,
    Reference,
    StoredPhoto,
    Turn,
)
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point, Rle, Unit

Row = Mapping[str, Any]
T = TypeVar("T")


class ReadError(ValueError):
    """A row that is no dialogue: the message names the sample and what is wrong in it."""


def dialogue_from_row(row: Row) -> Dialogue:
    """The dialogue a row holds. Raises `ReadError` when its text and its units or prompts disagree."""
    image = row["image"]
    # older readers give a null struct as a struct of nulls
    photo = None if image is None or image["path"] is None else _photo(image)
    evaluation, origin = row["evaluation"], row["provenance"]
    return Dialogue(
        row["id"],
        row["task"],
        row["source"],
        row["split"],
        row["licence"],
        photo,
        _turns(row),
        Evaluation(
            tuple(evaluation["concepts"]),
            tuple(_reference(unit) for unit in evaluation["ignore"]),
            tuple(evaluation["negatives"]),
            tuple(evaluation["not_exhaustive"]),
            tuple(evaluation["references"]),
            tuple(evaluation["answers"]),
            evaluation["question_kind"],
        ),
        Provenance(
            origin["file"],
            origin["file_sha256"],
            origin["row"],
            origin["converter_version"],
            origin["seed"],
            origin["template"],
        ),
    )


def _photo(image: Row) -> StoredPhoto:
    return StoredPhoto(image["path"], image["sha256"], (image["width"], image["height"]), image["id"])


def _turns(row: Row) -> tuple[Turn, ...]:
    messages: Sequence[Row] = row["messages"]
    prompts: list[list[Prompt]] = [[] for _ in messages]
    references: list[list[Reference]] = [[] for _ in messages]
    for wire in row["prompts"]:
        _at(row, prompts, wire["turn"], "prompt").append(_prompt(wire))
    for wire in row["units"]:
        _at(row, references, wire["turn"], "unit").append(_reference(wire))
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        role, content = message["role"], message["content"]
        if role == "user":
            question = trp.parse_question(content, prompts[index])
            errors, parts = question.errors, question.parts
        elif role == "assistant":
            answer = trp.parse(content, references[index])
            errors, parts = answer.errors, answer.parts
        else:
            raise ReadError(f"{row['id']}: message {index} has role {role!r:.40}; user or assistant is right")
        if errors:
            raise ReadError(f"{row['id']}: message {index}: {errors[0].message}")
        turns.append(Turn(role, parts))
    return tuple(turns)


def _at(row: Row, lists: list[list[T]], turn: int, what: str) -> list[T]:
    if not 0 <= turn < len(lists):
        raise ReadError(f"{row['id']}: a {what} names turn {turn} of {len(lists)} messages")
    return lists[turn]


def _rle(wire: Row | None) -> Rle | None:
    if wire is None or wire["size_hw"] is None:
        return None
    height, width = wire["size_hw"]
    return Rle((height, width), wire["counts"])


def _box(values: Sequence[float] | None) -> tuple[float, float, float, float] | None:
    if values is None:
        return None
    x0, y0, x1, y1 = values
    return (x0, y0, x1, y1)


def _prompt(wire: Row) -> Prompt:
    box, point, rle = _box(wire["box_xyxy"]), wire["point_xy"], _rle(wire["mask_rle"])
    if box is not None:
        return Prompt(wire["kind"], Box(box))
    if point is not None:
        return Prompt(wire["kind"], Point((point[0], point[1])))
    if rle is not None:
        return Prompt(wire["kind"], Mask(rle))
    raise ReadError(f"a {wire['kind']} prompt has no mark")


def _unit(wire: Row) -> Unit | None:
    match wire["kind"]:
        case "box":
            box = _box(wire["box_xyxy"])
            return None if box is None else Box(box)
        case "mask":
            rle = _rle(wire["mask_rle"])
            return None if rle is None else Mask(rle)
        case "keypoint":
            flat = wire["keypoints_xyv"]
            if flat is None:
                return None
            return Keypoints(tuple((flat[i], flat[i + 1], int(flat[i + 2])) for i in range(0, len(flat), 3)))
        case "depth":
            depth = wire["depth"]
            if depth is None or depth["path"] is None:
                return None
            return Depth(depth["path"], depth["scale"], depth["frame"], _rle(wire["mask_rle"]))
        case "point":
            point = wire["point_xy"]
            return None if point is None else Point((point[0], point[1]))
        case _:
            return None


def _reference(wire: Row) -> Reference:
    unit = _unit(wire)
    return Reference(
        unit,
        None,
        wire["category"],
        wire["category_id"],
        wire["annotation_id"],
        wire["area"],
        wire["crowd"],
        # the one column holds a box unit's own box, or else the annotation's
        None if isinstance(unit, Box) else _box(wire["box_xyxy"]),
    )
