"""Dialogues to Arrow record batches, column by column: no dict per row, nothing inferred.

Row dicts cost pyarrow several times as much, and `Dataset.from_generator` more again (`tests/perf`). So dialogues
are gathered as they are, every leaf of the schema is taken out of them as one flat column (in C: `attrgetter`, `zip`,
`chain`), and the nesting is put on at the end as offsets.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vtinstruct import schema, trp
from vtinstruct.dialogue import Dialogue, Prompt, Reference, StoredPhoto, Triplet
from vtinstruct.units import KIND_OF, Box, Depth, Keypoints, Mask, Point, Rle, UnitKind


class RowError(ValueError):
    """A dialogue that has no row: its text cannot be rendered, or a reference contradicts its triplet."""


_TEXT = attrgetter("id", "task", "source", "split", "licence")
_EVALUATION = attrgetter("concepts", "negatives", "not_exhaustive", "references", "answers", "question_kind")
_PROVENANCE = attrgetter("file", "file_sha256", "row", "converter_version", "seed", "template")


def render_messages(dialogue: Dialogue, plan: bool = False) -> list[str]:
    """The content of every turn: answers in TRP (with the plan block in front when `plan`), questions with `<image>` first
    in the first user turn when there is a photo. Raises `RowError` when the text cannot be said (a reserved token in it)."""
    image = dialogue.photo is not None
    found: list[str] = []
    try:
        for turn in dialogue.turns:
            if turn.role == "user":
                found.append(trp.render_question(turn.parts, image=image))
                image = False
            else:
                found.append(trp.render(turn.parts, plan))
    except trp.RenderError as error:
        raise RowError(str(error)) from error
    return found


def _check(references: Iterable[Reference], kind: UnitKind | None) -> None:
    """Raise `RowError` at the first reference that cannot be stored under a triplet of that kind (None: under none)."""
    usual = _TYPE_OF.get(kind)
    for reference in references:
        if type(reference.unit) is usual and reference.box_xyxy is None and reference.score is None:
            continue
        found = _kind(reference)
        if found != kind and found is not None and kind is not None:
            raise RowError(f"a {kind} triplet holds a {found}")
        if reference.box_xyxy is not None and found == "box":
            raise RowError("a box reference has a second box; a box unit is its own box_xyxy")
        if reference.score is not None:
            raise RowError("a stored reference has a score; scores belong to predictions")


_TYPE_OF: dict[str | None, type] = {kind: unit for unit, kind in KIND_OF.items()}


def _kind(reference: Reference) -> UnitKind | None:
    return None if reference.unit is None else KIND_OF[type(reference.unit)]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a build alone knows of its rows: the annotation files' SHA-256 by path, and the converter's version."""

    file_sha256: Mapping[str, str]
    converter_version: str


class _Mentions:
    """References on their way to a column of units: what each triplet says (its turn, and the triplet), and how many triplets
    each row has."""

    def __init__(self) -> None:
        self.turns: list[int] = []
        self.said: list[Triplet | _Ignored] = []
        self.rows: list[int] = []

    def count(self) -> int:
        """How many references there are."""
        return sum(map(len, map(_REFERENCES, self.said)))


class _Ignored(NamedTuple):
    """One reference that belongs to no turn and no phrase."""

    kind: UnitKind | None
    references: tuple[Reference]
    concept: str = ""


_REFERENCES = attrgetter("references")


