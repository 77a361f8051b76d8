"""AP of Cityscapes' instances from the challenge's files: what its script was seen to give on drawn sets, and cases by hand."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.official import OfficialError, cityscapes_ap
from tests.benchmarks.road import bench

Pixels = NDArray[Any]
CAR, PERSON = 26, 24
# (AP, AP50) that evalInstanceLevelSemanticLabeling.py gave for `drawn(folder, seed)`
SEEN: dict[int, tuple[float, float]] = {
    0: (0.3252777777777778, 0.6583333333333333), 1: (0.2271296296296296, 0.6796296296296296),
    2: (0.24999999999999994, 0.3055555555555555), 5: (0.16189814814814815, 0.4518518518518519),
    6: (0.1272222222222222, 0.3431216931216931), 7: (0.2052083333333333, 0.7760416666666666),
    8: (0.30606099918599916, 0.7291666666666666), 9: (0.19999999999999998, 0.41666666666666663),
}  # fmt: skip


def box(x0: int, y0: int, x1: int, y1: int) -> Pixels:
    mask = np.zeros((40, 60), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def written(
    folder: Path, ids: Pixels, answers: list[tuple[Pixels, int, float]], place: str = "aachen_000000_000019"
) -> tuple[Path, Path]:
    """A picture of instance ids and the answers to it."""
    true, found = folder / "gtFine" / "val", folder / "results"
    for path in (true, found / "masks"):
        path.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids.astype(np.uint16)).save(true / f"{place}_gtFine_instanceIds.png")
    lines: list[str] = []
    for number, (mask, label, confidence) in enumerate(answers):
        name = f"masks/{place}_{number}.png"
        Image.fromarray((mask * 255).astype(np.uint8)).save(found / name)
        lines.append(f"{name} {label} {confidence}\n")
    (found / f"{place}_pred.txt").write_text("".join(lines))
    return true, found


def drawn(folder: Path, seed: int) -> tuple[Path, Path]:
    """Three pictures of rectangles: objects, groups and void, and answers that are moved and thinned ones."""
    random = Random(seed)
    for picture in range(3):
        ids = np.full((40, 60), 7)
        for number in range(8):
            label = random.choice((CAR, CAR, PERSON, 33))
            x, y = random.randrange(50), random.randrange(30)
            value = random.choice((0, 29, label, *[label * 1000 + number] * 5))
            ids[y : y + random.randrange(4, 25), x : x + random.randrange(4, 25)] = value
        answers: list[tuple[Pixels, int, float]] = []
        for _ in range(10):
            value = random.choice(sorted({int(one) for one in ids.ravel()}))
            mask = np.roll(ids == value, (random.randrange(-2, 3), random.randrange(-2, 3)), (0, 1))
            label = (
                value // 1000 if value >= 1000 and random.random() < 0.9 else random.choice((CAR, PERSON, 33, 7, -1))
            )
            answers.append((mask, label, random.choice((0.25, 0.5, round(random.random(), 3)))))
        paths = written(folder, ids, answers, f"aachen_{picture:06d}_000019")
    return paths


@pytest.mark.parametrize("seed", SEEN)
def test_numbers_are_the_scripts(seed: int, tmp_path: Path) -> None:
    numbers = cityscapes_ap(*drawn(tmp_path, seed)).numbers
    assert (numbers["AP"], numbers["AP50"]) == pytest.approx(SEEN[seed], rel=1e-14)


IDS = np.full((40, 60), 7)
IDS[5:25, 5:25] = CAR * 1000
IDS[5:25, 30:50] = CAR * 1000 + 1
IDS[30:40, 30:50] = CAR  # a group
IDS[30:40, 0:5] = CAR * 1000 + 2  # 50 pixels: too small to be asked for
IDS[30:40, 10:25] = 0  # void
FIRST, SECOND, GROUP, SMALL = box(5, 5, 25, 25), box(30, 5, 50, 25), box(30, 30, 50, 40), box(0, 30, 5, 40)
VOID = box(10, 30, 25, 40)
ELSEWHERE = box(0, 0, 60, 5)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # both objects, and what is left out: a group, a small object, void
        ([(FIRST, CAR, 0.9), (SECOND, CAR, 0.8), (GROUP, CAR, 0.95), (SMALL, CAR, 0.95), (VOID, CAR, 0.95)], 1.0),
        # one of two
        ([(FIRST, CAR, 0.9)], 0.5),
        # a less confident second answer to one object is a false alarm, which counts where the last object is found behind it
        ([(FIRST, CAR, 0.9), (FIRST, CAR, 0.8)], 0.5),
        # a more confident false alarm: precision .5 at recall .5, and 0 before; each is a quarter wide
        ([(ELSEWHERE, CAR, 0.95), (FIRST, CAR, 0.9)], 0.125),
        # another class, one that is not scored, a mask without a pixel
        ([(FIRST, PERSON, 0.9)], 0.0),
        ([(FIRST, 7, 0.9), (FIRST, -1, 0.9), (box(0, 0, 0, 0), CAR, 0.9)], 0.0),
        ([], 0.0),
    ],
)  # fmt: skip
def test_cases(tmp_path: Path, answers: list[tuple[Pixels, int, float]], expected: float) -> None:
    found = cityscapes_ap(*written(tmp_path, IDS, answers))
    assert found.numbers["AP50"] == pytest.approx(expected)
    by_name = {row["class"]: row["AP50"] for row in found.classes}
    assert by_name["car"] == pytest.approx(expected)
    assert {name for name, value in by_name.items() if value is not None} == {"car"}


def test_answers_that_are_all_left_out_find_nothing(tmp_path: Path) -> None:
    """The script has an IndexError here."""
    found = cityscapes_ap(*written(tmp_path, IDS, [(GROUP, CAR, 0.9)]))
    assert found.numbers == {"AP": 0.0, "AP50": 0.0}
    nobody = cityscapes_ap(*written(tmp_path / "none", np.full((40, 60), 7), [(FIRST, CAR, 0.9)]))
    assert nobody.numbers == {"AP": None, "AP50": None}


def test_colours_and_blanks_do_not_matter_and_the_command_shows_classes(tmp_path: Path) -> None:
    true, found = written(tmp_path, IDS, [(FIRST, CAR, 0.9), (SECOND, CAR, 0.8), (box(0, 0, 0, 0), CAR, 0.7)])
    path = next((found / "masks").glob("*_0.png"))
    Image.open(path).convert("RGB").save(path)
    text = next(found.glob("*.txt"))
    text.write_bytes(text.read_bytes().replace(b"\n", b"\r\n").replace(b" 26 ", b" 26.0 "))
    shown = bench("cityscapes-ap", true, found, "--classes")
    assert "1.000000" in shown.stdout
    assert "bicycle" in shown.stdout
    assert "1 pictures, 2 answers" in shown.stdout
    assert "1 masks have no pixel, and are no answers" in shown.stdout


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("masks/a.png 26", "line 1 is 'masks/a.png 26'; mask.png labelId confidence"),
        ("masks/a.png  26 0.5", "one blank between them"),
        ("\n", "line 1 is ''"),
        ("masks/a.png car 0.5", "labelId confidence"),
        ("masks/a.png 26 nan", "labelId confidence"),
        ("masks/a.png 99 0.5", "label id 99; Cityscapes' -1..33 are right"),
        ("masks/none.png 26 0.5", "unreadable"),
        ("../../secret.png 26 0.5", "outside of"),
        ("/etc/passwd 26 0.5", "outside of"),
        ("{first} 26 0.5\n{first} 26 0.6", "again; one line a mask is right"),
    ],
)
def test_broken_lines_are_one_line(tmp_path: Path, lines: str, words: str) -> None:
    true, found = written(tmp_path, IDS, [(FIRST, CAR, 0.9)])
    first = next((found / "masks").iterdir()).relative_to(found)
    next(found.glob("*.txt")).write_text(lines.replace("{first}", str(first)))
    with pytest.raises(OfficialError, match=words) as caught:
        cityscapes_ap(true, found)
    assert "\n" not in str(caught.value)


def test_files_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    true, found = written(tmp_path, IDS, [(FIRST, CAR, 0.9)])
    with pytest.raises(OfficialError, match="no folder"):
        cityscapes_ap(tmp_path / "none", found)
    with pytest.raises(OfficialError, match="no picture"):
        cityscapes_ap(found, found)
    mask = next((found / "masks").iterdir())
    Image.new("L", (9, 9)).save(mask)
    with pytest.raises(OfficialError, match=r"\(9, 9\) pixels; the annotation's \(60, 40\) are right"):
        cityscapes_ap(true, found)
    text = next(found.glob("*.txt"))
    text.with_name("aachen_000000_000019_again.txt").write_text("")
    with pytest.raises(OfficialError, match="2 files aachen_000000_000019"):
        cityscapes_ap(true, found)
    for path in found.glob("*.txt"):
        path.unlink()
    with pytest.raises(OfficialError, match="0 files"):
        cityscapes_ap(true, found)
    strange = written(tmp_path / "strange", np.full((40, 60), 65_000), [])
    with pytest.raises(OfficialError, match="id 65000"):
        cityscapes_ap(*strange)
