"""Every broken input on every command of official instance files: the same number as the original, the number of the unbroken
file, or one line of refusal; and which of the three is written here."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.official import OfficialError, coco, lvis
from benchmarks.originals import OriginalMissing, lvis_api
from tests.benchmarks.made import rle_of
from tests.benchmarks.test_lvis import made_lvis
from tests.benchmarks.test_lvis import official as lvis_official
from tests.benchmarks.test_official import files, original, plain_coco, results_of

Rows = list[dict[str, Any]]
Outcome = str  # one of SCORED: as the original, as if it were not broken, 0 or null; else words of the refusal
SCORED = ("same", "mended", "nothing found", "nothing annotated")
NAN, INF = float("nan"), float("inf")


def ids(numbers: Callable[[int], Any]) -> Callable[[dict[str, Any], Rows], None]:
    """Give the annotations these ids."""

    def change(table: dict[str, Any], rows: Rows) -> None:
        for number, row in enumerate(table["annotations"]):
            row["id"] = numbers(number)

    return change


def first(field: str, value: Any, where: str = "rows") -> Callable[[dict[str, Any], Rows], None]:
    """Set a field of the first result (or annotation, image, class); ... takes it away."""

    def change(table: dict[str, Any], rows: Rows) -> None:
        row = rows[0] if where == "rows" else table[where][0]
        row.pop(field, None)
        if value is not ...:
            row[field] = value

    return change


def renamed(table_name: str, field: str, name: Callable[[int], Any]) -> Callable[[dict[str, Any], Rows], None]:
    """Give every image, or every class, another id everywhere."""

    def change(table: dict[str, Any], rows: Rows) -> None:
        for row in table[table_name]:
            row["id"] = name(row["id"])
        for row in (*table["annotations"], *rows):
            row[field] = name(row[field])
        for image in table["images"]:
            for lists in ("neg_category_ids", "not_exhaustive_category_ids"):
                if field == "category_id" and lists in image:
                    image[lists] = [name(id_) for id_ in image[lists]]

    return change


def fields_of_strange_types(table: dict[str, Any], rows: Rows) -> None:
    """What other tools write into fields that no number needs."""
    for image in table["images"]:
        image |= {"file_name": 5, "license": None, "date_captured": []}
    for category in table["categories"]:
        category |= {"name": 5, "supercategory": None, "skeleton": None}
    for row in table["annotations"]:
        row |= {"attributes": {"occluded": True}, "caption": 5, "track_id": None}
        for field in ("segmentation", "keypoints"):
            if field not in rows[0]:
                row[field] = "none"
    for row in rows:
        row |= {"track_id": None, "attributes": [1]}


def every_result_is_a_box(table: dict[str, Any], rows: Rows) -> None:
    """Whole pixels around an annotation of the same photo and class, where there is one."""
    boxes = {(row["image_id"], row["category_id"]): [int(v) for v in row["bbox"]] for row in table["annotations"]}
    for row in rows:
        del row["segmentation"]
        row["bbox"] = boxes.get((row["image_id"], row["category_id"]), [10, 20, 50, 40])


def masks_of_one_other_size(table: dict[str, Any], rows: Rows) -> None:
    """Run lengths everywhere, and images that say they are larger: masks are compared with each other only."""
    sizes = {image["id"]: (image["width"], image["height"]) for image in table["images"]}
    for row in table["annotations"]:
        rle = rle_of(row["segmentation"], sizes[row["image_id"]])
        row["segmentation"] = {"size": list(rle.size_hw), "counts": rle.counts.decode()}
    for image in table["images"]:
        image |= {"width": 640, "height": 480}


def no_sizes(table: dict[str, Any], rows: Rows) -> None:
    for image in table["images"]:
        image |= {"width": None, "height": "120"}


def no_rows(table: dict[str, Any], rows: Rows) -> None:
    rows.clear()


def no_annotations(table: dict[str, Any], rows: Rows) -> None:
    table["annotations"].clear()


def twice(table: dict[str, Any], rows: Rows) -> None:
    """Every result stands twice: the second of a pair is a false alarm."""
    rows += copy.deepcopy(rows)


def an_image_twice(table: dict[str, Any], rows: Rows) -> None:
    table["images"].append(dict(table["images"][0]))


EVERY: dict[str, tuple[Callable[[dict[str, Any], Rows], None], Outcome]] = {
    "annotation ids from 0": (ids(lambda n: n), "mended"),
    "equal annotation ids": (ids(lambda n: 7), "mended"),
    "annotation ids as text": (ids(str), "mended"),
    "NaN as score": (first("score", NAN), "not JSON"),
    "infinity as score": (first("score", INF), "not JSON"),
    "no score": (first("score", ...), "a finite number is right"),
    "a score as text": (first("score", "0.5"), "a finite number is right"),
    "a score beyond 1": (first("score", 17.0), "same"),
    "a huge score": (first("score", 1e308), "same"),
    "a negative score": (first("score", -3.0), "same"),
    "an unknown image": (first("image_id", 10**6), "is not annotated"),
    "an image id as text": (first("image_id", "1"), "a whole number is right"),
    "all image ids as text": (renamed("images", "image_id", str), "same"),
    "image ids as words": (renamed("images", "image_id", "photo {}".format), "same"),
    "negative image ids": (renamed("images", "image_id", lambda n: -n), "same"),
    "image ids with a whole point": (renamed("images", "image_id", float), "same"),
    "class ids as words": (renamed("categories", "category_id", "class {}".format), "same"),
    "negative class ids": (renamed("categories", "category_id", lambda n: -n), "same"),
    "class ids with a whole point": (renamed("categories", "category_id", float), "same"),
    "class ids from 0": (renamed("categories", "category_id", lambda n: n - 1), "same"),
    "fields of strange types": (fields_of_strange_types, "same"),
    "an annotation of an unlisted image": (first("image_id", 10**6, "annotations"), "same"),
    "an image id with a point": (first("image_id", 1.5), "a whole number is right"),
    "an unknown class": (first("category_id", 10**6), "same"),
    "a class id as text": (first("category_id", "1"), "a whole number is right"),
    "no class": (first("category_id", ...), "a whole number is right"),
    "every result twice": (twice, "same"),
    "an image twice": (an_image_twice, "stands twice"),
    "no results": (no_rows, "nothing found"),
    "no annotations": (no_annotations, "nothing annotated"),
    "no area": (first("area", ..., "annotations"), "has no 'area'"),
    "NaN as area": (first("area", NAN, "annotations"), "not JSON"),
    "an area as text": (first("area", "9", "annotations"), "1 finite numbers are right"),
    "an annotation of an unknown class": (first("category_id", 10**6, "annotations"), "same"),
    "a class id that is no number": (first("id", "dog", "categories"), "a whole number is right"),
}  # fmt: skip
OF_BOXES = {
    "images without sizes": (no_sizes, "same"),
    "a negative side": (first("bbox", [1.0, 1.0, -5.0, 4.0]), "sides >= 0 is right"),
    "a box without area": (first("bbox", [1.0, 1.0, 0.0, 0.0]), "same"),
    "a huge box": (first("bbox", [1e308, 0.0, 1e308, 1e308]), "same"),
    "NaN in a box": (first("bbox", [NAN, 1.0, 2.0, 3.0]), "not JSON"),
    "infinity in a box": (first("bbox", [1.0, 1.0, INF, 3.0]), "not JSON"),
    "a box of three numbers": (first("bbox", [1.0, 2.0, 3.0]), "4 finite numbers are right"),
    "a box as text": (first("bbox", "1,2,3,4"), "4 finite numbers are right"),
    "a negative side annotated": (first("bbox", [1.0, 1.0, -5.0, 4.0], "annotations"), "sides >= 0 is right"),
}
OF_MASKS = {
    "all masks of another size": (masks_of_one_other_size, "same"),
    "boxes without masks": (every_result_is_a_box, "same"),
    "run lengths of another size": (first("segmentation", {"size": [7, 7], "counts": "11"}), "are right"),
    "run lengths that go beyond": (first("segmentation", {"size": [120, 160], "counts": [10**7]}), "wrong length"),
    "run lengths that are no text": (first("segmentation", {"size": [120, 160], "counts": 5}), "no run lengths"),
    "a polygon of two points": (first("segmentation", [[1, 1, 5, 5]]), "a polygon of 3 points is right"),
    "a polygon with NaN": (first("segmentation", [[1, 1, 5, NAN, 5, 5]]), "not JSON"),
    "a huge polygon": (first("segmentation", [[0, 0, 1e300, 0, 1e300, 1e300]]), "polygon of 3 points is right"),
    "no mask": (first("segmentation", ...), "polygons or an RLE"),
}
OF_COCO = {
    "no word on crowds": (first("iscrowd", None, "annotations"), "a whole number is right"),
    "crowds as text": (first("iscrowd", "0", "annotations"), "a whole number is right"),
    "crowds with a point": (first("iscrowd", 1.0, "annotations"), "same"),
    "crowds as true": (first("iscrowd", True, "annotations"), "same"),
}
OF_POSES = {
    "images without sizes": (no_sizes, "same"),
    "a number of joints as text": (first("num_keypoints", "3", "annotations"), "a whole number is right"),
    "a huge joint": (first("keypoints", [1e200, 5.0, 2] * 17), "same"),
    "too few joints": (first("keypoints", [1.0, 2.0, 2] * 14), "17 x (x, y, v) are right"),
    "infinity in a pose": (first("keypoints", [INF, 2.0, 2] * 17), "not JSON"),
    "no pose": (first("keypoints", ...), "a list of finite numbers is right"),
}
BROKEN = {
    ("coco", "bbox"): EVERY | OF_COCO | OF_BOXES, ("coco", "segm"): EVERY | OF_COCO | OF_MASKS,
    ("coco", "keypoints"): EVERY | OF_COCO | OF_POSES,
    ("lvis", "bbox"): EVERY | OF_BOXES, ("lvis", "segm"): EVERY | OF_MASKS,
}  # fmt: skip
CASES = [(command, kind, name) for (command, kind), cases in BROKEN.items() for name in cases]


def official(command: str, table: dict[str, Any], rows: Rows, kind: str) -> list[float]:
    if command == "coco":
        return [float(value) for value in original(table, rows, kind).stats]
    try:
        return list(lvis_official(lvis_api(), table, rows, kind).values())
    except OriginalMissing as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("command", "kind", "name"), CASES)
def test_broken_instances(command: str, kind: str, name: str, tmp_path: Path) -> None:
    change, outcome = BROKEN[command, kind][name]
    table = plain_coco(9) if command == "coco" else made_lvis(4)
    if command == "coco":
        table["annotations"] = [row for row in table["annotations"] if not row["iscrowd"]]
    rows = results_of(table, kind, 9)
    whole = official(command, table, rows, kind)
    change(table, rows)
    paths, score = files(tmp_path, table, rows), coco if command == "coco" else lvis
    if outcome not in SCORED:
        with pytest.raises(OfficialError) as caught:
            score(*paths, kind)  # type: ignore[arg-type]
        assert outcome in str(caught.value)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)
        return
    numbers = score(*paths, kind).numbers  # type: ignore[arg-type]
    got = [-1.0 if value is None else value for name, value in numbers.items() if "[script]" not in name]
    match outcome:
        case "same":
            with np.errstate(over="ignore"):  # of the original, in huge numbers
                assert got == official(command, table, rows, kind)
        case "mended":
            assert got == whole
        case "nothing found":
            assert 0.0 in got
            assert set(got) <= {0.0, -1.0}
        case _:
            assert set(got) == {-1.0}