class Columns:
    """Up to a batch of dialogues on their way to columns. With a stamp, their provenance is filled in from it."""

    def __init__(self, stamp: Stamp | None = None) -> None:
        self._stamp = stamp
        self.dialogues: list[Dialogue] = []
        self._photos: list[StoredPhoto | None] = []
        self._messages: list[str] = []
        self._prompts: list[list[tuple[int, Prompt]]] = []
        self._units, self._ignore = _Mentions(), _Mentions()

    def __len__(self) -> int:
        return len(self.dialogues)

    @property
    def units(self) -> int:
        """How many units the rows hold."""
        return self._units.count()

    def add(self, dialogue: Dialogue, photo: StoredPhoto | None = None) -> None:
        """Append one dialogue, its photo (if it has one) stored as `photo` when that is given. Raises `RowError`, leaving
        everything as it was, when it has no row: text that cannot be rendered, a unit of another kind than its triplet's,
        a box unit with a second box, or a score (what is stored is truth; a model's answers go to a predictions file)."""
        messages = render_messages(dialogue)
        prompts: list[tuple[int, Prompt]] = []
        turns: list[int] = []
        triplets: list[Triplet] = []
        for index, turn in enumerate(dialogue.turns):
            for part in turn.parts:
                if type(part) is Triplet:
                    _check(part.references, part.kind)
                    turns.append(index)
                    triplets.append(part)
                elif type(part) is Prompt:
                    prompts.append((index, part))
        ignore = dialogue.evaluation.ignore
        _check(ignore, None)
        self.dialogues.append(dialogue)
        self._photos.append(dialogue.photo if photo is None or dialogue.photo is None else photo)
        self._messages += messages
        self._prompts.append(prompts)
        units = self._units
        units.turns += turns
        units.said += triplets
        units.rows.append(len(triplets))
        self._ignore.turns += (-1,) * len(ignore)
        self._ignore.said += [_Ignored(_kind(reference), (reference,)) for reference in ignore]
        self._ignore.rows.append(len(ignore))

    def batch(self) -> pa.RecordBatch:
        """All rows as one record batch of the frozen schema."""
        rows = self.dialogues
        columns = [
            *(pa.array(column, pa.string()) for column in _transpose(map(_TEXT, rows), 5)),
            _images(self._photos),
            _messages(rows, self._messages),
            _list_of(self._prompts, _prompts),
            _units(self._units),
            _evaluations(rows, self._ignore),
            self._provenances(),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema.SCHEMA)

    def _provenances(self) -> pa.Array:
        found = _transpose(map(_PROVENANCE, (dialogue.provenance for dialogue in self.dialogues)), 6)
        if (stamp := self._stamp) is not None:
            known = {file: stamp.file_sha256.get(file, "") for file in set(found[0])}
            found[1] = tuple(map(known.__getitem__, found[0]))
            found[3] = (stamp.converter_version,) * len(found[0])
        return _struct(schema.PROVENANCE, found)


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


def _offsets(lengths: Iterable[int], count: int) -> pa.Array:
    found = np.zeros(count + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int32, count), out=found[1:])
    return pa.array(found)


def _list_of(lists: Sequence[Sequence[Any]], column: Any) -> pa.Array:
    """A list column; `column` makes the array of the flattened items."""
    return pa.ListArray.from_arrays(_offsets(map(len, lists), len(lists)), column(list(chain.from_iterable(lists))))


def _strings(lists: Sequence[Sequence[str]]) -> pa.Array:
    return _list_of(lists, _text)


def _text(values: Sequence[str]) -> pa.Array:
    return pa.array(values, pa.string())


def _null(values: Sequence[Any]) -> NDArray[np.bool_]:
    return np.array([value is None for value in values], np.bool_)


def _short_lists(
    values: Sequence[Sequence[float] | None], null: NDArray[np.bool_], type_: pa.ListType, dtype: type
) -> pa.Array:
    """A column of short number lists, some of them null."""
    if null.all():
        return pa.nulls(len(values), type_)
    lists = [value or () for value in values]
    flat = pa.array(np.fromiter(chain.from_iterable(lists), dtype))
    return pa.ListArray.from_arrays(_offsets(map(len, lists), len(lists)), flat, mask=_mask(null))


def _numbers(values: Sequence[Sequence[float] | None]) -> pa.Array:
    if values.count(None) == len(values):
        return pa.nulls(len(values), schema.NUMBERS)
    return _short_lists(values, _null(values), schema.NUMBERS, np.float64)


def _rles(values: Sequence[Rle | None]) -> pa.Array:
    """A column of masks, some of them null."""
    null = _null(values)
    if null.all():
        return pa.nulls(len(values), schema.RLE)
    sizes = [rle and rle.size_hw for rle in values]
    counts = [rle and rle.counts for rle in values]
    return _struct(schema.RLE, [_short_lists(sizes, null, schema.RLE.field("size_hw").type, np.int32), counts], null)


def _whole_rles(values: Sequence[Rle]) -> pa.Array:
    """`_rles` of a column without nulls."""
    flat = pa.array(np.fromiter(chain.from_iterable(_field(values, "size_hw")), np.int32, 2 * len(values)))
    offsets = pa.array(np.arange(0, 2 * len(values) + 1, 2, dtype=np.int32))
    return _struct(schema.RLE, [pa.ListArray.from_arrays(offsets, flat), _field(values, "counts")])


