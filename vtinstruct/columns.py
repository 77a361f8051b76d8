"""Dialogues to Arrow record batches, column by column: no dict per row, nothing inferred.

Row dicts cost pyarrow several times as much, and `Dataset.from_generator` more again (`tests/perf`). So dialogues
are gathered as they are, every leaf of the schema is taken out of them as one flat column (in C: `attrgetter`, `zip`,
`chain`), and the nesting is put on at the end as offsets.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vtinstruct import schema, trp
from vtinstruct.dialogue import Dialogue, Prompt, Reference, Triplet
from vtinstruct.units import KIND_OF, Box, Depth, Keypoints, Mask, Point, Rle


class RowError(ValueError):
    """A dialogue that has no row: its text cannot be rendered, or a reference contradicts its triplet."""


Mentioned = tuple[int, Triplet | None, Reference]  # turn, triplet (None in evaluation.ignore), reference

_TEXT = attrgetter("id", "task", "source", "split", "licence")
_REFERENCE = attrgetter("unit", "box_xyxy", "category", "category_id", "annotation_id", "area", "crowd")
_EVALUATION = attrgetter("concepts", "negatives", "not_exhaustive", "references", "answers", "question_kind")
_PROVENANCE = attrgetter("file", "file_sha256", "row", "converter_version", "seed", "template")


def render_messages(dialogue: Dialogue) -> list[tuple[str, str]]:
    """(role, content) of every turn: answers in TRP without plan, questions with `<image>` first in the first user turn
    when there is a photo. Raises `RowError` when the text cannot be said (a reserved token in it)."""
    image = dialogue.photo is not None
    found: list[tuple[str, str]] = []
    try:
        for turn in dialogue.turns:
            if turn.role == "user":
                found.append(("user", trp.render_question(turn.parts, image=image)))
                image = False
            else:
                found.append(("assistant", trp.render(turn.parts)))
    except trp.RenderError as error:
        raise RowError(str(error)) from error
    return found


def _check(reference: Reference, triplet: Triplet | None) -> None:
    unit = reference.unit
    if triplet is not None and unit is not None and KIND_OF[type(unit)] != triplet.kind:
        raise RowError(f"a {triplet.kind} triplet holds a {KIND_OF[type(unit)]}")
    if reference.box_xyxy is not None and type(unit) is Box:
        raise RowError("a box reference has a second box; a box unit is its own box_xyxy")
    if reference.score is not None:
        raise RowError("a stored reference has a score; scores belong to predictions")


class Columns:
    """Up to a batch of dialogues on their way to columns."""

    def __init__(self) -> None:
        self.dialogues: list[Dialogue] = []
        self._messages: list[list[tuple[str, str]]] = []
        self._prompts: list[list[tuple[int, Prompt]]] = []
        self._units: list[list[Mentioned]] = []
        self._ignore: list[list[Mentioned]] = []
        self.units = 0

    def __len__(self) -> int:
        return len(self.dialogues)

    def add(self, dialogue: Dialogue) -> None:
        """Append one dialogue. Raises `RowError`, leaving everything as it was, when it has no row: text that cannot
        be rendered, a unit of another kind than its triplet's, a box unit with a second box, or a score (what is stored
        is truth; a model's answers go to a predictions file)."""
        messages = render_messages(dialogue)
        prompts: list[tuple[int, Prompt]] = []
        units: list[Mentioned] = []
        for index, turn in enumerate(dialogue.turns):
            for part in turn.parts:
                if isinstance(part, Triplet):
                    for reference in part.references:
                        _check(reference, part)
                        units.append((index, part, reference))
                elif isinstance(part, Prompt):
                    prompts.append((index, part))
        ignore = dialogue.evaluation.ignore
        for reference in ignore:
            _check(reference, None)
        self.dialogues.append(dialogue)
        self._messages.append(messages)
        self._prompts.append(prompts)
        self._units.append(units)
        self._ignore.append([(-1, None, reference) for reference in ignore])
        self.units += len(units)

    def batch(self) -> pa.RecordBatch:
        """All rows as one record batch of the frozen schema."""
        rows = self.dialogues
        columns = [
            *(pa.array(column, pa.string()) for column in _transpose(map(_TEXT, rows), 5)),
            _images(rows),
            _list_of(self._messages, _messages),
            _list_of(self._prompts, _prompts),
            _list_of(self._units, _units),
            _evaluations(rows, self._ignore),
            _rows(schema.PROVENANCE, map(_PROVENANCE, (dialogue.provenance for dialogue in rows))),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema.SCHEMA)


# --- nesting ---------------------------------------------------------------------------------------------------------


def _transpose(rows: Iterable[tuple[Any, ...]], width: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) or [()] * width


def _fields(struct: pa.StructType) -> list[pa.Field]:
    return [struct.field(i) for i in range(struct.num_fields)]


def _mask(null: NDArray[np.bool_] | None) -> pa.Array | None:
    # Arrow leaves the validity bits away when nothing is null: then give it no mask at all
    return pa.array(null) if null is not None and null.any() else None


def _struct(type_: pa.StructType, children: Sequence[Any], null: NDArray[np.bool_] | None = None) -> pa.Array:
    """A struct column of child arrays (or plain columns, which get the schema's type)."""
    fields = _fields(type_)
    arrays = [
        child if isinstance(child, pa.Array) else pa.array(child, field.type)
        for child, field in zip(children, fields, strict=True)
    ]
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=_mask(null))


