"""Official files broken by the thousand, on every command that reads them: numbers, or one line; and where the original ends
too and no note says otherwise, its numbers.

One file of a command's set is broken at a time: any field of its JSON, any byte of it, any kind of picture. The few cases of the
normal suite run in this process; `pytest -m slow` has `VTINSTRUCT_FUZZ_CASES` of each command (400 without it), in a process of
their own that may die, and is then told from one that ends.
"""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.originals import OriginalMissing, lvis_api, panoptic_api
from tests.benchmarks.road import bench
from tests.benchmarks.test_lvis import made_lvis
from tests.benchmarks.test_lvis import official as lvis_original
from tests.benchmarks.test_official import (
    by_hand,
    depth_maps,
    files,
    label_maps,
    original,
    panoptic_files,
    plain_coco,
    results_of,
)  # fmt: skip
from tests.benchmarks.test_official_cityscapes_ap import drawn
from tests.benchmarks.test_official_words import glamm
from tests.benchmarks.test_panoptic import official as panoptic_original
from tests.damage import BYTES, changed, written

CASES = int(os.environ.get("VTINSTRUCT_FUZZ_CASES", "400"))
FEW = 16  # cases of each command in the normal suite
LONGEST_S = 60.0  # of a case that takes a hundredth of a second
CLASSES = 6
ROOT = Path(__file__).parents[2]
Numbers = dict[str, float] | list[float]  # by name, or in the order of the command's


@dataclass(frozen=True)
class Door:
    """A command: what writes a whole set of its files into a folder, the words behind it (paths in the folder), and the original's
    numbers of the folder, where there is one; it raises whatever it trips over."""

    make: Callable[[Path], object]
    words: tuple[str, ...]
    original: Callable[[Path], Numbers] | None = None


def instances(kind: str, federated: bool = False) -> Callable[[Path], object]:
    def make(folder: Path) -> object:
        table = made_lvis(4) if federated else plain_coco(9)
        rows, table["images"] = results_of(table, kind, 9), table["images"][:6]
        there = {image["id"] for image in table["images"]}
        table["annotations"] = [row for row in table["annotations"] if row["image_id"] in there]
        return files(folder, table, [row for row in rows if row["image_id"] in there])

    return make


def words(command: str) -> Callable[[Path], object]:
    if command == "captions":
        spoken = [{"image_id": i, "id": 3 * i + k, "caption": f"dog {k} on {i}"} for i in (1, 2) for k in range(3)]
        pair: Any = {"annotations": spoken}, [{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "two"}]
    elif command == "vqa":
        answers = [{"answer": "red", "answer_id": k} for k in range(10)]
        asked = [
            {"question_id": q, "question_type": "what", "answer_type": "other", "answers": answers} for q in (1, 2)
        ]
        pair = {"annotations": asked}, [{"question_id": q, "answer": "red"} for q in (1, 2)]
    elif command == "textvqa":
        picture = {
            "image_id": "a",
            "image_width": 9,
            "image_height": 9,
            "image_classes": ["Cup", "Sign"],
            "set_name": "val",
        }
        asked = [{"question_id": q, "question": "what?", "answers": ["red"] * 10, **picture} for q in (1, 2, 3)]
        pair = {"data": asked}, [{"question_id": q, "answer": "red"} for q in (1, 2)]
    elif command == "gqa":
        one = {
            "answer": "red",
            "isBalanced": True,
            "types": {"structural": "query", "semantic": "attr"},
            "groups": {"global": "color"},
            "question": "what colour is it?",
            "semantic": [{"operation": "select", "argument": "cat (1)"}],
            "entailed": ["0", "1"],
        }
        pair = {str(q): one for q in range(3)}, [{"questionId": str(q), "prediction": "red"} for q in range(3)]
    elif command == "rec":
        pair = [{"answer": "[[0, 0, 500, 500]]", "gt_bbox": [0, 0, 9, 9], "hw": [20, 20], "input_wh": [9, 9]}] * 3, []
    else:
        labels = [{"question_id": q, "label": ("yes", "no")[q % 2]} for q in range(4)]
        pair = labels, [{"question_id": q, "answer": "Yes"} for q in range(4)]
    return lambda folder: files(folder, *pair)


def read(folder: Path) -> tuple[Any, Any]:
    return tuple(json.loads((folder / name).read_bytes()) for name in ("gt.json", "dt.json"))  # type: ignore[return-value]


def pycoco(kind: str) -> Callable[[Path], Numbers]:
    return lambda folder: list(original(*read(folder), kind).stats)


def lvis_numbers(folder: Path) -> dict[str, float]:
    return lvis_original(lvis_api(), *read(folder), "bbox")


def panoptic_numbers(folder: Path) -> dict[str, float]:
    truth, found = read(folder)
    by_image = {row["image_id"]: row for row in found["annotations"]}
    found["annotations"] = [by_image[row["image_id"]] for row in truth["annotations"]]
    for path in (path for side in ("gt", "dt") for path in (folder / side).iterdir()):
        with Image.open(path) as picture:
            if picture.mode not in ("RGB", "RGBA"):  # where it knows no colours, the original has a traceback
                picture.convert("RGB").save(path, "PNG")
    return panoptic_original(panoptic_api(), truth, found, folder / "gt", folder / "dt")[0]


