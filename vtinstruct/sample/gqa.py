"""Writes the sample as GQA: balanced questions tied to the objects of scene graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import absent_category, keyed, named, positions_by_category, taken
from vtinstruct.sample._shot import Shot, write_json
from vtinstruct.sample._vg import object_rows
from vtinstruct.sample.drawing.wording import with_article


class Gqa:
    """Presence, colour and place of things that are the only ones of their kind."""

    folder = "gqa"

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._questions: dict[str, dict[str, Any]] = {"train": {}, "val": {}}
        self._graphs: dict[str, dict[str, Any]] = {"train": {}, "val": {}}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        if not taken(shot):
            return
        shot.place_photo(self._root / "images" / f"{shot.image_id}.jpg")
        width, height = shot.size_wh
        objects: dict[str, Any] = {
            str(row["object_id"]): {
                "name": row["names"][0],
                **{side: row[side] for side in ("x", "y", "w", "h")},
                "attributes": row["attributes"],
                "relations": [],
            }
            for row in object_rows(shot)
        }
        graph: dict[str, Any] = {"width": width, "height": height, "location": shot.scene.place, "objects": objects}
        self._graphs[shot.split][str(shot.image_id)] = graph
        for n, row in enumerate(_questions(shot)):
            self._questions[shot.split][f"{shot.index * 40 + n:08d}"] = row

    def finish(self) -> tuple[str, ...]:
        """Write questions and scene graphs of both parts."""
        parts = tuple(part for part, rows in self._questions.items() if rows)
        for part in parts:
            write_json(self._root / "questions1.2" / f"{part}_balanced_questions.json", self._questions[part])
            write_json(self._root / "sceneGraphs" / f"{part}_sceneGraphs.json", self._graphs[part])
        return tuple(f"{part}_balanced" for part in parts)


def _questions(shot: Shot) -> list[dict[str, Any]]:
    missing = absent_category(shot, keyed(shot, "gqa"))
    rows = [_row(shot, f"Is there {with_article(missing)}?", "no", f"No, there is no {missing}.", "verify", "exist")]
    for category, positions in positions_by_category(shot).items():
        if len(positions) != 1:
            continue
        thing, id_ = shot.scene.things[positions[0]], str(shot.annotation_id(positions[0]))
        here = f"Yes, there is {with_article(named(thing))}."
        last = str(len(here.split()) - 1)
        if category != "person":  # "the red ball": two words, the object's own name last
            rows.append(
                _row(shot, f"Do you see the {category} in the picture?", "yes", here, "verify", "exist",
                     {"4": id_}, {}, {f"4:{int(last) + 1}": id_})
            )  # fmt: skip
            rows.append(
                _row(shot, f"What is the color of the {category}?", thing.colour,
                     f"The {category} is {thing.colour}.", "query", "directOf", {"6": id_}, {}, {"1": id_})
            )  # fmt: skip
        else:
            rows.append(
                _row(shot, "Who can be seen here?", "person", "The person can be seen here.", "query", "categoryThat",
                     {}, {"0": id_}, {"1": id_})
            )  # fmt: skip
    return rows


def _row(
    shot: Shot,
    question: str,
    answer: str,
    full: str,
    structural: str,
    detailed: str,
    of_question: dict[str, str] | None = None,
    of_answer: dict[str, str] | None = None,
    of_full: dict[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "semantic": [],
        "entailed": [],
        "equivalent": [],
        "question": question,
        "imageId": str(shot.image_id),
        "isBalanced": True,
        "groups": {"global": None, "local": ""},
        "answer": answer,
        "semanticStr": "",
        "annotations": {"answer": of_answer or {}, "question": of_question or {}, "fullAnswer": of_full or {}},
        "types": {"detailed": detailed, "semantic": "obj", "structural": structural},
        "fullAnswer": full,
    }


WRITER = Gqa