def _rows(type_: pa.StructType, rows: Iterable[tuple[Any, ...]], null: NDArray[np.bool_] | None = None) -> pa.Array:
    """A struct column of flat rows."""
    return _struct(type_, _transpose(rows, type_.num_fields), null)


def _offsets(lists: Sequence[Sequence[Any]]) -> pa.Array:
    lengths = np.fromiter(map(len, lists), np.int32, len(lists))
    return pa.array(np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)]))


def _list_of(lists: Sequence[Sequence[Any]], column: Any) -> pa.Array:
    """A list column; `column` makes the array of the flattened items."""
    return pa.ListArray.from_arrays(_offsets(lists), column(list(chain.from_iterable(lists))))


def _strings(lists: Sequence[Sequence[str]]) -> pa.Array:
    return pa.ListArray.from_arrays(_offsets(lists), pa.array(list(chain.from_iterable(lists)), pa.string()))


def _null(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.fromiter((value is None for value in values), np.bool_, len(values))


def _numbers(values: Sequence[Sequence[float] | None]) -> pa.Array:
    """A column of short float lists, some of them null."""
    null = _null(values)
    if null.all():
        return pa.nulls(len(values), schema.NUMBERS)
    lists = [value or () for value in values]
    flat = pa.array(np.fromiter(chain.from_iterable(lists), np.float64))
    return pa.ListArray.from_arrays(_offsets(lists), flat, mask=_mask(null))


def _rles(values: Sequence[Rle | None]) -> pa.Array:
    """A column of masks, some of them null."""
    null = _null(values)
    if null.all():
        return pa.nulls(len(values), schema.RLE)
    sizes = [() if rle is None else rle.size_hw for rle in values]
    flat = pa.array(np.fromiter(chain.from_iterable(sizes), np.int32))
    counts = pa.array([None if rle is None else rle.counts for rle in values], pa.binary())
    return _struct(schema.RLE, [pa.ListArray.from_arrays(_offsets(sizes), flat, mask=_mask(null)), counts], null)


# --- the columns -----------------------------------------------------------------------------------------------------


def _images(rows: Sequence[Dialogue]) -> pa.Array:
    photos = [dialogue.photo for dialogue in rows]
    flat = [(None,) * 5 if p is None else (p.path, p.sha256, *p.size_wh, p.id) for p in photos]
    return _rows(schema.IMAGE, flat, _null(photos))


def _messages(flat: Sequence[tuple[str, str]]) -> pa.Array:
    return _rows(schema.MESSAGE, flat)


def _marks(units: Sequence[Any], kind: type, field: str) -> list[Any]:
    """One field of the units of one kind, None for all others."""
    take = attrgetter(field)
    return [take(unit) if type(unit) is kind else None for unit in units]


def _prompts(flat: Sequence[tuple[int, Prompt]]) -> pa.Array:
    marks = [prompt.mark for _, prompt in flat]
    return _struct(
        schema.PROMPT,
        [
            [turn for turn, _ in flat],
            [prompt.kind for _, prompt in flat],
            _numbers(_marks(marks, Box, "box_xyxy")),
            _numbers(_marks(marks, Point, "point_xy")),
            _rles(_marks(marks, Mask, "mask_rle")),
        ],
    )


def _kind(triplet: Triplet | None, unit: Any) -> str | None:
    if triplet is not None:
        return triplet.kind
    return None if unit is None else KIND_OF[type(unit)]


def _units(flat: Sequence[Mentioned]) -> pa.Array:
    turns, triplets, references = _transpose(flat, 3)
    units, boxes, category, category_id, annotation_id, area, crowd = _transpose(map(_REFERENCE, references), 7)
    poses = _marks(units, Keypoints, "keypoints_xyv")
    depths = [unit if type(unit) is Depth else None for unit in units]
    return _struct(
        schema.UNIT,
        [
            turns,
            [_kind(triplet, unit) for triplet, unit in zip(triplets, units, strict=True)],
            ["" if triplet is None else triplet.concept for triplet in triplets],
            _numbers([unit.box_xyxy if type(unit) is Box else box for unit, box in zip(units, boxes, strict=True)]),
            _numbers(_marks(units, Point, "point_xy")),
            _rles(_marks(units, Mask, "mask_rle")),
            _numbers([None if pose is None else tuple(chain.from_iterable(pose)) for pose in poses]),
            _rows(schema.DEPTH, [(None, None) if d is None else (d.path, d.scale) for d in depths], _null(depths)),
            category,
            category_id,
            annotation_id,
            area,
            crowd,
        ],
    )


def _evaluations(rows: Sequence[Dialogue], ignore: Sequence[Sequence[Mentioned]]) -> pa.Array:
    asked = map(_EVALUATION, (dialogue.evaluation for dialogue in rows))
    concepts, negatives, not_exhaustive, references, answers, kinds = _transpose(asked, 6)
    return _struct(
        schema.EVALUATION,
        [
            _strings(concepts),
            _list_of(ignore, _units),
            _strings(negatives),
            _strings(not_exhaustive),
            _strings(references),
            _strings(answers),
            kinds,
        ],
    )
