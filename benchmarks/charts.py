"""Small charts as inline SVG: no library, no script, colours by CSS variable so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

LETTERS = 13  # of a label beside a bar or a row: what fits
CURVE_COLOURS = ("var(--c1)", "var(--c2)", "var(--c3)")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a value in the unit of the chart, its text, an interval, whether it is the one to look at, a colour of
    its own, and the values that it is the mean of."""

    label: str
    value: float | None
    text: str
    low: float | None = None
    high: float | None = None
    strong: bool = False
    ink: str = ""
    parts: tuple[float, ...] = ()


def bars(entries: Sequence[Bar], width: int = 300, largest: float | None = None) -> Markup:
    """Horizontal bars, one line each, with whiskers where there is an interval and a dot a part."""
    height, label, room = 26, 104, 52
    top = largest or max(1e-9, *(v or 0.0 for e in entries for v in (e.value, e.high, *e.parts)))
    scale = (width - label - room) / top
    found = [f'<svg class="bars" viewBox="0 0 {width} {height * len(entries)}" role="img">']
    for row, entry in enumerate(entries):
        y = row * height
        kind = "strong" if entry.strong else "weak"
        found.append(
            f'<text class="label {kind}" x="{label - 8}" y="{y + 17}">{escape(_short(entry.label))}'
            f"<title>{escape(entry.label)}</title></text>"
        )
        found.append(f'<rect class="track" x="{label}" y="{y + 7}" width="{width - label - room}" height="12" rx="3"/>')
        length = max(0.0, min(entry.value or 0.0, top)) * scale
        if entry.value is not None:
            ink = f' style="fill:{escape(entry.ink)}"' if entry.ink else ""
            shape = f'x="{label}" y="{y + 7}" width="{length:.1f}" height="12" rx="3"'
            found.append(f'<rect class="bar {kind}" {shape}{ink}/>')
        if entry.low is not None and entry.high is not None and entry.high > entry.low:
            a, b = label + max(0.0, entry.low) * scale, label + min(entry.high, top) * scale
            found.append(f'<path class="whisker" d="M{a:.1f} {y + 13}H{b:.1f}M{a:.1f} {y + 10}v6M{b:.1f} {y + 10}v6"/>')
        for part in entry.parts:
            x = label + max(0.0, min(part, top)) * scale
            found.append(f'<circle class="part" cx="{x:.1f}" cy="{y + 13}" r="2.5"/>')
        found.append(f'<text class="value {kind}" x="{width}" y="{y + 17}">{escape(entry.text)}</text>')
    found.append("</svg>")
    return Markup("".join(found))


def curves(lines: Mapping[str, Sequence[float]], x_label: str, y_label: str, size: int = 260) -> Markup:
    """Lines over 0..1 by 0..1: precision over recall."""
    left, low, right, top = _frame(size)
    found, keys = _square(size, x_label, y_label), list[str]()
    for number, (name, values) in enumerate(lines.items()):
        step = (right - left) / max(1, len(values) - 1)
        points = " ".join(f"{left + i * step:.1f},{low - v * (low - top):.1f}" for i, v in enumerate(values))
        ink = CURVE_COLOURS[number % len(CURVE_COLOURS)]
        found.append(f'<polyline class="curve" style="stroke:{ink}" points="{points}"/>')
        keys.append(
            f'<text class="key" x="{right - 4}" y="{top + 14 + 15 * number}" style="fill:{ink}">{escape(name)}</text>'
        )
    return Markup("".join((*found, *keys, "</svg>")))  # a key is readable where a curve passes behind it


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability diagram, all in 0..1: where it begins, mean confidence, precision; and its answers."""

    begin: float
    confidence: float
    precision: float
    n: int


def reliability(bins: Sequence[Bin], y_label: str, width: float = 0.1, size: int = 260) -> Markup:
    """A bar a bin, as high as its precision, a dot at its mean confidence, and the diagonal where both agree."""
    left, low, right, top = _frame(size)
    across, up = right - left, low - top
    found = _square(size, "confidence", y_label)
    for one in bins:
        x, tall = left + one.begin * across + 1, one.precision * up
        told = escape(f"{one.n} answers, mean confidence {one.confidence:.2f}, precision {one.precision:.2f}")
        shape = f'x="{x:.1f}" y="{low - tall:.1f}" width="{width * across - 2:.1f}" height="{tall:.1f}"'
        found.append(f'<rect class="bar weak" {shape}><title>{told}</title></rect>')
    found.append(f'<path class="diagonal" d="M{left} {low}L{right} {top}"/>')
    for one in bins:
        x, y = left + one.confidence * across, low - one.precision * up
        found.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    return Markup("".join((*found, "</svg>")))


def matrix(rows: Sequence[Row], columns: Sequence[str], extra: Sequence[str]) -> Markup:
    """A confusion: a row a class, a column a class it was answered with, then the `extra` ones; shares of a row in percent,
    darker where larger, the diagonal in a colour of its own. A row without shares has its counts."""
    left, top, wide, high = 104, 86, 34, 24
    heads = [*columns, *extra]
    width, height = left + wide * len(heads) + 40, top + high * len(rows)
    found = [
        f'<svg class="matrix" viewBox="0 0 {width} {height}" role="img" '
        f'style="max-width:{width}px;min-width:{min(width, 400)}px">'
    ]
    for n, head in enumerate(heads):
        x = left + wide * n + wide / 2 + 4
        found.append(
            f'<text class="head" transform="translate({x:.1f} {top - 6}) rotate(-45)">{escape(_short(head))}'
            f"<title>{escape(head)}</title></text>"
        )
    for y, row in enumerate(rows):
        at = top + high * y
        found.append(
            f'<text class="label" x="{left - 8}" y="{at + 16}">{escape(_short(row.label))}'
            f"<title>{escape(row.label)}</title></text>"
        )
        for n, value in enumerate(row.values):
            found.append(_cell(row, n, value, (left + wide * n + 1, at + 1, wide - 2, high - 2), heads[n]))
    return Markup("".join((*found, "</svg>")))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a matrix: counts, of how many each is a share (None: counts alone), which of them is right (-1: none)."""

    label: str
    values: tuple[int, ...]
    of: int | None
    right: int = -1


