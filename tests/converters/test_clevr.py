"""CLEVR: programs run on scenes; the answers are the file's, and the points are those of the objects meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from converters._clevr_program import Step, World, run
from converters._notes import Fault
from tests.converters.language import facts, read, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.source import SourceError

NAME = "clevr"
LOOKS = [("large", "red", "metal", "cube"), ("small", "red", "rubber", "sphere"), ("large", "blue", "metal", "cube")]
OBJECTS = [
    {
        "size": size,
        "color": color,
        "material": material,
        "shape": shape,
        "pixel_coords": [10 * n + 5, 20, 9.5],
        "rotation": 1.0,
    }
    for n, (size, color, material, shape) in enumerate(LOOKS)
]
RELATIONS = {"left": [[], [0], [0, 1]], "right": [[1, 2], [2], []], "front": [[], [], []], "behind": [[], [], []]}
SCENE = {"image_index": 0, "image_filename": "CLEVR_val_000000.png", "objects": OBJECTS, "relationships": RELATIONS}
WORLD = World([dict(zip(("size", "color", "material", "shape"), look, strict=True)) for look in LOOKS], RELATIONS)


def steps(*program: tuple[str, list[int], str]) -> list[Step]:
    return [Step(function, inputs, word) for function, inputs, word in program]


SCENE_STEP = ("scene", [], "")
BLUE = (SCENE_STEP, ("filter_color", [0], "blue"), ("unique", [1], ""))


@pytest.mark.parametrize(
    ("program", "answer", "evidence"),
    [
        ((SCENE_STEP, ("count", [0], "")), "3", (0, 1, 2)),
        ((SCENE_STEP, ("filter_color", [0], "red"), ("count", [1], "")), "2", (0, 1)),
        ((SCENE_STEP, ("filter_color", [0], "green"), ("exist", [1], "")), "no", ()),
        ((*BLUE, ("query_shape", [2], "")), "cube", (2,)),
        ((*BLUE, ("same_shape", [2], ""), ("count", [3], "")), "1", (0,)),
        ((*BLUE, ("relate", [2], "left"), ("filter_shape", [3], "sphere"), ("exist", [4], "")), "yes", (1,)),
        ((SCENE_STEP, ("filter_color", [0], "red"), ("filter_shape", [0], "cube"), ("union", [1, 2], ""), ("count", [3], "")),
         "3", (0, 1, 2)),
        ((SCENE_STEP, ("filter_color", [0], "red"), ("filter_shape", [0], "cube"), ("intersect", [1, 2], ""),
          ("unique", [3], ""), ("query_size", [4], "")), "large", (0,)),
        ((SCENE_STEP, ("filter_color", [0], "red"), ("count", [1], ""), SCENE_STEP, ("filter_color", [3], "blue"),
          ("count", [4], ""), ("greater_than", [2, 5], "")), "yes", (0, 1, 2)),
        ((*BLUE, ("query_size", [2], ""), SCENE_STEP, ("filter_shape", [4], "sphere"), ("unique", [5], ""),
          ("query_size", [6], ""), ("equal_size", [3, 7], "")), "no", (2, 1)),
    ],
)  # fmt: skip
def test_programs(program: Any, answer: str, evidence: tuple[int, ...]) -> None:
    outcome = run(steps(*program), WORLD)
    assert (outcome.answer, outcome.evidence) == (answer, evidence)


def test_the_reason_says_the_steps() -> None:
    program = steps(*BLUE, ("relate", [2], "left"), ("filter_shape", [3], "sphere"), ("count", [4], ""))
    assert run(program, WORLD).reason == (
        "Of 3, 1 object is blue. Then 2 objects are to the left of it. Of 2, 1 object is a sphere. That makes 1."
    )


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ((), "program: empty"),
        ((SCENE_STEP,), "program: no answer"),
        ((SCENE_STEP, ("count", [1], "")), "program: inputs"),
        ((SCENE_STEP, ("count", [-1], "")), "program: inputs"),
        ((SCENE_STEP, ("count", [], "")), "program: inputs"),
        ((SCENE_STEP, ("count", [0], ""), ("exist", [1], "")), "program: inputs"),
        ((SCENE_STEP, ("greater_than", [0, 0], "")), "program: inputs"),
        ((SCENE_STEP, ("unique", [0], "")), "program: not one object"),
        ((*BLUE, ("relate", [2], "above")), "program: unknown relation"),
        ((SCENE_STEP, ("filter_taste", [0], "sweet")), "program: unknown function"),
        ((SCENE_STEP, ("__import__", [0], "os")), "program: unknown function"),
    ],
)
def test_programs_that_cannot_run(program: Any, reason: str) -> None:
    with pytest.raises(Fault) as caught:
        run(steps(*program), WORLD)
    assert caught.value.reason == reason


def folder(root: Path, questions: list[Any], scenes: Any = (SCENE,)) -> Path:
    for name, content in (("questions", questions), ("scenes", list(scenes))):
        (root / name).mkdir(exist_ok=True)
        (root / name / f"CLEVR_val_{name}.json").write_text(json.dumps({"info": {}, name: content}))
    tiny_photo(root / "images" / "val" / "CLEVR_val_000000.png", (48, 32))
    return root


def question(index: int, answer: Any, *program: tuple[str, list[int], str]) -> dict[str, Any]:
    rows = [
        {"function": name, "inputs": inputs, "value_inputs": [word] if word else []} for name, inputs, word in program
    ]
    return {
        "image_filename": "CLEVR_val_000000.png",
        "question": "What?",
        "question_index": index,
        "answer": answer,
        "program": rows,
    }


COUNT = (SCENE_STEP, ("filter_color", [0], "red"), ("count", [1], ""))


def test_sample(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "val")
    assert facts(NAME, root, splits) == set(plugins.load("converters", NAME).offers)
    for split in splits:
        rows = json.loads((root / "questions" / f"CLEVR_{split}_questions.json").read_text())["questions"]
        records, drops = read(NAME, root, split)
        assert drops == []
        found = {int(q.id): q.answers[0].text for record in records for q in record.questions}
        assert found == {row["question_index"]: row["answer"] for row in rows}


def test_points(tmp_path: Path) -> None:
    (record,), drops = read(NAME, folder(tmp_path, [question(0, "2", *COUNT)]), "val")
    assert drops == []
    assert record.photo is not None
    assert record.photo.id == "clevr:CLEVR_val_000000"
    assert record.questions[0].answers[0].spans[0].points_xy == ((5.0, 20.0), (15.0, 20.0))
    assert record.questions[0].kind == "count"
    assert [(region.category, region.attributes) for region in record.regions][1] == (
        "sphere",
        ("small", "red", "rubber"),
    )


def test_a_program_that_disagrees_gives_no_points(tmp_path: Path) -> None:
    rows = [question(0, "3", *COUNT), question(1, 2, *COUNT), question(2, True, ("scene", [], ""), ("exist", [0], ""))]
    (record,), drops = read(NAME, folder(tmp_path, rows), "val")
    assert [(drop.row, drop.reason, drop.repaired) for drop in drops] == [
        ("question 0", "program: another answer", True)
    ]
    assert [(q.answers[0].text, q.reason is None) for q in record.questions] == [
        ("3", True),
        ("2", False),
        ("yes", False),
    ]


def test_bad_rows_cost_themselves(tmp_path: Path) -> None:
    objects = [*OBJECTS[:2], {**OBJECTS[2], "pixel_coords": [481, 10, 1]}]
    rows = [
        question(0, "2", *COUNT), question(0, "2", *COUNT), {**question(1, "2", *COUNT), "question": " "},
        question(2, " ", *COUNT), question(3, "3", SCENE_STEP, ("count", [0], "")), {"question_index": 4},
        {**question(5, "2", *COUNT), "image_filename": "CLEVR_val_000001.png"},
    ]  # fmt: skip
    (record,), drops = read(NAME, folder(tmp_path, rows, [{**SCENE, "objects": objects}]), "val")
    assert [q.id for q in record.questions] == ["0", "3"]
    assert sorted(drop.reason for drop in drops) == [
        "photo: missing", "point: outside the photo", "question: empty", "question: id twice", "question: no answer",
        "row: unreadable",
    ]  # fmt: skip


def test_test_split_and_missing_scenes(tmp_path: Path) -> None:
    row = question(0, "2", *COUNT)
    root = folder(tmp_path, [row, {key: row[key] for key in ("image_filename", "question")} | {"question_index": 1}])
    (root / "scenes" / "CLEVR_val_scenes.json").unlink()
    (record,), drops = read(NAME, root, "val")
    assert drops == []
    assert [[answer.text for answer in q.answers] for q in record.questions] == [["2"], []]
    assert record.regions == ()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"questions/CLEVR_test_questions\.json"):
        plugins.load("converters", NAME).open(tmp_path, "test")


@pytest.mark.parametrize("base", ["", "CLEVR_CoGenT_v1.0/"])
def test_cogent_has_two_conditions(tmp_path: Path, base: str) -> None:
    program = [
        {"function": "scene", "inputs": [], "value_inputs": []},
        {"function": "count", "inputs": [0], "value_inputs": []},
    ]
    for split in ("trainA", "valB", "testB"):
        name = f"CLEVR_{split}_000000.png"
        row = {"image_filename": name, "question": "How many things are there?", "question_index": 0}
        row |= {} if split == "testB" else {"answer": "3", "program": program}
        for folder, key, content in (
            ("questions", "questions", row),
            ("scenes", "scenes", SCENE | {"image_filename": name}),
        ):
            (tmp_path / f"{base}{folder}").mkdir(parents=True, exist_ok=True)
            (tmp_path / f"{base}{folder}/CLEVR_{split}_{key}.json").write_text(json.dumps({key: [content]}))
        tiny_photo(tmp_path / f"{base}images/{split}/{name}", (60, 40))
    assert plugins.load("converters", NAME).find(tmp_path) == ("trainA", "valB", "testB")
    for split in ("trainA", "valB", "testB"):
        (record,), drops = read(NAME, tmp_path, split)
        assert drops == []
        assert len(record.regions) == 3
        assert [answer.text for answer in record.questions[0].answers] == ([] if split == "testB" else ["3"])