def maps_numbers(folder: Path) -> dict[str, float]:
    names = sorted(path.name for path in (folder / "gt").iterdir())
    sides = [[np.array(Image.open(folder / side / name)).astype(int) for name in names] for side in ("gt", "dt")]
    return by_hand(*sides, CLASSES)  # type: ignore[arg-type]


def sessions(folder: Path) -> None:
    (folder / "gt.json").write_text(json.dumps({"a": [0.1, 0.5, 0.95], "b": [0.3] * 20}))
    np.save(folder / "curves.npy", np.array([[0.1, 0.9], [0.3, 0.85]]))


def clicks(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / "said" / name).mkdir(parents=True)
        (folder / "masks").mkdir(exist_ok=True)
        for path in (folder / "masks" / f"{name}.png", *(folder / "said" / name / f"{n}.png" for n in (1, 2))):
            Image.fromarray((255 * (rng.random((9, 12)) < 0.5)).astype(np.uint8)).save(path)


def arrays(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(folder / "gt.npy", rng.uniform(1, 9, (2, 12, 16)).astype(np.float32))
    np.save(folder / "dt.npy", rng.uniform(1, 9, (2, 12, 16)))


def city(folder: Path) -> None:
    drawn(folder, 3)
    (folder / "gtFine").rename(folder / "gt")
    (folder / "results").rename(folder / "dt")


DOORS: dict[str, Door] = {
    **{f"coco {kind}": Door(instances(kind), ("coco", "gt.json", "dt.json", "--iou", kind), pycoco(kind)) for kind in ("bbox", "segm", "keypoints")},
    "lvis": Door(instances("bbox", True), ("lvis", "gt.json", "dt.json", "--iou", "bbox"), lvis_numbers),
    **{command: Door(words(command), (command, "gt.json", "dt.json")) for command in ("captions", "vqa", "textvqa", "pope", "gqa")},
    "gqa consistency": Door(words("gqa"), ("gqa", "gt.json", "dt.json", "--consistency")),
    "rec": Door(words("rec"), ("rec", "gt.json", "--dialect", "internvl")),
    "gcg": Door(glamm, ("gcg", "masks.json", "captions.json", "answers")),
    "noc": Door(sessions, ("noc", "gt.json")),
    "noc array": Door(sessions, ("noc", "curves.npy")),
    "noc masks": Door(clicks, ("noc", "said", "--masks", "masks")),
    "panoptic": Door(lambda folder: panoptic_files(folder, 3), ("panoptic", "gt.json", "gt", "dt.json", "dt"), panoptic_numbers),
    "miou": Door(lambda folder: label_maps(folder, 1), ("miou", "gt", "dt", "--num-classes", str(CLASSES)), maps_numbers),
    "cityscapes-ap": Door(city, ("cityscapes-ap", "gt", "dt")),
    "depth": Door(depth_maps, ("depth", "gt", "dt", "--align", "median")),
    "depth arrays": Door(arrays, ("depth", "gt.npy", "dt.npy")),
}  # fmt: skip
PATHS = (
    "gt.json",
    "dt.json",
    "masks.json",
    "captions.json",
    "answers",
    "curves.npy",
    "said",
    "masks",
    "gt",
    "dt",
    "gt.npy",
    "dt.npy",
)


# --- damage ----------------------------------------------------------------------------------------------------------


def other_picture(data: bytes, random: Random) -> bytes:
    """The same picture in another mode, size or format; or none."""
    picture, out = Image.open(io.BytesIO(data)), io.BytesIO()
    match random.randrange(6):
        case 0:
            picture = picture.convert(random.choice(("L", "RGB", "RGBA", "1", "LA")))
        case 1:
            picture = picture.resize((picture.width + random.choice((-1, 1)), picture.height))
        case 2:
            picture = picture.transpose(Image.Transpose.ROTATE_90)
        case 3:
            picture = picture.convert("P")
        case 4:
            picture.convert("L").save(out, random.choice(("JPEG", "GIF", "BMP", "TIFF")))
            return out.getvalue()
        case _:
            picture = Image.fromarray(
                np.full((picture.height, picture.width), random.choice((0, 5, 255, 65535)), np.uint16)
            )
    picture.save(out, "PNG")
    return out.getvalue()


def other_array(data: bytes, random: Random) -> bytes:
    """An array of another type or shape, with NaN in it, or one that would run code."""
    values, out = np.load(io.BytesIO(data)), io.BytesIO()
    match random.randrange(6):
        case 0:
            values = values.astype(random.choice(("f2", "i4", "u1", "c16", "S5", "?", ">f8", "M8[s]")))
        case 1:
            values = values[random.choice((slice(0), slice(1), None, 0))]
        case 2:
            values = values.T
        case 3:
            values[random.choice((0, -1))] = random.choice((math.nan, math.inf, -1.0, 1e300))
        case 4:
            np.save(out, np.array([{}], dtype=object), allow_pickle=True)
            return out.getvalue()
        case _:
            np.savez(out, values)
            return out.getvalue()
    np.save(out, values)
    return out.getvalue()


def broken(name: str, data: bytes, random: Random) -> bytes | None:
    """A file, broken; None: taken away."""
    if random.random() < 0.03:
        return random.choice((None, b""))
    if name.endswith(".json"):
        if random.random() < 0.25:
            return random.choice(BYTES)(data, random)
        wire = json.loads(data)
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            wire = changed(wire, random)
        return written(wire)
    if name.endswith(".txt") or random.random() < 0.5:
        return random.choice(BYTES)(data, random)
    return other_picture(data, random) if name.endswith(".png") else other_array(data, random)


def ended(done: Any, folder: Path) -> dict[str, Any] | None:
    """What the command printed; None where it refused, in one line."""
    assert "Traceback" not in done.output
    if done.exit_code:
        assert done.exit_code == 2, done.output
        assert done.stderr.startswith("refvlm-bench: ")
        assert done.stderr.count("\n") == 1
        assert str(folder) in done.stderr
        return None
    table = json.loads(done.stdout)
    assert all(value is None or math.isfinite(value) for value in table["numbers"].values()), table["numbers"]
    return table


@dataclass(frozen=True)
class Kit:
    """A command, the whole files of it by their names in a folder, and what they give."""

    door: Door
    folder: Path
    data: dict[str, bytes]
    unbroken: dict[str, Any]


def kit_of(door: str, folder: Path) -> Kit:
    DOORS[door].make(folder)
    data = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    table = scored(DOORS[door], folder)
    assert table is not None
    return Kit(DOORS[door], folder, data, table)


def scored(door: Door, folder: Path) -> dict[str, Any] | None:
    command, *rest = door.words
    paths = [folder / word if word in PATHS else word for word in rest]
    return ended(bench(command, *paths, "--json"), folder)


def one_case(kit: Kit, seed: int) -> str:
    """Break a file, score, mend it; how it ended. Raises `AssertionError`."""
    random = Random(f"{kit.door.words} {seed}")
    name = random.choice(sorted(kit.data))
    damage = broken(name, kit.data[name], random)
    path = kit.folder / name
    path.unlink() if damage is None else path.write_bytes(damage)
    try:
        table = scored(kit.door, kit.folder)
        if table is None:
            return "refused"
        return as_original(table, kit) if kit.door.original else "scored"
    finally:
        path.write_bytes(kit.data[name])


def as_original(table: dict[str, Any], kit: Kit) -> str:
    """What broken files give is what the original gives; where it trips, what the whole files give, or a note says why."""
    assert kit.door.original
    told = table["notes"] != kit.unbroken["notes"]
    try:
        theirs = kit.door.original(kit.folder)
    except OriginalMissing:
        return "scored"
    except Exception as error:  # it trips over whatever a broken file holds
        theirs = error
    if told:
        return "scored, with a note"
    if isinstance(theirs, Exception):
        assert table["numbers"] == kit.unbroken["numbers"], f"other numbers, and the original trips: {theirs!r:.80}"
        return "mended, where the original trips"
    names = [name for name in table["numbers"] if not name.endswith("[script]")]
    for name, value in theirs.items() if isinstance(theirs, dict) else zip(names, theirs, strict=True):
        ours = table["numbers"][name]
        assert (-1 if ours is None else ours) == value or (ours is None and math.isnan(value)), (name, ours, value)
    return "scored as the original"


@pytest.mark.filterwarnings("ignore")  # the originals'
@pytest.mark.parametrize("door", DOORS)
def test_a_broken_file_gives_numbers_or_one_line(door: str, tmp_path: Path) -> None:
    kit = kit_of(door, tmp_path)
    outcomes = Counter(one_case(kit, seed) for seed in range(FEW))
    assert 0 < outcomes["refused"] < FEW, outcomes


def many(door: str, folder: Path, first: int, last: int) -> None:
    """Many cases, for a process of its own: a line a case, what failed on the last."""
    warnings.simplefilter("ignore")
    kit, failed = kit_of(door, folder), list[str]()
    for seed in range(first, last):
        print(seed, end=" ", flush=True)
        try:
            print(one_case(kit, seed), flush=True)
        except Exception as error:
            print("failed", flush=True)
            failed.append(f"seed {seed}: {error!r:.400}")
    print(json.dumps(failed))


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_many_broken_files_give_numbers_or_one_line(door: str, tmp_path: Path) -> None:
    call = f"many({door!r}, Path({str(tmp_path)!r}), {FEW}, {FEW + CASES})"
    program = f"from pathlib import Path; from tests.benchmarks.test_fuzz_official import many; {call}"
    log = tmp_path.with_name(f"{tmp_path.name}.log")
    with log.open("w") as out:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_S + CASES,
            check=False,
        )
    *lines, last = log.read_text().splitlines()
    assert done.returncode == 0, f"ended with {done.returncode} at {last}"
    outcomes = Counter(line.split(" ", 1)[1] for line in lines if line[:1].isdigit())
    print(f"\n{door}: {dict(outcomes.most_common())}")
    assert not json.loads(last), "\n".join(json.loads(last))
