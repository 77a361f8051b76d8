"""The files of one photo of the full ADE20K, of either release: objects and their parts with name, mask and what is said.

2017: `_seg.png` codes class (R // 10 * 256 + G) and instance (B) of objects, `_parts_<level>.png` those of parts, `_atr.txt` has
a row `number # level # occluded # names # raw name # "attributes"` each. B is spread over 1..255 in the order of the rows.
2021: a `.json` with a row each, and a picture for every instance. Format: ADE20K's page and its `loadAde20K`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters._label_maps import below, header_size, read_colours, read_labels
from converters._notes import Fault, Notes, text_of
from vtinstruct.geometry import GeometryError, encode_mask, polygons_to_rle, rle_runs, rles_of_label_map
from vtinstruct.units import Rle

MAX_BYTES = 1 << 26
HIDDEN = 128  # 2021: the part of an instance that something else hides


@dataclass(frozen=True, slots=True)
class Found:
    """An object (level 0) or a part: its names ("car, auto"), the source's number of its class, its mask, and of what it is
    a part (an id, "" for objects)."""

    id: str
    names: str
    class_id: int
    mask_rle: Rle
    attributes: tuple[str, ...]
    level: int
    whole: str


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    level: int
    names: str
    attributes: tuple[str, ...]


class _Parts(msgspec.Struct):
    part_level: int = 0
    ispartof: int | list[Any] | None = None


class _Polygon(msgspec.Struct):
    x: list[float] | float = []
    y: list[float] | float = []


class _Object(msgspec.Struct):
    """MATLAB wrote these files: a list of one is a bare value, an empty one `[]`."""

    id: int
    name: str
    name_ndx: int
    raw_name: str | list[Any] = ""
    attributes: list[str] | str | None = None
    occluded: Any = None
    parts: _Parts | None = None
    instance_mask: str | list[Any] = ""
    polygon: _Polygon | None = None


class _Annotation(msgspec.Struct):
    imsize: list[int]
    object: list[_Object] | _Object


class _File(msgspec.Struct):
    annotation: _Annotation


def check_same(photo_wh: tuple[int, int], annotated_wh: tuple[int, int], stem: str) -> None:
    """Raise `Fault` unless photo and annotation have one size."""
    if photo_wh != annotated_wh:
        detail = f"{stem}.jpg is {photo_wh}, its annotation {annotated_wh} (width, height); one size is right"
        raise Fault("photo: another size", detail)


def _text(root: Path, relative: str, notes: Notes) -> str:
    path = below(root, relative)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Fault("file: too large", f"{relative}: at most {MAX_BYTES} bytes are right")
        data = path.read_bytes()
    except OSError as error:
        raise Fault("file: missing", f"{relative}: {error.strerror or error}; download it") from error
    return text_of(data, relative, notes)


# --- 2017 ------------------------------------------------------------------------------------------------------------


def read_2017(root: Path, stem: str, size_wh: tuple[int, int], notes: Notes) -> list[Found]:
    """The objects of `<stem>_seg.png` and its company, which must have the photo's size. Raises `Fault`."""
    below(root, f"{stem}_seg.png")
    check_same(size_wh, header_size(root, f"{stem}_seg.png", "picture"), stem)
    lines = _lines(_text(root, f"{stem}_atr.txt", notes), notes)
    found: list[Found] = []
    above: NDArray[np.int32] | None = None  # positions in `found` + 1 of the level above, pixel by pixel
    for level in range(1 + max((line.level for line in lines), default=0)):
        relative = f"{stem}_parts_{level}.png" if level else f"{stem}_seg.png"
        rgb = read_colours(root, relative)
        if rgb.shape[1::-1] != size_wh:
            raise Fault("picture: another size", f"{relative} is {rgb.shape[1::-1]}; {size_wh} as of _seg.png is right")
        above = _level(rgb, [line for line in lines if line.level == level], above, found, notes)
    return found


def _lines(text: str, notes: Notes) -> list[_Line]:
    found: list[_Line] = []
    for number, row in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in row.split("#")]
        if not row.strip():
            continue
        if len(cells) != 6 or not (cells[0].isdecimal() and cells[1].isdecimal()) or len(cells[1]) > 1:
            detail = f"{row[:60]!r}; number # level # occluded # names # raw name # attributes is right"
            notes.dropped(f"line {number}", "row: unreadable", detail)
            continue
        said = [word.strip() for word in cells[5].strip('"').split(",") if word.strip()]
        said += ["occluded"] if cells[2] == "1" else []
        found.append(_Line(int(cells[0][:6]), int(cells[1]), cells[3] or cells[4], tuple(said)))
    return found


