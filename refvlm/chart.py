"""Small charts side by side, as one SVG picture with nothing beside it: it can be shown by any browser, and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT, COLUMNS = 264, 190, 4
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 26, 26  # room around a panel's field, pixels
INKS = ("#2459c8", "#c2481e", "#1d8a58", "#8a3fb0", "#b08900", "#4c5a70", "#d0337d", "#0f8ea0")
GREYS = ("#566072", "#8b95a5", "#b6bdc9")


@dataclass(frozen=True)
class Panel:
    """One chart: lines by name ("" needs no legend), dashed levels by name, a logarithmic axis, a dot at every point."""

    title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    levels: Mapping[str, float] = field(default_factory=dict[str, float])
    log: bool = False
    dots: bool = False


def figure(panels: Sequence[Panel], x_label: str) -> str:
    """All panels as one SVG. They share the x axis, from 0."""
    rows = -(-len(panels) // COLUMNS)
    right = max((x for p in panels for line in p.lines.values() for x, _ in line), default=1.0) or 1.0
    width, height = WIDTH * COLUMNS, HEIGHT * max(rows, 1)
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui,sans-serif" '
        f'font-size="10" role="img"><rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for n, panel in enumerate(panels):
        corner = (n % COLUMNS * WIDTH, n // COLUMNS * HEIGHT)
        found.append(f'<g transform="translate({corner[0]} {corner[1]})">{_panel(panel, right, x_label)}</g>')
    return "".join([*found, "</svg>"])


def _panel(panel: Panel, right: float, x_label: str) -> str:
    values = [y for line in panel.lines.values() for _, y in line]
    if panel.log:
        values = [y for y in values if y > 0]
        low, high = (min(values), max(values)) if values else (0.1, 1.0)
        high = max(high, low * 1.5)
    else:
        low, high = 0.0, max([*values, *panel.levels.values(), 1e-9]) * 1.08
    field_w, field_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        share = (
            (math.log(max(y, low)) - math.log(low)) / (math.log(high) - math.log(low))
            if panel.log
            else (y - low) / (high - low)
        )
        return LEFT + x / right * field_w, TOP + (1 - share) * field_h

    found = [f'<text x="{LEFT}" y="14" font-size="12" fill="#1c2330">{escape(panel.title)}</text>']
    for tick in _ticks(low, high, panel.log):
        y = place(0, tick)[1]
        found.append(f'<path d="M{LEFT} {y:.1f}H{LEFT + field_w}" stroke="#e4e8ee"/>')
        found.append(f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end" fill="#566072">{tick:.3g}</text>')
    for tick in _ticks(0.0, right, False)[1:]:
        x = place(tick, high)[0]
        said = f"{tick / 1000:g}k" if tick >= 1000 else f"{tick:g}"
        found.append(f'<text x="{x:.1f}" y="{HEIGHT - 12}" text-anchor="middle" fill="#566072">{said}</text>')
    found.append(f'<text x="{LEFT}" y="{HEIGHT - 2}" fill="#8b95a5" font-size="9">{escape(x_label)}</text>')
    for n, (name, value) in enumerate(panel.levels.items()):
        y, ink = place(0, value)[1], GREYS[n % len(GREYS)]
        found.append(f'<path d="M{LEFT} {y:.1f}H{LEFT + field_w}" stroke="{ink}" stroke-dasharray="4 3"/>')
        found.append(f'<text x="{LEFT + field_w}" y="{y - 3:.1f}" text-anchor="end" fill="{ink}">{escape(name)}</text>')
    legend = 0
    for n, (name, line) in enumerate(panel.lines.items()):
        ink = INKS[n % len(INKS)]
        points = [place(x, y) for x, y in line if y > 0 or not panel.log]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        found.append(f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="1.4"/>')
        if panel.dots:
            found += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{ink}"/>' for x, y in points]
        if name:
            found.append(
                f'<text x="{LEFT + field_w}" y="{TOP + 10 + 11 * legend}" text-anchor="end" fill="{ink}">{escape(name)}</text>'
            )
            legend += 1
    return "".join(found)


def _ticks(low: float, high: float, log: bool) -> list[float]:
    """Round numbers between two ends."""
    if log:
        found = [
            m * 10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for m in (1, 2, 5)
        ]
        return [tick for tick in found if low <= tick <= high]
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= 5)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
