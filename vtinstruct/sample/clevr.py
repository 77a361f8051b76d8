"""Writes the sample as CLEVR: questions with programs, and scenes with attributes, positions and directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import keyed, taken
from vtinstruct.sample._shot import Shot, write_json
from vtinstruct.sample.drawing.wording import plural

Step = tuple[str, list[int], list[str]]


class Clevr:
    """How many of a colour there are, whether there is something left of a thing, and what shape it has."""

    folder = "clevr"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._questions: dict[str, list[Any]] = {"train": [], "val": []}
        self._scenes: dict[str, list[Any]] = {"train": [], "val": []}

    def add(self, shot: Shot) -> None:
        """Take one scene without crowds: in CLEVR everything is told apart."""
        things = shot.scene.things
        if not taken(shot) or not things or any(thing.crowd for thing in things):
            return
        name = f"CLEVR_{shot.split}_{shot.index:06d}.jpg"
        shot.place_photo(self._root / "images" / shot.split / name)
        middles = [(thing.middle_x, (thing.box_xyxy[1] + thing.box_xyxy[3]) / 2) for thing in things]
        left = [[k for k, other in enumerate(middles) if other[0] < middle[0]] for middle in middles]
        right = [[k for k, other in enumerate(middles) if other[0] > middle[0]] for middle in middles]
        front = [[k for k, other in enumerate(things) if other.depth_m < thing.depth_m] for thing in things]
        behind = [[k for k, other in enumerate(things) if other.depth_m > thing.depth_m] for thing in things]
        head = {"image_index": shot.index, "image_filename": name, "split": shot.split}
        objects = [
            {
                "size": thing.size or "medium",
                "color": thing.colour,
                "material": thing.texture,
                "shape": thing.category,
                "pixel_coords": [round(x), round(y), thing.depth_m],
                "3d_coords": [0.0, 0.0, 0.0],
                "rotation": 0.0,
            }
            for thing, (x, y) in zip(things, middles, strict=True)
        ]
        relations = {"left": left, "right": right, "front": front, "behind": behind}
        self._scenes[shot.split].append({**head, "objects": objects, "relationships": relations, "directions": {}})
        for question, answer, program in _asked(shot, left):
            steps = [{"function": name, "inputs": inputs, "value_inputs": words} for name, inputs, words in program]
            row = {"question": question, "answer": answer, "program": steps, "question_family_index": 0}
            row["question_index"] = len(self._questions[shot.split])
            self._questions[shot.split].append({**head, **row})

    def finish(self) -> tuple[str, ...]:
        """Write questions and scenes of both splits."""
        splits = tuple(split for split, rows in self._questions.items() if rows)
        for split in splits:
            head = {"info": {"split": split, "version": "1.0"}}
            content = {**head, "questions": self._questions[split]}
            write_json(self._root / "questions" / f"CLEVR_{split}_questions.json", content)
            write_json(self._root / "scenes" / f"CLEVR_{split}_scenes.json", {**head, "scenes": self._scenes[split]})
        return splits


def _asked(shot: Shot, left: list[list[int]]) -> list[tuple[str, str, list[Step]]]:
    things = shot.scene.things
    thing = keyed(shot, "clevr").choice(things)
    count = sum(other.category == thing.category for other in things)
    kind, colour = ("filter_shape", [0], [thing.category]), ("filter_color", [0], [thing.colour])
    found: list[tuple[str, str, list[Step]]] = [
        (f"How many {plural(thing.category)} are there?", str(count), [("scene", [], []), kind, ("count", [1], [])]),
        (
            f"Are there more {thing.colour} things than {plural(thing.category)}?",
            "yes" if sum(other.colour == thing.colour for other in things) > count else "no",
            [("scene", [], []), colour, ("count", [1], []), ("scene", [], []), ("filter_shape", [3], [thing.category]),
             ("count", [4], []), ("greater_than", [2, 5], [])],
        ),
    ]  # fmt: skip
    same_colour = [k for k, other in enumerate(things) if other.colour == thing.colour]
    if len(same_colour) == 1:
        start: list[Step] = [("scene", [], []), colour, ("unique", [1], [])]
        found.append((f"What shape is the {thing.colour} thing?", thing.category, [*start, ("query_shape", [2], [])]))
        beside = left[same_colour[0]]
        found.append(
            (
                f"Is there anything left of the {thing.colour} thing?",
                "yes" if beside else "no",
                [*start, ("relate", [2], ["left"]), ("exist", [3], [])],
            )
        )
    return found


WRITER = Clevr