def _level(
    rgb: NDArray[np.uint8], lines: list[_Line], above: NDArray[np.int32] | None, found: list[Found], notes: Notes
) -> NDArray[np.int32]:
    """Append the instances of one level to `found`; give back where they are (H, W), as position + 1."""
    blue = rgb[..., 2]
    masks = rles_of_label_map(blue)
    masks.pop(0, None)
    # Counted once for all instances: a photo has up to 12 million pixels.
    parent_counts = _counts(blue, above) if above is not None else None
    numbers = _numbers(list(masks), len(lines))
    ordered = sorted(lines, key=lambda line: line.number)
    position = np.zeros(256, np.int32)
    for value, mask_rle in masks.items():
        line = ordered[numbers[value] - 1]
        parents = parent_counts[value, 1:] if parent_counts is not None else np.zeros(1)
        whole = found[int(parents.argmax())].id if parents.any() else ""
        level, id_ = line.level, str(line.number) if line.level == 0 else f"{line.level}.{line.number}"
        column, row = divmod(int(rle_runs(mask_rle)[0]), blue.shape[0])  # its first pixel: an instance has one class
        class_id = int(rgb[row, column, 0]) // 10 * 256 + int(rgb[row, column, 1])
        found.append(Found(id_, line.names, class_id, mask_rle, line.attributes, level, whole))
        position[value] = len(found)
    unseen = set(range(1, len(lines) + 1)) - set(numbers.values())
    for number in sorted(unseen):
        where = f"level {ordered[number - 1].level}, row {ordered[number - 1].number}"
        notes.dropped(where, "instance: no pixel", "its number is not in the picture")
    return position[blue]


def _counts(values: NDArray[np.uint8], others: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pixels by value 0..255 and other number: (256, N)."""
    wide = int(others.max()) + 1
    return np.bincount((values.astype(np.int32) * np.int32(wide) + others).reshape(-1), minlength=256 * wide).reshape(
        256, wide
    )


def _numbers(values: list[int], rows: int) -> dict[int, int]:
    """Blue values -> positions from 1 of the rows. All rows there: by rank; else by B = 255 k / rows. Raises `Fault`."""
    if len(values) == rows:
        return {value: k for k, value in enumerate(values, 1)}
    spread = {value: round(value * rows / 255) for value in values}
    if len(values) > rows or len(set(spread.values())) != len(values) or not all(spread.values()):
        raise Fault(
            "instances: rows and picture disagree", f"{len(values)} in the picture, {rows} rows; as many are right"
        )
    return spread


# --- 2021 ------------------------------------------------------------------------------------------------------------


def read_2021(root: Path, stem: str, size_wh: tuple[int, int], notes: Notes) -> list[Found]:
    """The objects of `<stem>.json`, which must have the photo's size. Raises `Fault`; an object without a mask goes to
    `notes`."""
    try:
        content = msgspec.json.decode(_text(root, f"{stem}.json", notes).encode(), type=_File, strict=False)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Fault("file: unreadable", f"{stem}.json: {error}; the official file is right") from error
    size = content.annotation.imsize
    if len(size) < 2 or min(size[:2]) < 1 or size[0] * size[1] > 1 << 26:
        raise Fault("image: no size", f"imsize {size[:3]}; [height, width, 3] is right")
    check_same(size_wh, (size[1], size[0]), stem)
    rows = content.annotation.object
    found: dict[str, Found] = {}
    for row in rows if isinstance(rows, list) else [rows]:
        try:
            if str(row.id) in found:
                raise Fault("instance: id twice", "the first one is kept; unique ids are right")
            found[str(row.id)] = _instance(root, stem.rpartition("/")[0], row, size_wh)
        except (Fault, GeometryError) as fault:
            notes.fault(f"object {row.id}", fault)
    return list(found.values())


def _instance(root: Path, folder: str, row: _Object, size_wh: tuple[int, int]) -> Found:
    parts = row.parts or _Parts()
    whole = str(parts.ispartof) if isinstance(parts.ispartof, int) and parts.part_level > 0 else ""
    said = [row.attributes] if isinstance(row.attributes, str) else (row.attributes or [])
    said = [word for word in said if word.strip()] + (["occluded"] if row.occluded in ("yes", 1, True) else [])
    raw = row.raw_name if isinstance(row.raw_name, str) else ""
    mask_rle = _mask(root, folder, row, size_wh)
    return Found(str(row.id), row.name or raw, row.name_ndx, mask_rle, tuple(said), max(parts.part_level, 0), whole)


def _mask(root: Path, folder: str, row: _Object, size_wh: tuple[int, int]) -> Rle:
    """The instance's own picture: what is seen is 255 (in other people's copies, the largest value), what something else
    hides 128. Without a picture, its polygon."""
    name = row.instance_mask if isinstance(row.instance_mask, str) else ""
    relative = f"{folder}/{name}" if folder else name
    if name and (root / relative).is_file():
        levels = read_labels(root, relative)
        if levels.shape != size_wh[::-1]:
            detail = f"{relative} is {levels.shape[1]} x {levels.shape[0]}; {size_wh[0]} x {size_wh[1]} is right"
            raise Fault("picture: another size", detail)
        if int(levels.max()) in (0, HIDDEN):
            raise Fault("instance: no pixel", f"{relative} is {'hidden' if levels.any() else 'empty'}")
        return encode_mask(levels == levels.max())
    polygon = row.polygon or _Polygon()
    x, y = (value if isinstance(value, list) else [value] for value in (polygon.x, polygon.y))
    if len(x) != len(y) or not x:
        raise Fault("instance: no mask", f"no file {relative}, and a polygon of {len(x)} x and {len(y)} y")
    return polygons_to_rle([[value for point in zip(x, y, strict=True) for value in point]], size_wh)
