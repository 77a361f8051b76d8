"""The drawn scenes: what a scene says of itself holds in its own pixels, and the same numbers give the same bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from vtinstruct.sample._outlines import outlines
from vtinstruct.sample.drawing.backdrops import STUFF
from vtinstruct.sample.drawing.wording import NUMBERS, plural
from vtinstruct.sample.scenes import CATEGORIES, EMPTY_EVERY, Scene, draw_scene

SEED, COUNT = 5, 60


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(SEED, index) for index in range(COUNT)]


def digest(scene: Scene) -> str:
    found = hashlib.sha256()
    for part in (scene.photo, scene.stuff, scene.depth_m, *(thing.mask for thing in scene.things)):
        found.update(np.ascontiguousarray(part).tobytes())
    found.update(repr([(t.category, t.colour, t.pose, t.box_xyxy, t.depth_m) for t in scene.things]).encode())
    found.update(repr((scene.captions, scene.expressions)).encode())
    return found.hexdigest()


def test_the_same_numbers_give_the_same_scene_alone_or_in_company(scenes: list[Scene]) -> None:
    again = [draw_scene(SEED, index) for index in reversed(range(COUNT))][::-1]
    assert [digest(scene) for scene in again] == [digest(scene) for scene in scenes]
    assert len({digest(scene) for scene in scenes}) == COUNT
    assert digest(draw_scene(SEED + 1, 0)) != digest(scenes[0])


def test_another_process_draws_the_same(scenes: list[Scene]) -> None:
    code = f"import sys; from vtinstruct.sample.scenes import draw_scene; sys.stdout.write(draw_scene({SEED}, 3).photo.tobytes().hex())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == scenes[3].photo.tobytes().hex()


def test_masks_and_stuff_cover_every_pixel_once(scenes: list[Scene]) -> None:
    for scene in scenes:
        covered = (scene.stuff > 0).astype(int)
        for thing in scene.things:
            covered += thing.mask
        assert (covered == 1).all()
        assert scene.photo.shape == (120, 160, 3)
        assert int(scene.stuff.max()) <= len(STUFF)


def test_boxes_bound_the_masks_and_things_can_be_seen(scenes: list[Scene]) -> None:
    for thing in (thing for scene in scenes for thing in scene.things):
        rows, columns = np.flatnonzero(thing.mask.any(1)), np.flatnonzero(thing.mask.any(0))
        assert thing.box_xyxy == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert min(rows.size, columns.size) >= 9
        assert thing.category in CATEGORIES


def test_joints_lie_on_the_person_or_behind_what_hides_it(scenes: list[Scene]) -> None:
    people = [(scene, thing) for scene in scenes for thing in scene.things if thing.keypoints_xyv is not None]
    assert len(people) > 20
    states = {0: 0, 1: 0, 2: 0}
    for scene, thing in people:
        assert thing.category == "person"
        assert thing.keypoints_xyv is not None
        nearer = [other for other in scene.things if other.depth_m < thing.depth_m]
        for x, y, v in thing.keypoints_xyv:
            states[int(v)] += 1
            if v == 0:
                assert (x, y) == (0, 0)
                continue
            column, row = int(x), int(y)
            assert 0 <= column < 160
            assert 0 <= row < 120
            on_person = thing.mask[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].any()
            if v == 2:
                assert on_person
            else:  # hidden by a nearer thing, or by the person's own head seen from behind
                assert on_person or any(other.mask[row, column] for other in nearer)
    assert min(states.values()) > 0, "all three states are drawn"


def test_nearer_things_hide_farther_ones_and_depth_says_so(scenes: list[Scene]) -> None:
    for scene in scenes:
        depths = [thing.depth_m for thing in scene.things]
        assert depths == sorted(depths, reverse=True)
        known = scene.depth_m[scene.depth_m > 0]
        assert known.min() >= 0.5
        assert known.max() <= 10.0
        assert 0 < (scene.depth_m == 0).mean() < 0.05
        for thing in scene.things:
            inside = scene.depth_m[thing.mask & (scene.depth_m > 0)]
            assert abs(float(np.median(inside)) - thing.depth_m) < 0.3


def test_the_collection_is_varied(scenes: list[Scene]) -> None:
    things = [thing for scene in scenes for thing in scene.things]
    assert {thing.category for thing in things} == set(CATEGORIES)
    assert {scene.place for scene in scenes} == {"room", "meadow", "beach"}
    assert any(thing.crowd for thing in things)
    with_people = sum(any(thing.category == "person" for thing in scene.things) for scene in scenes)
    assert 0.35 < with_people / COUNT < 0.65
    for index, scene in enumerate(scenes):
        assert (scene.things == ()) == (index % EMPTY_EVERY == EMPTY_EVERY - 1)
        assert len(scene.things) <= 7


def test_captions_are_five_different_sentences_about_what_is_there(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert len(set(scene.captions)) == 5
        for caption in scene.captions:
            assert caption[0].isupper()
            assert caption.endswith(".")
            assert "  " not in caption
            if caption.startswith("No people"):
                assert not scene.things
                continue
            words = set(caption.lower().rstrip(".").replace(",", "").split())
            for category in CATEGORIES:
                if words & {category, plural(category)}:
                    assert any(thing.category == category for thing in scene.things), caption


def test_expressions_mean_what_they_say(scenes: list[Scene]) -> None:
    """An independent reading of the words that can be read without the generator: kind, colour, side, number."""
    kinds = {word: kind for kind in CATEGORIES for word in (kind, plural(kind))}
    said = 0
    for scene in scenes:
        assert len({one.text for one in scene.expressions}) == len(scene.expressions)
        for one in scene.expressions:
            assert all(not scene.things[k].crowd for k in one.targets)
            words = one.text.split()
            kind = next(kinds[word] for word in words if word in kinds)
            targets = [scene.things[k] for k in one.targets]
            same = [thing for thing in scene.things if thing.category == kind]
            if not targets:
                assert one.text in (f"the {kind}",) or f"{kind} in a " in one.text or len(words) == 3
                assert not same or all(thing.colour not in words for thing in same)
                continue
            said += 1
            assert kind in {target.category for target in targets}
            if one.text in (f"the {kind}", kind):
                assert same == targets
            if one.text in (f"left {kind}", f"leftmost {kind}", f"the {kind} on the left"):
                assert targets[0].middle_x == min(thing.middle_x for thing in same)
            if one.text in (f"the {kind} closest to the camera", f"the nearest {kind}"):
                assert targets[0].depth_m == min(thing.depth_m for thing in same)
            for number, name in enumerate(NUMBERS):
                if one.text == f"the {name} {plural(kind)}":
                    assert len(targets) == len(same) == number
    assert said > 300


def test_outlines_rasterise_to_the_very_same_pixels(scenes: list[Scene]) -> None:
    from pycocotools import mask as coco_mask

    rng = np.random.default_rng(0)
    masks = [thing.mask for scene in scenes[:25] for thing in scene.things]
    masks += [rng.random((9, 12)) < share for share in np.linspace(0.05, 0.98, 150)]
    parts = 0
    for mask in (mask for mask in masks if mask.any()):
        polygons = outlines(mask)
        parts += len(polygons) > 1
        native = coco_mask.merge(coco_mask.frPyObjects(polygons, *mask.shape))
        assert (coco_mask.decode(native) == mask).all()
    assert parts > 10
