"""Grounded captions in GLaMM's layout, scored as its `eval/gcg/evaluate.py` does, and with a corrected number beside each.

`SPLIT_gcg_coco_mask_gt.json` and `SPLIT_gcg_coco_caption_gt.json` are COCO-like (captions have `labels`, one a mask of the
image, in order); answers are one `IMAGE.json` an image: `caption`, `phrases` and `pred_masks` (RLE), or an object that holds
one such. Words are alike as `benchmarks/scorers/gcg.py` says, not by BERT.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from benchmarks.engine import engine_versions
from benchmarks.official._files import OfficialError, read_annotated, read_json, table_of
from benchmarks.official._instances import checked_mask, sizes_of
from benchmarks.official._table import Table
from benchmarks.scorer import Engine, Row, Setting
from benchmarks.scorers.gcg import SCORER, Phrased, row_of
from vtinstruct.geometry import polygons_to_rle, rle_from_runs
from vtinstruct.units import Mask, Rle

Size = tuple[int, int]  # height, width


def gcg(masks: Path, captions: Path, answers: Path, engine: Engine = "hotcoco") -> Table:
    """All numbers of the grounded caption scorer for a folder of answers. Raises `OfficialError`."""
    annotated = read_annotated(masks, ("segmentation", "area"))
    sizes = cast(dict[int, Size], sizes_of(annotated))
    regions: dict[int, list[Mask]] = {}
    for number, row in enumerate(annotated["annotations"]):
        where = f"{masks}: annotations[{number}]"
        regions.setdefault(row["image_id"], []).append(_mask(row["segmentation"], where, sizes.get(row["image_id"])))
    rows: list[Row] = []
    for image, spoken in sorted(_captions(captions).items()):
        if image not in sizes:
            raise OfficialError(f"{captions}: image {image} is not in {masks}; the two files of one split are right")
        true = _phrased(spoken[0].get("labels"), regions.get(image, []), f"{captions}: image {image}")
        path = answers / f"{image}.json"
        said, found = _answer(path, sizes[image]) if path.is_file() else ("", [])
        texts, size_wh = [str(one.get("caption", "")) for one in spoken], (sizes[image][1], sizes[image][0])
        row = row_of(size_wh, said, texts, true, found, missing=not path.is_file())
        state = "ok" if path.is_file() else "missing"
        common = {"id": str(image), "task": "gcg_mask", "source": "", "photo": str(image), "state": state}
        rows.append({**common, "quality": row["miou"], **row})
    summary = SCORER.summarize(SCORER.frame(rows), Setting(engine=engine, resamples=0))
    missing = sum(row["state"] == "missing" for row in rows)
    notes = (
        f"{len(rows)} images, {missing} without an answer, which count as wrong",
        *summary.details.get("remarks", ()),
    )
    return Table("GLaMM grounded captions", summary.numbers, (), notes, engine_versions(engine, ("pycocotools",)))


def _captions(path: Path) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for number, row in enumerate(table_of(path, "annotations")):
        if not isinstance(row.get("image_id"), int):
            raise OfficialError(
                f"{path}: annotations[{number}] has image_id {row.get('image_id')!r:.40}; a number is right"
            )
        found.setdefault(row["image_id"], []).append(row)
    return found


def _mask(value: object, where: str, size_hw: Size | None) -> Mask:
    shape = checked_mask(value, where, size_hw)
    height, width = cast(Size, size_hw)
    if isinstance(shape, list):
        return Mask(polygons_to_rle(cast(list[list[float]], shape), (width, height)))
    counts = shape["counts"]
    return Mask(
        rle_from_runs(cast(list[int], counts), (height, width))
        if isinstance(counts, list)
        else Rle((height, width), counts.encode())
    )


def _phrased(labels: object, masks: list[Mask], where: str) -> list[Phrased]:
    names = cast(list[object], labels) if isinstance(labels, list) else []
    if len(names) != len(masks) or not all(isinstance(name, str) for name in names):
        raise OfficialError(f"{where}: {len(names)} phrases for {len(masks)} masks; one text a mask is right")
    return [(cast(str, name), mask, None) for name, mask in zip(names, masks, strict=True)]


def _answer(path: Path, size_hw: Size) -> tuple[str, list[Phrased]]:
    wire = read_json(path)
    fields = cast(dict[str, Any], wire if isinstance(wire, dict) else {})
    if "caption" not in fields and len(fields) == 1:
        inner = next(iter(fields.values()))
        fields = cast(dict[str, Any], inner if isinstance(inner, dict) else {})
    caption, masks = fields.get("caption"), fields.get("pred_masks")
    if not isinstance(caption, str) or not isinstance(masks, list):
        raise OfficialError(f"{path}: no caption with pred_masks; caption, phrases and pred_masks are right")
    found = [_mask(mask, f"{path}: pred_masks[{n}]", size_hw) for n, mask in enumerate(cast(list[object], masks))]
    return caption, _phrased(fields.get("phrases"), found, str(path))
