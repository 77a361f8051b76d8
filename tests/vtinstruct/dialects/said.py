"""What a model said, as one line of a test: text in, TRP and rounded geometry out."""

from __future__ import annotations

from typing import Any

from vtinstruct.dialect import Spoken, dialect_named
from vtinstruct.units import Box, Mask, Point

Numbers = tuple[float, ...] | None


def heard(
    name: str, text: str, size_wh: tuple[int, int] = (1000, 500), **beside: Any
) -> tuple[str, list[Any], list[str]]:
    """TRP text with `<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>)` shortened to `{dog|box|1}`; boxes and points as tuples,
    to a thousandth of a pixel; masks as they are; faults."""
    found = dialect_named(name).read(Spoken(text, size_wh, **beside))
    short = "".join(
        part if isinstance(part, str) else f"{{{part.concept}|{part.kind}|{len(part.references)}}}"
        for part in found.parts  # type: ignore[union-attr]
    )
    return short, [_numbers(reference.unit) for reference in found.references], list(found.faults)


def _numbers(unit: object) -> Any:
    match unit:
        case Box():
            return tuple(round(value, 3) for value in unit.box_xyxy)
        case Point():
            return tuple(round(value, 3) for value in unit.point_xy)
        case Mask():
            return unit
        case _:
            return None
