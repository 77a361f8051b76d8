"""HTML pages: one self-contained file each, no network, every text escaped (jinja2 autoescape)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchmarks.charts import brief
from benchmarks.drawing import ramp_css
from benchmarks.results import SuiteResult
from benchmarks.suites import SUITES
from vtinstruct.partial import whole

# Twelve hues that stay apart on light and dark ground.
PALETTE = (
    "#e6553c", "#2f8fd8", "#2ca66a", "#b667d6", "#e0962a", "#13a5a3", "#d9478f", "#7b8be8", "#8aa32a", "#c26b45",
    "#5d9fb0", "#a0729c",
)  # fmt: skip
TITLES = {suite.name: suite.title for suite in SUITES}


def colours(concepts: Iterable[str]) -> dict[str, str]:
    """A colour for each concept of a section, apart from each other; the same in all its pictures and on every run."""
    return {name: _colour(index) for index, name in enumerate(sorted(set(concepts)))}


def _colour(index: int) -> str:
    """The palette's, then hues that stay as far from the ones before as they can, by turns lighter and darker."""
    return PALETTE[index] if index < len(PALETTE) else f"hsl({index * 137.5 % 360:.0f} 60% {(38, 62)[index % 2]}%)"


def shown(value: float | None, percent: bool = True) -> str:
    """A number for people: shares in percent with one decimal, others with three figures; a dash where undefined."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}" if percent else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def p_shown(p: float | None) -> str:
    """A p-value for people; never as 0, which none is."""
    return "–" if p is None else "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def metrics_of(result: SuiteResult) -> dict[str, tuple[str, bool, bool]]:
    """Number name -> meaning, percent, higher is better; from the suite's scorer, empty when this version has none."""
    for suite in SUITES:
        if suite.name == result.suite:
            return {m.name: (m.meaning, m.percent, m.higher_is_better) for m in suite.load().metrics}
    return {}


def is_percent(result: SuiteResult, name: str) -> bool:
    """Whether a number is shown in percent."""
    return metrics_of(result).get(name, ("", True, True))[1]


@cache
def _environment() -> Environment:
    environment: Any = Environment(
        loader=PackageLoader("benchmarks", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["shown"] = shown
    environment.filters["p_shown"] = p_shown
    environment.filters["brief"] = brief
    environment.globals["titles"] = TITLES
    environment.globals["ramp"] = ramp_css()
    environment.globals["metrics_of"] = metrics_of
    environment.globals["is_percent"] = is_percent
    return environment


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page whole or not at all. Charts and drawings are markup of our own making (`markupsafe.Markup`)."""
    text = _environment().get_template(template).render(**values)
    with whole(path) as temporary:
        temporary.write_text(text, "utf-8")
