"""Reading COCO-like annotation and result files for scoring, with every trap of the official tools dealt with here.

* ids of annotations are counted anew from 1: the original takes a match with id 0 for no match, and mixes up equal ids;
* `bbox` beside a mask is left out: with it the original takes areas from the box, and APs, APm, APl move;
* NaN and infinity are no JSON and are refused, they would sort anywhere;
* results for an image that is not there are refused (as the original does), those of an unknown class are counted;
* ids may be whole numbers (1.0 is 1) or texts. Texts, negative and huge numbers, which the fast engine does not take, are
  numbered in their sorted order, which is the originals' order of photos and classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

Rows = list[dict[str, Any]]
WHOLE = 1 << 63  # native code counts to here


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
    kinds = {
        "image_id": check_ids(found["images"], f"{path}: images"),
        "category_id": check_ids(found["categories"], f"{path}: categories"),
    }
    _once(found["images"], f"{path}: images")
    _once(found["categories"], f"{path}: categories")
    for field, kind in kinds.items():
        check_ids(found["annotations"], f"{path}: annotations", field, kind)
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


def read_pair(annotations: Path, results: Path, needed: Sequence[str]) -> tuple[dict[str, Any], Rows]:
    """An annotation file, and its results: a list of objects with image_id, category_id and a finite score. `originals` has the
    class ids as the files have them, where they had to be numbered. Raises `OfficialError`."""
    annotated, rows = read_annotated(annotations, needed), rows_of(read_json(results), str(results))
    for table, field in (("images", "image_id"), ("categories", "category_id")):
        check_ids(
            rows, str(results), field, str if any(isinstance(row["id"], str) for row in annotated[table]) else int
        )
    listed = {row["id"] for row in annotated["images"]}
    for number, row in enumerate(rows):
        if not is_number(row.get("score")):
            raise OfficialError(f"{results}: [{number}] has score {row.get('score')!r:.40}; a finite number is right")
        if row["image_id"] not in listed:
            raise OfficialError(
                f"{results}: [{number}] is for image {row['image_id']}, which is not annotated; a listed image is right"
            )
    _number(annotated, annotated["images"], "image_id", rows)
    annotated["originals"] = _number(annotated, annotated["categories"], "category_id", rows)
    return annotated, rows


def _number(annotated: Mapping[str, Any], listed: Rows, field: str, rows: Rows) -> dict[int, int | str]:
    """Number ids that are texts or negative, everywhere; number -> id, empty where nothing had to be done."""
    several = {row["id"] for row in listed}
    others = {row[field] for row in (*annotated["annotations"], *rows)} - several
    if all(isinstance(one, int) and 0 <= one < WHOLE for one in (*several, *others)):
        return {}
    numbers = {one: number for number, one in enumerate((*sorted(several), *sorted(others)), start=1)}
    for row in listed:
        row["id"] = numbers[row["id"]]
    for row in (*annotated["annotations"], *rows):
        row[field] = numbers[row[field]]
    for image in annotated["images"] if field == "category_id" else ():
        for lists in ("neg_category_ids", "not_exhaustive_category_ids"):
            if isinstance(image.get(lists), list):
                image[lists] = [numbers[one] for one in image[lists] if one in numbers]
    return {number: one for one, number in numbers.items()}


def lines_or_list(path: Path) -> Rows:
    """The objects of JSON lines, or of one JSON list: scripts write either. Raises `OfficialError`."""
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise OfficialError(f"{path}: {error.strerror or error}; a readable file is right") from error
    if not whole.strip():
        raise OfficialError(f"{path}: is empty; JSON lines, or a list, are right")
    if whole.lstrip().startswith(b"["):
        return rows_of(read_json(path), str(path))
    found: list[Any] = []
    for number, line in enumerate(whole.splitlines(), start=1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise OfficialError(
                    f"{path}: line {number} is not JSON ({error}); one object a line is right"
                ) from error
    return rows_of(found, str(path))


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
    """Whether a JSON value is a finite number that native code can hold."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < WHOLE
    return isinstance(value, float) and math.isfinite(value)


def numbers_of(row: Mapping[str, Any], field: str, count: int | None, where: str) -> list[float]:
    """A field that is a list of (`count`) finite numbers, or `OfficialError`."""
    value = row.get(field)
    values = cast(list[object], value) if isinstance(value, list) else None
    if values is None or (count is not None and len(values) != count) or not all(map(is_number, values)):
        right = f"{count} finite numbers are" if count else "a list of finite numbers is"
        raise OfficialError(f"{where} has {field} {value!r:.60}; {right} right")
    return cast(list[float], values)


def check_ids(rows: Rows, where: str, field: str = "id", kind: type | None = None) -> type:
    """Check that a field of every row is of one kind (None: texts if all are, else whole numbers), 1.0 being 1; the kind."""
    if kind is None:
        kind = str if rows and all(isinstance(row.get(field), str) for row in rows) else int
    for number, row in enumerate(rows):
        value = row.get(field)
        if kind is int and isinstance(value, float) and value.is_integer():
            row[field] = value = int(value)
        if not isinstance(value, kind) or isinstance(value, bool):
            right = "a whole number is" if kind is int else "a text, as where it is listed, is"
            raise OfficialError(f"{where}: [{number}] has {field} {value!r:.40}; {right} right")
    return kind


def _once(rows: Rows, where: str) -> None:
    seen = set[int | str]()
    for row in rows:
        if row["id"] in seen:
            raise OfficialError(f"{where}: id {row['id']} stands twice; unique ids are right")
        seen.add(row["id"])
