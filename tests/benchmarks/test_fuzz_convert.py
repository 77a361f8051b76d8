"""Answers in other models' formats, broken by the thousand: `convert` counts every line, keeps what is whole, and what it writes
can be scored. `VTINSTRUCT_FUZZ_ROUNDS` says how many files a dialect `pytest -m slow` has (40 without it)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.dataset import open_dataset
from benchmarks.results import read_results
from tests.benchmarks.road import bench, score
from tests.benchmarks.test_fuzz_answers import ROUNDS
from tests.damage import BYTES, changed, gathered, text_changed, written
from vtinstruct import plugins
from vtinstruct.answer_lines import Prediction
from vtinstruct.dialect import ROOM, Dialect, dialect_named
from vtinstruct.dialogue import Part, Triplet
from vtinstruct.prediction import read_predictions
from vtinstruct.units import Box, Mask, Point

NAMES = plugins.names(ROOM)


def answers_in(dialect: Dialect, data: Path) -> list[bytes]:
    """Every detection or mask of the dataset, said in a dialect, with all that may stand beside a text."""
    kind = dialect.writes[0] if dialect.writes else "box"
    dataset, splits = open_dataset(data)
    found: list[bytes] = []
    for truth in dataset.dialogues("seg" if kind == "mask" else "det", splits[0]):
        assert truth.photo is not None
        parts = truth.turns[-1].parts if kind != "point" else [pointed(part) for part in truth.turns[-1].parts]
        units = [reference.unit for part in parts if isinstance(part, Triplet) for reference in part.references]
        wire: dict[str, Any] = {"id": truth.id, "text": dialect.render(tuple(parts), truth.photo.size_wh)}
        if dialect.beside:
            rles = [unit.mask_rle for unit in units if isinstance(unit, Mask)]
            wire["masks"] = [{"size": list(rle.size_hw), "counts": rle.counts.decode()} for rle in rles]
        found.append(json.dumps(wire | {"scores": [0.5] * len(units), "input_wh": list(truth.photo.size_wh)}).encode())
    return found


def pointed(part: Part) -> Part:
    """A triplet of boxes as one of their first corners."""
    if not isinstance(part, Triplet):
        return part
    corners = [one.unit.box_xyxy[:2] for one in part.references if isinstance(one.unit, Box)]
    references = tuple(replace(one, unit=Point(xy)) for one, xy in zip(part.references, corners, strict=True))
    return replace(part, kind="point", references=references)


def broken(line: bytes, random: Random) -> bytes:
    if random.random() < 0.15:
        return random.choice(BYTES)(line, random).replace(b"\n", b" ")
    wire = json.loads(line)
    match random.randrange(6):
        case 0 | 1 | 2:
            for _ in range(random.randint(1, 4)):
                wire["text"] = text_changed(wire["text"], random)
        case 3 if wire.get("masks"):
            wire["masks"] = changed(wire["masks"], random)
        case 4:
            wire["form"] = random.choice(("", "x", None, 3, "boxes", "pixels"))
        case _:
            wire = changed(wire, random)
    return written(wire)


def converted(dialect: str, lines: Sequence[bytes], data: Path, folder: Path) -> tuple[Any, Path]:
    path, out = folder / "said.jsonl", folder / "predictions.jsonl"
    out.unlink(missing_ok=True)
    path.write_bytes(b"\n".join(lines))
    return bench("convert", path, "--dialect", dialect, "--data", data, "--out", out), out


def read(path: Path) -> dict[str, Prediction]:
    faults: list[str] = []
    found = list(read_predictions(path, lambda fault: faults.append(fault.reason)))
    assert len({one.id for one in found}) == len(found)
    assert set(faults) <= {reason for one in found for reason in one.faults}  # what is written reads back
    return {one.id: one for one in found}


def one_round(name: str, seed: int, data: Path, folder: Path) -> bool:
    """A file with half of its lines broken; whether it was converted."""
    random = Random(f"{name} {seed}")
    lines = answers_in(dialect_named(name), data)
    after = [broken(line, random) if random.random() < 0.6 else line for line in lines]
    done, out = converted(name, after, data, folder)
    assert "Traceback" not in done.output
    if done.exit_code:
        assert done.exit_code == 2, done.output
        assert done.stderr.startswith("refvlm-bench: ")
        assert done.stderr.count("\n") == 1
        assert not out.exists()
        assert not list(folder.glob(".*.part"))
        return False
    said = re.search(r"(\d+) answers with (\d+) units, (\d+) of them invalid; (\d+) lines left out", done.stdout)
    assert said, done.stdout
    answers, units, invalid, left_out = map(int, said.groups())
    assert answers + left_out == sum(bool(line) and not line.isspace() for line in after)
    assert done.stdout.count("left out line") == left_out
    found = read(out)
    assert (len(found), sum(len(one.references) for one in found.values())) == (answers, units)
    assert sum(bool(one.faults) for one in found.values()) == invalid
    assert all(one.faults for one in found.values() if any(reference.unit is None for reference in one.references))
    _, whole = converted(name, lines, data, folder)
    expected = read(whole)
    for line in after:
        if line in lines:
            assert found[json.loads(line)["id"]] == expected[json.loads(line)["id"]]
    converted(name, after, data, folder)
    assert score(out, data, folder / "scored", "--suite", "trp").exit_code == 0
    (trp,) = read_results(folder / "scored").suites
    assert trp.n - trp.missing == answers
    assert trp.invalid >= invalid
    return True


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_a_broken_file_is_counted(name: str, data: Path, tmp_path: Path) -> None:
    assert one_round(name, 0, data, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_many_broken_files_is_counted(name: str, data: Path, tmp_path: Path) -> None:
    failed = gathered(range(1, ROUNDS + 1), lambda seed: one_round(name, seed, data, tmp_path))
    assert not failed, "\n".join(failed)
