"""Small charts as inline SVG: no library, no script, colours by CSS variable so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

CURVE_COLOURS = ("var(--c1)", "var(--c2)", "var(--c3)")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a value in the unit of the chart, its text, an interval, and whether it is the one to look at."""

    label: str
    value: float | None
    text: str
    low: float | None = None
    high: float | None = None
    strong: bool = False


def bars(entries: Sequence[Bar], width: int = 300, largest: float | None = None) -> Markup:
    """Horizontal bars, one line each, with whiskers where there is an interval."""
    height, label, room = 26, 92, 52
    top = largest or max([e.value or 0 for e in entries] + [e.high or 0 for e in entries] + [1e-9])
    scale = (width - label - room) / top
    found = [f'<svg class="bars" viewBox="0 0 {width} {height * len(entries)}" role="img">']
    for row, entry in enumerate(entries):
        y = row * height
        kind = "strong" if entry.strong else "weak"
        found.append(f'<text class="label {kind}" x="{label - 8}" y="{y + 17}">{escape(entry.label)}</text>')
        found.append(f'<rect class="track" x="{label}" y="{y + 7}" width="{width - label - room}" height="12" rx="3"/>')
        length = max(0.0, min(entry.value or 0.0, top)) * scale
        if entry.value is not None:
            found.append(f'<rect class="bar {kind}" x="{label}" y="{y + 7}" width="{length:.1f}" height="12" rx="3"/>')
        if entry.low is not None and entry.high is not None and entry.high > entry.low:
            a, b = label + max(0.0, entry.low) * scale, label + min(entry.high, top) * scale
            found.append(f'<path class="whisker" d="M{a:.1f} {y + 13}H{b:.1f}M{a:.1f} {y + 10}v6M{b:.1f} {y + 10}v6"/>')
        found.append(f'<text class="value {kind}" x="{width}" y="{y + 17}">{escape(entry.text)}</text>')
    found.append("</svg>")
    return Markup("".join(found))


def curves(lines: Mapping[str, Sequence[float]], x_label: str, y_label: str, size: int = 260) -> Markup:
    """Lines over 0..1 by 0..1: precision over recall."""
    left, low, right, top = 34, size - 30, size - 8, 8
    found = [f'<svg class="curves" viewBox="0 0 {size} {size}" role="img">']
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = left + tick * (right - left), low - tick * (low - top)
        found.append(f'<path class="grid" d="M{left} {y:.1f}H{right}M{x:.1f} {top}V{low}"/>')
        if tick in (0.0, 0.5, 1.0):
            found.append(f'<text class="tick" x="{left - 6}" y="{y + 3:.1f}" text-anchor="end">{tick:g}</text>')
            found.append(f'<text class="tick" x="{x:.1f}" y="{low + 14}" text-anchor="middle">{tick:g}</text>')
    for number, (name, values) in enumerate(lines.items()):
        step = (right - left) / max(1, len(values) - 1)
        points = " ".join(f"{left + i * step:.1f},{low - v * (low - top):.1f}" for i, v in enumerate(values))
        ink = CURVE_COLOURS[number % len(CURVE_COLOURS)]
        found.append(f'<polyline class="curve" style="stroke:{ink}" points="{points}"/>')
        found.append(
            f'<text class="key" x="{right - 4}" y="{top + 14 + 15 * number}" style="fill:{ink}">{escape(name)}</text>'
        )
    found.append(
        f'<text class="axis" x="{(left + right) / 2}" y="{size - 3}" text-anchor="middle">{escape(x_label)}</text>'
    )
    middle = (top + low) / 2
    turned = f'transform="rotate(-90 10 {middle})"'
    found.append(f'<text class="axis" x="10" y="{middle}" text-anchor="middle" {turned}>{escape(y_label)}</text></svg>')
    return Markup("".join(found))