# --- the columns -----------------------------------------------------------------------------------------------------


def _images(photos: Sequence[StoredPhoto | None]) -> pa.Array:
    flat = [(None,) * 5 if p is None else (p.path, p.sha256, *p.size_wh, p.id) for p in photos]
    return _rows(schema.IMAGE, flat, _null(photos))


def _messages(rows: Sequence[Dialogue], contents: Sequence[str]) -> pa.Array:
    turns = [dialogue.turns for dialogue in rows]
    roles = [turn.role for said in turns for turn in said]
    return pa.ListArray.from_arrays(_offsets(map(len, turns), len(turns)), _struct(schema.MESSAGE, [roles, contents]))


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


def _poses(units: Sequence[Any]) -> pa.Array:
    poses = _marks(units, Keypoints, "keypoints_xyv")
    return _numbers([None if pose is None else tuple(chain.from_iterable(pose)) for pose in poses])


def _depths(units: Sequence[Any]) -> pa.Array:
    depths = [unit if type(unit) is Depth else None for unit in units]
    flat = [(None, None, None) if d is None else (d.path, d.scale, d.frame) for d in depths]
    return _rows(schema.DEPTH, flat, _null(depths))


def _mask_of(unit: Any) -> Rle | None:
    """What stands in the one column of masks: a mask unit's own, of a depth unit where its map holds."""
    return unit.mask_rle if type(unit) is Mask else unit.valid_rle if type(unit) is Depth else None


def _units(found: _Mentions) -> pa.Array:
    per_triplet = np.fromiter(map(len, map(_REFERENCES, found.said)), np.int64, len(found.said))
    references = list(chain.from_iterable(map(_REFERENCES, found.said)))
    units, boxes = _field(references, "unit"), _field(references, "box_xyxy")
    stretches = pa.array(np.repeat(np.arange(len(found.said)), per_triplet))
    kinds_said, phrases = _field(found.said, "kind"), _field(found.said, "concept")
    said = (found.turns, pa.int32()), (kinds_said, pa.string()), (phrases, pa.string())
    kinds, count = set(map(type, units)), len(units)
    if Box in kinds:
        boxes = [unit.box_xyxy if type(unit) is Box else box for unit, box in zip(units, boxes, strict=True)]
    # most batches hold one kind: no look at every unit for the others
    flat = _struct(
        schema.UNIT,
        [
            *(pa.array(values, type_).take(stretches) for values, type_ in said),
            _numbers(boxes),
            _numbers(_marks(units, Point, "point_xy")) if Point in kinds else pa.nulls(count, schema.NUMBERS),
            _masks(units, kinds),
            _poses(units) if Keypoints in kinds else pa.nulls(count, schema.NUMBERS),
            _depths(units) if Depth in kinds else pa.nulls(count, schema.DEPTH),
            *(_field(references, name) for name in ("category", "category_id", "annotation_id", "area", "crowd")),
        ],
    )
    ends = np.concatenate(([0], np.cumsum(per_triplet)))  # references before each triplet
    triplets = np.concatenate(([0], np.cumsum(np.array(found.rows, np.int64))))  # triplets before each row
    return pa.ListArray.from_arrays(pa.array(ends[triplets].astype(np.int32)), flat)


def _field(values: Sequence[Any], name: str) -> list[Any]:
    return list(map(attrgetter(name), values))


def _masks(units: Sequence[Any], kinds: set[type]) -> pa.Array:
    if kinds == {Mask}:
        return _whole_rles(_field(units, "mask_rle"))
    return _rles([_mask_of(unit) for unit in units]) if kinds & {Mask, Depth} else pa.nulls(len(units), schema.RLE)


def _evaluations(rows: Sequence[Dialogue], ignore: _Mentions) -> pa.Array:
    asked = map(_EVALUATION, (dialogue.evaluation for dialogue in rows))
    concepts, negatives, not_exhaustive, references, answers, kinds = _transpose(asked, 6)
    return _struct(
        schema.EVALUATION,
        [
            _strings(concepts),
            _units(ignore),
            _strings(negatives),
            _strings(not_exhaustive),
            _strings(references),
            _strings(answers),
            kinds,
        ],
    )
