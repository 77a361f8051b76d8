"""What the documentation shows must run: every Python block of docs and README is executed as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from benchmarks.cli import app as bench
from vtinstruct import plugins
from vtinstruct.cli import app as build
from vtinstruct.dialect import TEXT_FAULTS, UNIT_FAULTS, dialects

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    (page, text)
    for page in PAGES
    if page.exists()
    for text in re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.M | re.S)
]


@pytest.mark.parametrize(
    ("page", "text"), BLOCKS, ids=[f"{page.name}-{index}" for index, (page, _) in enumerate(BLOCKS)]
)
def test_python_blocks_run(page: Path, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(text, f"{page.name}", "exec"), {})


def shown_commands(program: str) -> list[tuple[str, str, list[str]]]:
    """Page, subcommand and options of every line in a code block that starts a program, what its remark names included."""
    blocks = [
        (page.name, text)
        for page in PAGES
        for text in re.findall(r"^```(?:bash)?\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    ]
    return [
        (page, line.split()[1], re.findall(r"--[a-z][a-z-]*", line))
        for page, text in blocks
        for line in text.replace("\\\n", " ").splitlines()
        if line.startswith(f"{program} ")
    ]


@pytest.mark.parametrize(("program", "app"), [("refvlm-bench", bench), ("vtinstruct", build)])
def test_commands_and_options_that_pages_show_exist(program: str, app: typer.Typer) -> None:
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    shown = shown_commands(program)
    assert len(shown) > 10
    for page, name, options in shown:
        assert name in commands, f"{page}: {program} {name}"
        known = {option for one in commands[name].params for option in (*one.opts, *one.secondary_opts)}
        assert set(options) <= known, f"{page}: {program} {name} {sorted(set(options) - known)}"
    if program == "refvlm-bench":
        assert {name for _, name, _ in shown} >= commands.keys() - {"dialects"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_every_source_has_a_page_and_a_line_in_the_index() -> None:
    index = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    for name in plugins.names("converters"):
        page = (ROOT / "docs" / "sources" / f"{name}.md").read_text(encoding="utf-8")
        for part in (
            r"\*\*Where (it comes )?from",
            r"\*\*Licence",
            "```",
            r"\*\*(What is r|R)ead",
            r"\*\*(What is d|D)ropped",
        ):
            assert re.search(part, page), f"docs/sources/{name}.md has no {part}"
        assert "faults of the original" in page, f"docs/sources/{name}.md does not say what is wrong with the original"
        source = plugins.load("converters", name)
        row = f"| [`{name}`](sources/{name}.md) | {source.title} | {source.licence} | {', '.join(source.splits)} |"
        assert row in index, f"docs/sources.md has another row for {name}"


def test_every_dialect_and_every_fault_has_its_row() -> None:
    page = (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8")
    for one in dialects():
        row = (
            f"`{one.name}`",
            one.title,
            one.coordinates,
            ", ".join(one.reads),
            ", ".join(one.writes) or "-",
            one.lost,
        )
        row = f"| {' | '.join((*row, one.source))} |"
        assert row.replace("<", "\\<") in page, f"docs/dialects.md has another row for {one.name}: {row}"
    for faults in (TEXT_FAULTS, UNIT_FAULTS):
        kind = "unit" if faults is UNIT_FAULTS else "dialect"
        for name, meaning in faults.items():
            assert f"| `{kind}: {name}` | {meaning} |" in page


def test_every_task_has_its_row() -> None:
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    for name in plugins.names("vtinstruct.tasks"):
        task = plugins.load("vtinstruct.tasks", name)
        needs = " or ".join(" + ".join(sorted(facts)) for facts in (task.needs, *task.or_needs))
        prompts = ", ".join(task.prompts) or "none"
        row = f"| {task.number} | `{name}` | {task.inputs} | {task.outputs} | {prompts} | {needs} |"
        assert row in page, f"docs/tasks.md has another row for {name}"
