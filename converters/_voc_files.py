"""The files of one Pascal VOC photo: its XML of boxes, and the two palette pictures of its segmentation.

Format: VOC development kit documentation (2012), "Annotation file format" and "Segmentation". Boxes are whole pixels counted from
1, both ends inside, so edges are (xmin - 1, ymin - 1, xmax, ymax).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters._label_maps import read_colours, read_labels
from converters._notes import Fault, Notes
from converters._photos import checked_size
from vtinstruct.geometry import GeometryError, clip_box

NO_OBJECT, VOID = 0, 255
MAX_BYTES = 1 << 24  # of one XML file; official ones have a few kilobytes


@dataclass(frozen=True, slots=True)
class Marked:
    """One `<object>`: its number in the file from 1, its box in edges, and what is said of it."""

    number: int
    name: str
    box_xyxy: tuple[float, float, float, float]
    difficult: bool
    attributes: tuple[str, ...]


def read_xml(
    path: Path, relative: str, photo_size: Callable[[], tuple[int, int]], notes: Notes
) -> tuple[tuple[int, int], list[Marked]]:
    """The photo's size (width, height; `photo_size` where the file says none, or 0 x 0 as some tools do) and its objects.
    Raises `Fault`; an object without a box goes to `notes`."""
    root = _parsed(path, relative)
    given = [
        int(_number(root, f"size/{side}")) for side in ("width", "height") if root.find(f"size/{side}") is not None
    ]
    size_wh = checked_size(given[0], given[1], relative) if len(given) == 2 and any(given) else photo_size()
    found: list[Marked] = []
    for number, element in enumerate(root.iterfind("object"), 1):
        try:
            found.append(_object(element, number, size_wh, notes))
        except (Fault, GeometryError) as fault:
            notes.fault(f"object {number}", fault)
    return size_wh, found


def _parsed(path: Path, relative: str) -> Any:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        if path.stat().st_size > MAX_BYTES:
            raise Fault("file: too large", f"{relative}: at most {MAX_BYTES} bytes are right")
        return fromstring(path.read_bytes(), forbid_dtd=True)
    except OSError as error:
        raise Fault("file: missing", f"{relative}: {error.strerror or error}; download it") from error
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise Fault("file: unreadable", f"{relative}: {error!r:.120}; whole XML without a DTD is right") from error


def _number(element: Any, name: str) -> float:
    text = element.findtext(name)
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e6:
        raise Fault("xml: no number", f"<{name}> is {text!r:.40}; a number is right")
    return value


def _flag(element: Any, name: str) -> bool:
    return (element.findtext(name) or "").strip() in ("1", "1.0", "true")


def _object(element: Any, number: int, size_wh: tuple[int, int], notes: Notes) -> Marked:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise Fault("object: no name", "<name> is empty or missing; one of the 20 classes is right")
    xmin, ymin, xmax, ymax = (_number(element, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
    if xmax < xmin or ymax < ymin:
        raise Fault("box: swapped sides", f"[{xmin}, {ymin}, {xmax}, {ymax}]; xmin <= xmax and ymin <= ymax are right")
    edges = (xmin - 1, ymin - 1, xmax, ymax)
    inside = clip_box(edges, size_wh)
    if inside != edges:
        detail = f"{list(edges)} reaches out of {size_wh[0]} x {size_wh[1]}; {list(inside)} is kept"
        notes.mended(f"object {number}", "box: clipped to the photo", detail)
    pose = (element.findtext("pose") or "").strip().lower()
    said = [f"{pose} view"] if pose in ("left", "right", "frontal", "rear") else []
    said += [flag for flag in ("truncated", "occluded", "difficult") if _flag(element, flag)]
    said += [action.tag for action in element.iterfind("actions/*") if (action.text or "").strip() == "1"]
    return Marked(number, name, inside, _flag(element, "difficult"), tuple(said))


def _palette() -> NDArray[np.uint8]:
    """VOC's colours (256, 3): the bits of the index dealt out to red, green and blue (development kit, `VOClabelcolormap`)."""
    index = np.arange(256)
    colours = np.zeros((256, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return colours.astype(np.uint8)


def read_indices(root: Path, relative: str, size_wh: tuple[int, int]) -> NDArray[Any]:
    """Indices (H, W) of a segmentation picture: of its palette or, where a copy lost it, by VOC's colours. Raises `Fault`."""
    try:
        found = read_labels(root, relative)
    except Fault as fault:
        if fault.reason != "picture: another kind":
            raise
        found = _of_colours(read_colours(root, relative), relative)
    if found.shape != size_wh[::-1]:
        detail = f"{relative} is {found.shape[1]} x {found.shape[0]}; the photo's {size_wh[0]} x {size_wh[1]} is right"
        raise Fault("picture: another size", detail)
    return found


def _of_colours(rgb: NDArray[np.uint8], relative: str) -> NDArray[Any]:
    weights = np.asarray([1 << 16, 1 << 8, 1])
    codes, palette = rgb.astype(np.int64) @ weights, _palette().astype(np.int64) @ weights
    order = np.argsort(palette)
    place = np.minimum(np.searchsorted(palette[order], codes), 255)
    found = order[place]
    if not np.array_equal(palette[found], codes):
        raise Fault("picture: another kind", f"{relative} has colours that VOC has not; its palette is right")
    return found