def _cell(row: Row, n: int, value: int, box: tuple[int, int, int, int], head: str) -> str:
    x, y, wide, high = box
    share = value / row.of if row.of else 0.0
    kind = "right" if n == row.right else "wrong"
    of = f" of {row.of:,} ({100 * share:.1f} %)" if row.of else ""
    text = "" if not value else f"{100 * share:.0f}" if row.of else brief(value)
    told = escape(f"{row.label} → {head}: {value:,}{of}")
    return (
        f'<rect class="cell" x="{x}" y="{y}" width="{wide}" height="{high}" rx="4"><title>{told}</title></rect>'
        f'<rect class="cell {kind}" x="{x}" y="{y}" width="{wide}" height="{high}" rx="4" fill-opacity="{share:.3f}">'
        f"<title>{told}</title></rect>"
        f'<text class="in{" on" if share > 0.55 else ""}" x="{x + wide / 2}" y="{y + 15}">{text}</text>'
    )


def brief(count: int) -> str:
    """A count in at most four letters: 950, 12k, 3.4M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}" if count < 10 * size else f"{count / size:.0f}{unit}"
    return str(count)


def _short(label: str) -> str:
    """Both ends of a long name: what tells models of one family apart often stands last."""
    return label if len(label) <= LETTERS else f"{label[:6]}…{label[7 - LETTERS :]}"


def _frame(size: int) -> tuple[int, int, int, int]:
    """Left, bottom, right and top of the drawing in its square."""
    return 42, size - 30, size - 8, 8


def _square(size: int, x_label: str, y_label: str) -> list[str]:
    """The opening of a chart over 0..1 by 0..1: grid, ticks and the names of both axes."""
    left, low, right, top = _frame(size)
    found = [f'<svg class="curves" viewBox="0 0 {size} {size}" role="img">']
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = left + tick * (right - left), low - tick * (low - top)
        found.append(f'<path class="grid" d="M{left} {y:.1f}H{right}M{x:.1f} {top}V{low}"/>')
        if tick in (0.0, 0.5, 1.0):
            found.append(f'<text class="tick" x="{left - 6}" y="{y + 3:.1f}" text-anchor="end">{tick:g}</text>')
            found.append(f'<text class="tick" x="{x:.1f}" y="{low + 14}" text-anchor="middle">{tick:g}</text>')
    found.append(
        f'<text class="axis" x="{(left + right) / 2}" y="{size - 3}" text-anchor="middle">{escape(x_label)}</text>'
    )
    middle = (top + low) / 2
    turned = f'transform="rotate(-90 11 {middle})"'
    found.append(f'<text class="axis" x="11" y="{middle}" text-anchor="middle" {turned}>{escape(y_label)}</text>')
    return found
