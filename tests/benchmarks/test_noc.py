"""Numbers of clicks: RITM's loop and rule, written out here, against ours; sessions that other tools saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # pyright: ignore[reportMissingTypeStubs]

from benchmarks.clicks import Click, session
from benchmarks.official import OfficialError, noc
from tests.benchmarks.road import bench

Bools = NDArray[np.bool_]
Session = tuple[Bools, Bools, list[Bools]]


def made_session(seed: int) -> Session:
    """An annotated mask, the pixels that do not count, and answers that get better."""
    rng = np.random.default_rng(seed)

    def cloud(smooth: float) -> Any:
        return ndimage.gaussian_filter(rng.normal(size=(40, 60)), smooth)  # pyright: ignore[reportUnknownMemberType]

    blob, level = cloud(5), 0.0
    ignored = cloud(3) > 0.15
    answers = [blob + cloud(4) * (2.0 - n / 10) > level for n in range(1, 21)]
    return (blob > level) & ~ignored, ignored, answers


def as_published(true: Bools, ignored: Bools, answers: list[Bools]) -> tuple[list[Click], list[float]]:
    """RITM's `Clicker._get_next_click`, `get_iou` and the loop of `evaluate_sample`, over answers known beforehand."""
    gt = np.where(ignored, -1, true.astype(int))
    not_clicked, pred = np.ones(gt.shape), np.zeros(gt.shape, dtype=bool)
    clicks, ious = list[Click](), list[float]()
    for answer in answers:
        fn, fp = (gt == 1) & ~pred & (gt != -1), (gt != 1) & pred & (gt != -1)
        fn_depth, fp_depth = (
            np.float32(ndimage.distance_transform_edt(np.pad(error, 1)))[1:-1, 1:-1] * not_clicked  # pyright: ignore
            for error in (fn, fp)
        )
        positive = fn_depth.max() > fp_depth.max()
        depth = fn_depth if positive else fp_depth
        ys, xs = np.where(depth == depth.max())
        not_clicked[ys[0], xs[0]] = 0
        clicks.append(Click((xs[0] + 0.5, ys[0] + 0.5), bool(positive)))
        pred = answer
        both, either = pred & (gt == 1) & (gt != -1), (pred | (gt == 1)) & (gt != -1)
        ious.append(both.sum() / either.sum())
    return clicks, ious


@pytest.mark.parametrize("seed", range(6))
def test_sessions_are_ritms(seed: int) -> None:
    true, ignored, answers = made_session(seed)
    said: list[tuple[Click, ...]] = []

    def model(clicks: tuple[Click, ...]) -> Bools:
        said.append(clicks)
        return answers[len(clicks) - 1]

    ious = session(model, true, ignored=ignored)
    clicks, expected = as_published(true, ignored, answers)
    assert (list(said[-1]), ious) == (clicks, expected)
    assert {click.positive for click in clicks} == {True, False}


def published_noc(curves: list[list[float]], level: float) -> tuple[float, int]:
    """RITM's `compute_noc_metric`."""
    needed: list[Any] = []
    for curve in map(np.array, curves):
        reached = curve >= level
        needed.append(np.argmax(reached) + 1 if np.any(reached) else 20)
    return float(np.mean(needed)), int((np.array(needed) == 20).sum())


def test_saved_curves_give_the_published_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    curves = [np.minimum.accumulate(rng.random(int(rng.integers(1, 21))))[::-1].tolist() for _ in range(40)]
    curves += [[0.1] * 20, [0.5] * 19 + [0.95]]
    path = tmp_path / "ious.json"
    path.write_text(json.dumps({f"photo {n}": curve for n, curve in enumerate(curves)}))
    got = noc(path).numbers
    for level in (80, 85, 90):
        assert (got[f"NoC@{level}"], got[f">=20@{level}"]) == pytest.approx(published_noc(curves, level / 100))
    assert got["IoU@1"] == pytest.approx(np.mean([curve[0] for curve in curves]))
    assert got["IoU@20"] == pytest.approx(np.mean([curve[-1] for curve in curves]))
    path.write_text(json.dumps(curves))
    assert noc(path).numbers == got


def test_an_array_of_curves_and_a_smaller_limit(tmp_path: Path) -> None:
    curves = np.array([[0.2, 0.7, 0.86], [0.9, 0.91, 0.92], [0.1, 0.2, 0.3]])
    np.save(tmp_path / "ious.npy", curves)
    table = noc(tmp_path / "ious.npy", limit=2)
    assert (table.numbers["NoC@85"], table.numbers[">=2@85"], table.numbers["NoC@90"]) == (5 / 3, 2.0, 5 / 3)
    assert "3 sessions go on after 2 clicks" in table.notes[1]
    np.save(tmp_path / "ious.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(OfficialError, match="an array of"):
        noc(tmp_path / "ious.npy")


def test_masks_after_every_click_are_scored_by_the_command(tmp_path: Path) -> None:
    curves: dict[str, list[float]] = {}
    for name in ("a", "b"):
        true, ignored, answers = made_session(ord(name))
        (tmp_path / "gt").mkdir(exist_ok=True)
        (tmp_path / "answers" / name).mkdir(parents=True)
        Image.fromarray(np.where(ignored, 128, true * 255).astype(np.uint8)).save(tmp_path / f"gt/{name}.png")
        for n, answer in enumerate(answers, start=1):
            Image.fromarray(answer.astype(np.uint8)).save(tmp_path / f"answers/{name}/{n}.png")
        curves[name] = as_published(true, ignored, answers)[1]
    done = bench("noc", tmp_path / "answers", "--masks", tmp_path / "gt", "--ignore", 128, "--json")
    assert done.exit_code == 0, done.output
    got = json.loads(done.output)["numbers"]
    assert got["NoC@80"] == published_noc(list(curves.values()), 0.8)[0] < 20
    assert got["IoU@5"] == pytest.approx(np.mean([curve[4] for curve in curves.values()]))
    (tmp_path / "answers/a/3.png").unlink()
    done = bench("noc", tmp_path / "answers", "--masks", tmp_path / "gt")
    assert (done.exit_code, "answers/a: 19 masks; 1.png, 2.png and so on" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[[0.5, NaN]]", "not JSON"), ("[[]]", "session 0 is \\[\\]"), ("[[1.5]]", r"session 0 is \[1.5\]"),
        ('{"a": 0.5}', "session a is 0.5"), ('{"a": ["0.5"]}', "session a is"), ("7", "lists of IoUs by name"),
        ("[[-0.1]]", "IoUs"), ("[[1e400]]", "not JSON"),
    ],
)  # fmt: skip
def test_broken_curves_are_refused_in_one_line(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "ious.json"
    path.write_text(content)
    with pytest.raises(OfficialError, match=words) as caught:
        noc(path)
    assert "\n" not in str(caught.value)


def test_no_sessions_have_no_numbers(tmp_path: Path) -> None:
    (tmp_path / "ious.json").write_text("[]")
    assert set(noc(tmp_path / "ious.json").numbers.values()) == {None}
    with pytest.raises(OfficialError, match="--masks"):
        noc(tmp_path)
