"""A detector's plain results: a JSON list of `{"category_name" or "category_id", "bbox": [x, y, width, height], "score"}`, with
`segmentation` (run lengths or polygons) for masks and `keypoints` for poses, in pixels of the photo.

Source: cocodataset.org, "Results format". An object with several of them is read as the unit that the sample asks for.
`category_id` is the source's own number, and takes the name that the source gives it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from vtinstruct.dialect import Dialect, Heard, NotSayable, SizeWH, Spoken
from vtinstruct.dialects._furniture import Read, Reading, box_of, unit_of
from vtinstruct.dialects._saying import sayable
from vtinstruct.dialogue import Parts, Triplet
from vtinstruct.geometry import GeometryError, polygons_to_rle, rle_from_runs, rle_to_coco
from vtinstruct.units import Box, Keypoints, Mask, Rle, Unit, UnitKind, is_finite_number

FIELDS: Mapping[UnitKind, str] = {"mask": "segmentation", "keypoint": "keypoints", "box": "bbox"}
_DECODER = json.JSONDecoder()


def read(spoken: Spoken) -> Heard:
    """The list's objects, those of one class together."""
    reading, text = Reading(spoken), spoken.text.strip()
    if not text.startswith(("[", "{")):
        reading.words(spoken.text)
        return reading.finish()
    at = 1 if text.startswith("[") else 0
    while at < len(text):
        at += len(text[at : at + 40]) - len(text[at : at + 40].lstrip(" \t\r\n,"))
        if at >= len(text) or text[at] in " \t\r\n,":
            continue
        if text[at] == "]" and at == len(text) - 1:
            return reading.finish()
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            return _broken(reading, text, at)
        _object(reading, cast(dict[str, Any], value))
    if text.startswith("["):
        reading.fault("truncated")
    return reading.finish()


def _broken(reading: Reading, text: str, at: int) -> Heard:
    if text.endswith("]") or text[at] != "{":
        reading.fault("unreadable")
        reading.words(text if at <= 1 else text[at:])
    else:
        reading.fault("truncated")
    return reading.finish()


def _object(reading: Reading, fields: Mapping[str, Any]) -> None:
    there: list[UnitKind] = [kind for kind, field in FIELDS.items() if field in fields]
    if not there:
        reading.fault("unreadable")
        reading.words(json.dumps(fields, ensure_ascii=False))
        return
    spoken = reading.spoken
    kind: UnitKind = spoken.wanted if spoken.wanted is not None and spoken.wanted in there else there[0]
    name, number, score = fields.get("category_name"), fields.get("category_id"), fields.get("score")
    if not isinstance(name, str) and isinstance(number, int):
        name = spoken.classes.get(number, f"category {number}")
    unit = unit_of(reading, *_unit(kind, fields[FIELDS[kind]], spoken.size_wh))
    sure = float(score) if is_finite_number(score) else None
    reading.listed(name if isinstance(name, str) else "", kind, unit, sure)


def _unit(kind: UnitKind, value: Any, size_wh: SizeWH) -> Read:
    if kind == "mask":
        return _mask(value, size_wh)
    if not isinstance(value, list) or not all(is_finite_number(one) for one in cast(list[Any], value)):
        return None, "unreadable"
    numbers = [float(one) for one in cast(list[Any], value)]
    if kind == "box":
        if len(numbers) != 4:
            return None, "unreadable"
        x, y, wide, high = numbers
        return box_of([x / size_wh[0], y / size_wh[1], (x + wide) / size_wh[0], (y + high) / size_wh[1]], size_wh)
    if not numbers or len(numbers) % 3:
        return None, "unreadable"
    triples = zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True)
    # results have anything for v, and the official score looks at none of it
    return Keypoints(tuple((x, y, int(v) if v in (0.0, 1.0, 2.0) else 2) for x, y, v in triples)), ""


def _mask(value: Any, size_wh: SizeWH) -> Read:
    width, height = size_wh
    try:
        if isinstance(value, list):
            return Mask(polygons_to_rle(cast(list[list[float]], value), size_wh)), ""
        fields = cast(dict[str, Any], value) if isinstance(value, dict) else {}
        counts = fields.get("counts")
        if fields.get("size") != [height, width]:
            return None, "unreadable"
        if isinstance(counts, str) and counts.isascii():
            return Mask(Rle((height, width), counts.encode("ascii"))), ""
        if isinstance(counts, list):
            return Mask(rle_from_runs(cast(list[int], counts), (height, width))), ""
    except (GeometryError, TypeError, ValueError, OverflowError):
        return None, "unreadable"
    return None, "unreadable"


def render(parts: Parts, size_wh: SizeWH) -> str:
    """The list of an answer's boxes, masks and poses; words alone where an answer has no phrase."""
    triplets = [part for part in parts if isinstance(part, Triplet)]
    if not triplets:
        words = "".join(part for part in parts if isinstance(part, str))
        if words.strip().startswith(("[", "{")):
            raise NotSayable("words that hold the dialect's own marks")
        return words
    found: list[dict[str, Any]] = []
    for triplet in triplets:
        if triplet.references or triplet.kind not in FIELDS:
            sayable(triplet, FIELDS)
        for reference in triplet.references:
            sure = {} if reference.score is None else {"score": reference.score}
            found.append({"category_name": triplet.concept, FIELDS[triplet.kind]: _wire(reference.unit), **sure})
    return json.dumps(found, ensure_ascii=False)


def _wire(unit: Unit | None) -> Any:
    match unit:
        case Box():
            x0, y0, x1, y1 = unit.box_xyxy
            return [x0, y0, x1 - x0, y1 - y0]
        case Mask():
            return rle_to_coco(unit.mask_rle)
        case Keypoints():
            return [value for point in unit.keypoints_xyv for value in point]
        case _:
            raise NotSayable("geometry that is no box, mask or pose")


DIALECT = Dialect(
    "coco_json", "COCO results, JSON list", "cocodataset.org, Results format",
    "pixels of the photo, x, y, width and height", None, ("box", "mask", "keypoint"), ("box", "mask", "keypoint"),
    "words between the phrases; points", read, render,
)  # fmt: skip
