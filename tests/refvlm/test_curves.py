"""Learning curves: what is read is what the run wrote, and what is drawn is where it should be."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from refvlm.chart import Panel, figure
from refvlm.cli import InputError, app
from refvlm.curves import RunError, read_numbers, read_run


def write_results(path: Path, numbers: dict[str, float | None]) -> None:
    suites = [{"suite": "rec", "numbers": numbers}, {"suite": "rec", "numbers": {"Acc@.5": 0.25}}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"suites": suites}), encoding="utf-8")


class Nesting(HTMLParser):
    """Counts elements that are opened and not closed by their own name."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return  # <path/> opens nothing

    def handle_endtag(self, tag: str) -> None:
        self.wrong += not self.open or self.open.pop() != tag


def closed(svg: str) -> bool:
    """Whether every element of an SVG is closed, in order."""
    reader = Nesting()
    reader.feed(svg)
    return svg.startswith("<svg ") and not reader.open and not reader.wrong


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 240 steps of ten dialogues each, scored before the first step and after the 120th."""
    folder = tmp_path / "run"
    folder.mkdir()
    lines: list[object] = []
    for step in range(240):
        losses = {"llm": 4.0 if step < 120 else 2.0, "box.where": 1.0} | ({"keypoint.oks": 0.5} if step == 7 else {})
        lines.append({"step": step, "losses": losses, "photos": 4 * (step + 1), "dialogues": 10 * (step + 1)})
        if step == 120:
            lines.append({"step": 120, "scores": {"rec/Acc@.5": 0.5}})
    (folder / "losses.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    write_results(folder / "evaluation" / "00000000" / "results.json", {"Acc@.5": 0.05, "mIoU": None})
    write_results(folder / "evaluation" / "00000120" / "results.json", {"Acc@.5": 0.55})
    return folder


def test_curves_are_means_over_steps_against_dialogues(run: Path) -> None:
    found = read_run(run)
    assert (found.steps, found.photos, found.seen) == (240, 960, 2400)
    assert found.losses["llm"][0] == (20.0, 4.0)
    assert found.losses["llm"][-1] == (2400.0, 2.0)
    assert found.losses["keypoint.oks"] == [(80.0, 0.5)], "a mean over the steps that had it"
    assert found.scores["rec/Acc@.5"] == [(0.0, pytest.approx(0.15)), (1200.0, pytest.approx(0.4))]


def test_a_picture_puts_more_higher_and_later_further_right() -> None:
    text = figure([Panel("a <b>", {"": [(0, 0.1), (50, 0.5), (100, 0.9)]}, {"guess": 0.3})], "dialogues")
    assert closed(text)
    assert "a &lt;b&gt;" in text
    assert ">guess<" in text
    (line,) = re.findall(r'polyline points="([^"]+)"', text)
    points = [tuple(map(float, pair.split(","))) for pair in line.split()]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)


def test_pages_and_pictures_come_from_the_command(run: Path, tmp_path: Path) -> None:
    write_results(tmp_path / "centre.json", {"Acc@.5": 0.11})
    for name in ("page.html", "picture.svg"):
        done = CliRunner().invoke(
            app, ["curves", str(run), "--out", str(tmp_path / name), "--level", f"centre={tmp_path / 'centre.json'}"]
        )
        assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "240 steps, 960 photos, 2,400 dialogues" in page
    assert "<td>0.400</td><td>0.180</td>" in page
    assert closed((tmp_path / "picture.svg").read_text(encoding="utf-8"))


def test_what_is_no_run_is_said_in_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no losses\.jsonl"):
        read_run(tmp_path)
    (run / "losses.jsonl").write_text('{"step": 0, "losses": 3}\n', encoding="utf-8")
    with pytest.raises(RunError, match="not the losses of a run"):
        read_run(run)
    (tmp_path / "bad.json").write_text("[]", encoding="utf-8")
    with pytest.raises(RunError, match="not a result file"):
        read_numbers(tmp_path / "bad.json")
    done = CliRunner().invoke(app, ["curves", str(tmp_path), "--out", str(tmp_path / "x.html")])
    assert isinstance(done.exception, InputError)
