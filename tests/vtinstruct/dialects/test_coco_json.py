"""Results as detectors write them: COCO's own list, in pixels."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.vtinstruct.dialects.said import heard
from vtinstruct.dialect import NotSayable, Spoken, dialect_named
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.geometry import encode_mask, polygons_to_rle
from vtinstruct.units import Box, Keypoints, Mask, Point

DOG = '{"category_name": "dog", "bbox": [10, 20, 30, 40], "score": 0.5}'
RLE = encode_mask(np.eye(3, 4, dtype=np.uint8))
ANSWERS: list[tuple[str, str, list[Any], list[str]]] = [
    # a list; one class twice
    (f"[{DOG}, {DOG}]", "{dog|box|2}", [(10, 20, 40, 60), (10, 20, 40, 60)], []),
    # one object alone
    (DOG, "{dog|box|1}", [(10, 20, 40, 60)], []),
    # no detection
    ("[]", "", [], []),
    # words
    ("nothing", "nothing", [], []),
    # words in brackets
    ("[sic] a dog", "[sic] a dog", [], ["unreadable"]),
    # a class of unknown number
    ('[{"category_id": 999, "bbox": [1, 2, 3, 4]}]', "{category 999|box|1}", [(1, 2, 4, 6)], []),
    # no class at all
    ('[{"bbox": [1, 2, 3, 4]}]', "{object|box|1}", [(1, 2, 4, 6)], []),
    # cut off in the second object; behind the first
    (f'[{DOG}, {{"category_name": "cat", "bbox": [1,', "{dog|box|1}", [(10, 20, 40, 60)], ["truncated"]),
    (f"[{DOG},", "{dog|box|1}", [(10, 20, 40, 60)], ["truncated"]),
    # broken in the midst: what follows stays as words
    (f"[{DOG}, {{dog}}, {DOG}]", f"{{dog|box|1}}{{dog}}, {DOG}]", [(10, 20, 40, 60)], ["unreadable"]),
    # three numbers, a negative width, NaN, too far
    ('[{"category_name": "dog", "bbox": [1, 2, 3]}]', "{dog|box|1}", [None], ["unreadable"]),
    ('[{"category_name": "dog", "bbox": [1, 2, -3, 4]}]', "{dog|box|1}", [None], ["swapped corners"]),
    ('[{"category_name": "dog", "bbox": [NaN, 2, 3, 4]}]', "{dog|box|1}", [None], ["unreadable"]),
    ('[{"category_name": "dog", "bbox": [1e300, 2, 3, 4]}]', "{dog|box|1}", [None], ["beyond the grid"]),
    # whole numbers that no float holds
    (f'[{{"category_name": "dog", "bbox": [1{"0" * 400}, 2, 3, 4]}}]', "{dog|box|1}", [None], ["unreadable"]),
    (f'[{{"category_name": "dog", "bbox": [1, 2, 3, 4], "score": 1{"0" * 400}}}]', "{dog|box|1}", [(1, 2, 4, 6)], []),
    # an object without geometry
    ('[{"category_name": "dog"}]', '{"category_name": "dog"}', [], ["unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "units", "faults"), ANSWERS)
def test_answers(text: str, parts: str, units: list[Any], faults: list[str]) -> None:
    assert heard("coco_json", text) == (parts, units, faults)


def test_numbers_of_classes_take_the_sources_names() -> None:
    text = '[{"category_id": 18, "bbox": [1, 2, 3, 4]}]'
    assert heard("coco_json", text, classes={18: "dog"})[0] == "{dog|box|1}"


def test_scores_go_with_their_objects_also_when_classes_are_put_together() -> None:
    objects = [{"category_name": n, "bbox": [i, 0, 1, 1], "score": i / 8} for i, n in enumerate(("a", "b", "a"))]
    found = dialect_named("coco_json").read(Spoken(json.dumps(objects), (10, 10)))
    assert [(t.concept, [r.score for r in t.references]) for t in found.triplets()] == [
        ("a", [0.0, 0.25]),
        ("b", [0.125]),
    ]


def test_masks_as_compressed_runs_as_runs_and_as_polygons() -> None:
    runs = [0, 1, 3, 1, 3, 1, 3]
    polygon = [0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]
    for segmentation, expected in (
        ({"size": [3, 4], "counts": RLE.counts.decode()}, Mask(RLE)),
        ({"size": [3, 4], "counts": runs}, Mask(RLE)),
        ([polygon], Mask(polygons_to_rle([polygon], (4, 3)))),
        ({"size": [4, 3], "counts": runs}, None),
        ({"size": [3, 4], "counts": [1, 2]}, None),
        ([[1.0, 2.0]], None),
        ("0<", None),
    ):
        text = json.dumps([{"category_name": "dog", "segmentation": segmentation}])
        faults = [] if expected else ["unreadable"]
        assert heard("coco_json", text, (4, 3)) == ("{dog|mask|1}", [expected], faults)


def test_an_object_is_read_as_the_unit_that_is_asked_for() -> None:
    both = json.dumps(
        [
            {
                "category_name": "dog",
                "bbox": [0, 0, 1, 1],
                "segmentation": {"size": [3, 4], "counts": RLE.counts.decode()},
            }
        ]
    )
    assert heard("coco_json", both, (4, 3))[0] == "{dog|mask|1}"
    assert heard("coco_json", both, (4, 3), wanted="box") == ("{dog|box|1}", [(0, 0, 1, 1)], [])


def test_poses() -> None:
    text = '[{"category_name": "person", "keypoints": [1, 2, 2, 3, 4, 0.9]}]'
    (reference,) = dialect_named("coco_json").read(Spoken(text, (9, 9))).references
    assert reference.unit == Keypoints(((1.0, 2.0, 2), (3.0, 4.0, 2)))


def test_written_list() -> None:
    dialect = dialect_named("coco_json")
    parts = (
        Triplet("dog", "box", (Reference(Box((1.0, 2.0, 4.0, 6.0)), 0.5), Reference(Box((0.0, 0.0, 1.0, 1.0))))),
        ".",
    )
    assert json.loads(dialect.render(parts, (9, 9))) == [
        {"category_name": "dog", "bbox": [1.0, 2.0, 3.0, 4.0], "score": 0.5},
        {"category_name": "dog", "bbox": [0.0, 0.0, 1.0, 1.0]},
    ]
    with pytest.raises(NotSayable, match="a point has no form"):
        dialect.render((Triplet("dog", "point", (Reference(Point((1.0, 2.0))),)),), (9, 9))
