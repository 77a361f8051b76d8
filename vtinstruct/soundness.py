"""Is a batch of rows sound? Every unit and prompt inside its photo, every mask filling it exactly, as many units as
`<REF>`s and as many prompts as `[VPT]`s in every turn. Whole columns at a time; nothing is decoded into pixels.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vtinstruct.dialogue import PROMPT_KINDS
from vtinstruct.geometry import GeometryError, check_rle
from vtinstruct.run_lengths import masks_fill
from vtinstruct.units import UNIT_KINDS, Rle

IGNORED = "an ignored region"
SLACK = 1e-6  # pixels: x + width in float64 may end a hair outside

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Fault = tuple[int, str]  # row in the batch, what is wrong


def faults(batch: pa.RecordBatch) -> Iterator[Fault]:
    """Everything unsound in a batch of the frozen schema, one sentence each."""
    image = batch.column("image")
    width, height = (_ints(image.field(name), 0) for name in ("width", "height"))
    here = ~_nulls(image)
    for row in np.flatnonzero(here & ((width < 1) | (height < 1))):
        yield int(row), f"a photo of {width[row]} x {height[row]} pixels"
    yield from _mentions(batch)
    evaluation = batch.column("evaluation")
    for name, column, kinds in (
        ("a unit", batch.column("units"), UNIT_KINDS),
        ("a prompt", batch.column("prompts"), PROMPT_KINDS),
        (IGNORED, evaluation.field("ignore"), UNIT_KINDS),
    ):
        yield from _shapes(name, column, kinds, width, height)


# --- words and units -------------------------------------------------------------------------------------------------


def _mentions(batch: pa.RecordBatch) -> Iterator[Fault]:
    messages = batch.column("messages")
    rows, content = _rows_of(messages), messages.flatten().field("content")
    turns = _lengths(messages)
    first = np.cumsum(turns) - turns  # of a row's messages among all
    for column, token, rare, what in (("units", b"<REF>", 3, "units"), ("prompts", b"[VPT]", 1, "prompts")):
        there = batch.column(column)
        owner, turn = _rows_of(there), _ints(there.flatten().field("turn"), -1)
        lost = (turn < 0) | (turn >= turns[owner])
        for row in np.unique(owner[lost]):
            yield int(row), f"{what} name a message that is not there"
        said = count_token(content, token, rare)
        given = np.bincount((first[owner] + turn)[~lost], minlength=len(said))
        for index in np.flatnonzero(said != given):
            message = index - first[rows[index]]
            yield int(rows[index]), f"message {message} has {said[index]} {token.decode()} and {given[index]} {what}"


def count_token(texts: pa.StringArray, token: bytes, rare: int) -> Ints:
    """How often each text holds the token, which overlaps with no other of its kind; `rare` is the place of its rarest
    character: the rest is looked at only where that stands. Four times as fast as Arrow's `count_substring`."""
    data, lengths = bytes_of(texts)
    at = np.flatnonzero(data == token[rare]) - rare
    at = at[(at >= 0) & (at + len(token) <= data.size)]
    for place, character in enumerate(token):
        at = at[data[at + place] == character]
    ends = np.cumsum(lengths)
    text = np.searchsorted(ends, at, side="right")
    text = text[at + len(token) <= ends[text]]  # or else half of it is the next text's
    return np.bincount(text, minlength=len(lengths))


# --- geometry --------------------------------------------------------------------------------------------------------


def _shapes(name: str, column: pa.ListArray, kinds: tuple[str, ...], width: Ints, height: Ints) -> Iterator[Fault]:
    flat = column.flatten()
    if not len(flat):
        return
    owner = _rows_of(column)
    fields = {field.name for field in flat.type}
    w, h = width[owner], height[owner]
    kind = flat.field("kind")
    known = pc.is_in(kind, pa.array(kinds)).to_numpy(zero_copy_only=False)
    if name == IGNORED:  # where nothing but the annotation's box is known
        known |= _nulls(kind)
    for index in np.flatnonzero(~known):
        yield int(owner[index]), f"{name} of unknown kind {kind[int(index)].as_py()!r:.40}"
    for what, field, find in _GEOMETRY:
        # most columns of a task are null throughout
        if field not in fields or (values := flat.field(field)).null_count == len(flat):
            continue
        for index in np.flatnonzero(find(values, w, h)):
            detail = _mask_detail(flat, int(index)) if what == "mask" else ""
            yield int(owner[index]), f"the {what} of {name} does not fit a photo of {w[index]} x {h[index]}{detail}"


def _mask_detail(flat: pa.StructArray, index: int) -> str:
    wire = flat.field("mask_rle")[index].as_py()
    if len(wire["size_hw"] or ()) != 2 or wire["counts"] is None:
        return ": it lacks its size or its runs"
    try:
        check_rle(Rle((wire["size_hw"][0], wire["size_hw"][1]), wire["counts"]))
    except GeometryError as error:
        return f": {error}"
    return f": its size is {wire['size_hw'][1]} x {wire['size_hw'][0]}"


