"""Reading COCO-like annotation and result files for scoring, with every trap of the official tools dealt with here.

* ids of annotations are counted anew from 1: the original takes a match with id 0 for no match, and mixes up equal ids;
* `bbox` beside a mask is left out: with it the original takes areas from the box, and APs, APm, APl move;
* NaN and infinity are no JSON and are refused, they would sort anywhere;
* results for an image that is not there are refused (as the original does), those of an unknown class are counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

Rows = list[dict[str, Any]]


class OfficialError(Exception):
    """A file of an official layout that cannot be scored: one line with the file, what is wrong, what would be right."""


def read_json(path: Path) -> Any:
    """A JSON file. Raises `OfficialError`; NaN and Infinity are no JSON."""
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise OfficialError(f"{path}: {error.strerror or error}; a readable file is right") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OfficialError(f"{path}: not JSON ({error}); finite numbers, no NaN or Infinity, are right") from error


def read_annotated(path: Path, needed: Sequence[str]) -> dict[str, Any]:
    """An annotation file with `images`, `categories` and `annotations`, whose rows have the `needed` fields. Annotation ids
    are renumbered from 1 in file order; `notes` has a line where that alone changes a number."""
    whole = read_json(path)
    if not isinstance(whole, dict):
        raise OfficialError(f"{path}: {type(whole).__name__}; an object with images, categories, annotations is right")
    tables = cast(dict[str, Any], whole)
    found: dict[str, Any] = {}
    for key in ("images", "categories", "annotations"):
        found[key] = rows_of(tables.get(key), f"{path}: {key}")
    _whole_ids(found["images"], f"{path}: images", ("id",))
    _whole_ids(found["categories"], f"{path}: categories", ("id",))
    _once(found["images"], f"{path}: images")
    _once(found["categories"], f"{path}: categories")
    _whole_ids(found["annotations"], f"{path}: annotations", ("image_id", "category_id"))
    found["notes"] = _id_notes(found["annotations"])
    for number, row in enumerate(found["annotations"]):
        for field in needed:
            if field not in row:
                raise OfficialError(f"{path}: annotations[{number}] has no {field!r}; official scoring needs it")
        row["id"] = number + 1
    return found


def _id_notes(rows: Rows) -> list[str]:
    """Where the originals' numbers differ for the ids' sake alone."""
    given = [row.get("id") for row in rows]
    zero, again = given.count(0), len(given) - len(set(map(repr, given)))
    notes = [f"{zero} annotation has id 0, whose match the original takes for none"] if zero else []
    if again:
        notes.append(f"{again} annotations have another's id (or none), which the original mixes up")
    return [f"{note}; here ids are counted anew" for note in notes]


def read_results(path: Path) -> Rows:
    """A result file: a list of objects with image_id, category_id and a finite score."""
    rows = rows_of(read_json(path), str(path))
    _whole_ids(rows, str(path), ("image_id", "category_id"))
    for number, row in enumerate(rows):
        if not is_number(row.get("score")):
            raise OfficialError(f"{path}: [{number}] has score {row.get('score')!r:.40}; a finite number is right")
    return rows


def table_of(path: Path, name: str) -> Rows:
    """One list of objects of a JSON file that is an object of such lists. Raises `OfficialError`."""
    whole = read_json(path)
    return rows_of(cast(dict[str, Any], whole).get(name) if isinstance(whole, dict) else None, f"{path}: {name}")


def rows_of(value: object, where: str) -> Rows:
    """A list of objects, or `OfficialError`."""
    if not isinstance(value, list):
        raise OfficialError(f"{where} is {type(value).__name__}; a list of objects is right")
    for number, row in enumerate(cast(list[object], value)):
        if not isinstance(row, dict):
            raise OfficialError(f"{where}: [{number}] is {row!r:.40}; an object is right")
    return cast(Rows, value)


def is_number(value: object) -> bool:
    """Whether a JSON value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def numbers_of(row: Mapping[str, Any], field: str, count: int | None, where: str) -> list[float]:
    """A field that is a list of (`count`) finite numbers, or `OfficialError`."""
    value = row.get(field)
    values = cast(list[object], value) if isinstance(value, list) else None
    if values is None or (count is not None and len(values) != count) or not all(map(is_number, values)):
        right = f"{count} finite numbers are" if count else "a list of finite numbers is"
        raise OfficialError(f"{where} has {field} {value!r:.60}; {right} right")
    return cast(list[float], values)


def _whole_ids(rows: Rows, where: str, fields: Sequence[str]) -> None:
    for number, row in enumerate(rows):
        for field in fields:
            value = row.get(field)
            if not isinstance(value, int) or isinstance(value, bool):
                raise OfficialError(f"{where}: [{number}] has {field} {value!r:.40}; a whole number is right")


def _once(rows: Rows, where: str) -> None:
    seen = set[int]()
    for row in rows:
        if row["id"] in seen:
            raise OfficialError(f"{where}: id {row['id']} stands twice; unique ids are right")
        seen.add(row["id"])
