"""The import table: who may import whom. Reads every import of every file, so breaking it is said by name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "vtinstruct": {"vtinstruct"},
    "converters": {"vtinstruct", "converters"},
    "refvlm": {"vtinstruct", "refvlm"},
    "benchmarks": {"vtinstruct", "benchmarks"},
}
TORCH = {"torch", "transformers", "deepspeed", "accelerate", "safetensors"}


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """The top names a file imports, absolute; with `top_level_only`, those that run when the file is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy: set[ast.AST] = set()
    if top_level_only:
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lazy.update(ast.walk(node))
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in lazy:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the room"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_import_only_what_the_table_allows(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files, f"room {room} is empty"
    for path in files:
        ours = imports(path) & set(ROOMS)
        assert ours <= ROOMS[room], f"{path.relative_to(ROOT)} imports {sorted(ours - ROOMS[room])}"


def test_vtinstruct_and_converters_never_name_torch() -> None:
    for room in ("vtinstruct", "converters"):
        for path in sorted((ROOT / room).rglob("*.py")):
            heavy = imports(path) & TORCH
            assert not heavy, f"{path.relative_to(ROOT)} imports {sorted(heavy)}"


def test_benchmarks_name_torch_only_inside_functions_of_models() -> None:
    for path in sorted((ROOT / "benchmarks").rglob("*.py")):
        heavy = imports(path, top_level_only="models" in path.parts) & TORCH
        assert not heavy, f"{path.relative_to(ROOT)} imports {sorted(heavy)}"


@pytest.mark.parametrize("module", ["vtinstruct.cli", "benchmarks.cli", "converters"])
def test_importing_a_front_door_loads_no_torch(module: str, tmp_path: Path) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"


def test_no_room_is_called_utils() -> None:
    forbidden = {"utils", "util", "misc", "common", "helpers"}
    named = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.stem in forbidden]
    assert named == []