def _fixed(column: pa.ListArray, length: int) -> tuple[Ints, NDArray[np.float64], Bools]:
    """(indices of the lists of the right length, their values (N, length), which lists have a wrong length)."""
    there, lengths = ~_nulls(column), _lengths(column)
    wrong = there & (lengths != length)
    right = np.flatnonzero(there & ~wrong)
    values = column.flatten().to_numpy(zero_copy_only=False)
    if not wrong.any():
        return right, values.reshape(-1, length), wrong
    starts = np.cumsum(lengths) - lengths
    return right, values[starts[right][:, None] + np.arange(length)], wrong


def _bad_boxes(column: pa.ListArray, w: Ints, h: Ints) -> Bools:
    right, xyxy, bad = _fixed(column, 4)
    x0, y0, x1, y1 = xyxy.T
    inside = (x0 >= -SLACK) & (y0 >= -SLACK) & (x0 <= x1) & (y0 <= y1)
    bad[right] = ~(inside & (x1 <= w[right] + SLACK) & (y1 <= h[right] + SLACK))
    return bad


def _bad_points(column: pa.ListArray, w: Ints, h: Ints) -> Bools:
    right, xy, bad = _fixed(column, 2)
    bad[right] = ~_inside(xy[:, 0], xy[:, 1], w[right], h[right])
    return bad


def _inside(x: NDArray[np.float64], y: NDArray[np.float64], w: Ints, h: Ints) -> Bools:
    return (x >= -SLACK) & (y >= -SLACK) & (x <= w + SLACK) & (y <= h + SLACK)


def _bad_poses(column: pa.ListArray, w: Ints, h: Ints) -> Bools:
    lengths = _lengths(column)
    bad = ~_nulls(column) & (lengths % 3 != 0)
    owner = np.repeat(np.arange(len(column)), lengths)
    whole = ~bad[owner]
    xyv = column.flatten().to_numpy(zero_copy_only=False)[whole].reshape(-1, 3)
    owner = owner[whole][::3]
    labelled = xyv[:, 2] > 0
    wrong = ~np.isin(xyv[:, 2], (0.0, 1.0, 2.0)) | ~np.isfinite(xyv).all(axis=1)
    wrong |= labelled & ~_inside(xyv[:, 0], xyv[:, 1], w[owner], h[owner])
    bad[owner[wrong]] = True
    return bad


def _bad_masks(column: pa.StructArray, w: Ints, h: Ints) -> Bools:
    there = ~_nulls(column)
    # `flatten` gives the children their parent's nulls
    size, counts = column.flatten()
    right, hw, bad = _fixed(size, 2)
    bad |= there & (_nulls(size) | _nulls(counts))
    bad[right] |= (hw[:, 0] != h[right]) | (hw[:, 1] != w[right])
    where = np.flatnonzero(there & ~_nulls(counts))
    if len(where):
        data, lengths = bytes_of(counts)
        bad[where] |= ~masks_fill(data, lengths[where], (w * h)[where])
    return bad


_GEOMETRY: tuple[tuple[str, str, Callable[[Any, Ints, Ints], Bools]], ...] = (
    ("box", "box_xyxy", _bad_boxes),
    ("point", "point_xy", _bad_points),
    ("mask", "mask_rle", _bad_masks),
    ("pose", "keypoints_xyv", _bad_poses),
)


# --- columns as arrays -----------------------------------------------------------------------------------------------


def _nulls(column: pa.Array) -> Bools:
    if not column.null_count:
        return np.zeros(len(column), np.bool_)
    return column.is_null().to_numpy(zero_copy_only=False)


def _ints(column: pa.Array, missing: int) -> Ints:
    if column.null_count:
        column = pc.fill_null(column, missing)
    return column.to_numpy(zero_copy_only=False).astype(np.int64)


def bytes_of(column: pa.BinaryArray) -> tuple[NDArray[np.uint8], Ints]:
    """The bytes of a binary column, one after the other, and the length of each entry (0 where null)."""
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(0, np.int64)
    _, offsets, data = column.buffers()
    where = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    held = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    lengths = where[1:] - where[:-1]
    if (
        column.null_count and lengths[_nulls(column)].any()
    ):  # Arrow leaves it open what stands there; its own writers nothing
        return bytes_of(pa.array(column.to_pylist(), column.type))
    return held[where[0] : where[-1]], lengths


def _lengths(column: pa.ListArray) -> Ints:
    """The items of every list, 0 where null."""
    if not len(column):
        return np.zeros(0, np.int64)
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    found = (offsets[1:] - offsets[:-1]).astype(np.int64)
    if column.null_count:
        found[_nulls(column)] = 0  # Arrow leaves it open what stands there
    return found


def _rows_of(column: pa.ListArray) -> Any:
    """The row of every item of a list column."""
    return np.repeat(np.arange(len(column)), _lengths(column))
