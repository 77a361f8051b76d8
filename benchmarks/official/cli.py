"""The commands `refvlm-bench coco | lvis | panoptic | miou | cityscapes-ap | depth | captions | vqa | textvqa | gqa | pope |
rec | gcg | noc`: official result files in, official numbers out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from benchmarks.clicks import LIMIT
from benchmarks.official._files import OfficialError
from benchmarks.official._table import Table
from benchmarks.official.captions import captions, captions_of_lines
from benchmarks.official.cityscapes_ap import cityscapes_ap
from benchmarks.official.coco import coco
from benchmarks.official.depth import depth
from benchmarks.official.gcg import gcg
from benchmarks.official.gqa import gqa
from benchmarks.official.lvis import lvis
from benchmarks.official.miou import IGNORED, miou
from benchmarks.official.noc import noc
from benchmarks.official.panoptic import panoptic
from benchmarks.official.pope import pope
from benchmarks.official.rec import rec
from benchmarks.official.textvqa import textvqa
from benchmarks.official.vqa import vqa
from benchmarks.skeletons import SKELETONS
from vtinstruct.dialect import dialect_named

Truth = Annotated[Path, typer.Argument(help="the official annotation file")]
Found = Annotated[Path, typer.Argument(help="the official result file")]
TruthFolder = Annotated[Path, typer.Argument(help="the folder of annotated maps")]
FoundFolder = Annotated[Path, typer.Argument(help="the folder of answered maps, with the same names")]
Engine = Annotated[Literal["hotcoco", "official"], typer.Option("--engine", help="official: the original tool, slow")]
Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        help="processes that share the work; the numbers are the same; of small sets one does all",
    ),
]
Classes = Annotated[bool, typer.Option("--classes", help="every class's own numbers too")]
Json = Annotated[bool, typer.Option("--json", help="print JSON, nothing else")]


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""

    @app.command("coco")
    def coco_command(
        annotations: Truth, results: Found,
        iou: Annotated[Literal["bbox", "segm", "keypoints"], typer.Option("--iou", help="what is compared")] = "bbox",
        skeleton: Annotated[str, typer.Option("--skeleton", help=f"of keypoints: {', '.join(SKELETONS)}")] = "coco",
        sigmas: Annotated[str, typer.Option("--sigmas", help="or its sigmas, one a joint, with commas between")] = "",
        engine: Engine = "hotcoco", classes: Classes = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """COCO's 12 numbers (10 of keypoints) of a result file."""
        try:
            given = [float(sigma) for sigma in sigmas.split(",")] if sigmas else []
        except ValueError:
            raise OfficialError(f"sigmas {sigmas!r:.80}; numbers with commas between are right") from None
        show(coco(annotations, results, iou, engine, skeleton, given), classes, as_json)

    @app.command("lvis")
    def lvis_command(
        annotations: Truth, results: Found,
        iou: Annotated[Literal["bbox", "segm"], typer.Option("--iou", help="what is compared")] = "segm",
        engine: Engine = "hotcoco", classes: Classes = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """LVIS's 13 numbers of a result file."""
        show(lvis(annotations, results, iou, engine), classes, as_json)

    @app.command("panoptic")
    def panoptic_command(
        annotations: Truth, annotation_folder: Annotated[Path, typer.Argument(help="the annotated id pictures")],
        results: Found, result_folder: Annotated[Path, typer.Argument(help="the answered id pictures")],
        engine: Engine = "hotcoco", workers: Workers = 1, classes: Classes = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """PQ, SQ and RQ of a panoptic result."""
        show(panoptic(annotations, results, annotation_folder, result_folder, engine, workers), classes, as_json)

    @app.command("miou")
    def miou_command(
        annotations: TruthFolder, results: FoundFolder,
        number: Annotated[int, typer.Option("--num-classes", min=0, help="how many classes there are")] = 0,
        names: Annotated[str, typer.Option("--class-names", help="or their names, with commas between")] = "",
        ignore: Annotated[int, typer.Option("--ignore", help="the annotated value that does not count")] = IGNORED,
        reduce_zero_label: Annotated[bool, typer.Option("--reduce-zero-label", help="ADE20K: classes from 1")] = False,
        from_zero: Annotated[
            bool, typer.Option("--answers-from-zero", help="with it: only the annotations count from 1")
        ] = False,
        cityscapes: Annotated[bool, typer.Option("--cityscapes", help="Cityscapes' labelIds, its 19 classes")] = False,
        classes: Classes = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """mIoU and pixel accuracy of label maps."""
        chosen = [name.strip() for name in names.split(",")] if names else number
        reduced = "annotations" if reduce_zero_label and from_zero else reduce_zero_label
        table = miou(annotations, results, chosen, ignore=ignore, reduce_zero_label=reduced, cityscapes=cityscapes)
        show(table, classes, as_json)

    @app.command("cityscapes-ap")
    def cityscapes_ap_command(
        annotations: TruthFolder,
        results: Annotated[Path, typer.Argument(help="the folder of *.txt with the masks they name")],
        classes: Classes = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """AP of Cityscapes' instances: *_gtFine_instanceIds.png and the challenge's text files."""
        show(cityscapes_ap(annotations, results), classes, as_json)

    @app.command("depth")
    def depth_command(
        annotations: TruthFolder, results: FoundFolder,
        levels: Annotated[float, typer.Option("--levels", help="PNG levels a metre: KITTI 256, NYUv2 1000")] = 256.0,
        crop: Annotated[str, typer.Option("--crop", help="none, garg, eigen, eigen_nyu")] = "none",
        cap: Annotated[float, typer.Option("--cap", help="metres; deeper pixels do not count")] = 80.0,
        align: Annotated[str, typer.Option("--align", help="none, median, lsq, lsq_disparity")] = "none",
        as_json: Json = False,
    ) -> None:  # fmt: skip
        """Ten errors of depth maps under one named protocol."""
        show(depth(annotations, results, levels, crop, cap, align), False, as_json)

    @app.command("captions")
    def captions_command(
        annotations: Truth, results: Found,
        lines: Annotated[bool, typer.Option("--lines", help="plain text, a caption a line, words as they stand")] = False,
        references: Annotated[
            list[Path] | None, typer.Option("--references", help="with --lines: a further file of references; repeatable")
        ] = None,
        engine: Engine = "hotcoco", as_json: Json = False,
    ) -> None:  # fmt: skip
        """BLEU, METEOR, ROUGE-L and CIDEr of a COCO caption result file, or of plain text."""
        if references and not lines:
            raise OfficialError(
                f"{references[0]}: --references are files of one caption a line; --lines beside it is right"
            )
        if lines:
            show(captions_of_lines([annotations, *(references or ())], results, engine), False, as_json)
        else:
            show(captions(annotations, results, engine), False, as_json)

    @app.command("vqa")
    def vqa_command(annotations: Truth, results: Found, classes: Classes = False, as_json: Json = False) -> None:
        """Soft accuracy of a VQAv2 or OK-VQA result file."""
        show(vqa(annotations, results), classes, as_json)

    @app.command("textvqa")
    def textvqa_command(annotations: Truth, results: Found, as_json: Json = False) -> None:
        """Soft accuracy of TextVQA answers, the challenge's or LLaVA's."""
        show(textvqa(annotations, results), False, as_json)

    @app.command("gqa")
    def gqa_command(
        questions: Annotated[Path, typer.Argument(help="*_questions.json")],
        predictions: Annotated[Path, typer.Argument(help="rows of `questionId` and `prediction`")],
        choices: Annotated[Path | None, typer.Option("--choices", help="*_choices.json: validity and plausibility")] = None,
        consistency: Annotated[bool, typer.Option("--consistency", help="of *_all_questions.json, all of them answered")] = False,
        classes: Classes = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Accuracy of GQA answers, as its eval.py counts them."""
        show(gqa(questions, predictions, choices, consistency), classes, as_json)

    @app.command("pope")
    def pope_command(
        labels: Annotated[Path, typer.Argument(help="coco_pope_*.json")],
        answers: Annotated[Path, typer.Argument(help="JSON lines with `answer`, in the order of the labels")],
        questions: Annotated[
            Path | None, typer.Option("--questions", help="LLaVA's and InternVL's: rows of question_id and category")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Accuracy, precision, recall, F1 and yes-ratio of POPE answers."""
        show(pope(labels, answers, questions), False, as_json)

    @app.command("rec")
    def rec_command(
        results: Annotated[Path, typer.Argument(help="rows of `answer`, `gt_bbox`, `hw`, as evaluate_grounding.py writes them")],
        dialect: Annotated[str, typer.Option("--dialect", help="the format of the answers; `refvlm-bench dialects`")],
        as_json: Json = False,
    ) -> None:  # fmt: skip
        """Accuracy of referring expression answers in Qwen-VL's and InternVL's layout."""
        show(rec(results, dialect_named(dialect)), False, as_json)

    @app.command("gcg")
    def gcg_command(
        masks: Annotated[Path, typer.Argument(help="*_gcg_coco_mask_gt.json")],
        captions: Annotated[Path, typer.Argument(help="*_gcg_coco_caption_gt.json")],
        answers: Annotated[Path, typer.Argument(help="the folder of IMAGE.json answers")],
        engine: Engine = "hotcoco", as_json: Json = False,
    ) -> None:  # fmt: skip
        """Grounded captions in GLaMM's layout."""
        show(gcg(masks, captions, answers, engine), False, as_json)

    @app.command("noc")
    def noc_command(
        sessions: Annotated[Path, typer.Argument(help="IoUs after every click (.json, .npy), or a folder of NAME/1.png, ...")],
        masks: Annotated[Path | None, typer.Option("--masks", help="the folder of annotated NAME.png")] = None,
        limit: Annotated[int, typer.Option("--clicks", min=1, help="at most so many clicks a session")] = LIMIT,
        ignore: Annotated[int | None, typer.Option("--ignore", help="the annotated value that does not count")] = None,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        """Number of clicks until IoU .80, .85, .90 of interactive segmentation."""
        show(noc(sessions, masks, limit, ignore), False, as_json)


def show(table: Table, classes: bool, as_json: bool) -> None:
    """Print a table: the numbers as the official tools order them, classes when asked for."""
    console = Console(width=None if not as_json else 10_000)
    if as_json:
        typer.echo(json.dumps(asdict(table), allow_nan=False))
        return
    numbers = {**table.numbers, **table.ties}
    console.print(_grid(table.title, ("number", "value"), [{"number": k, "value": v} for k, v in numbers.items()]))
    if classes and table.classes:
        console.print(_grid("by class", tuple(table.classes[0]), list(table.classes)))
    engine = ", ".join(f"{package} {version}" for package, version in table.engine.items())
    for note in (*table.notes, f"computed by {engine}"):
        console.print(f"[dim]{escape(note)}[/dim]", soft_wrap=True, highlight=False)


def _grid(title: str, columns: tuple[str, ...], rows: list[Mapping[str, Any]]) -> Grid:
    grid = Grid(title=title, title_justify="left")
    for column in columns:
        grid.add_column(column, justify="left" if column in ("number", "class") else "right")
    for row in rows:
        grid.add_row(*(escape(_shown(row[column])) for column in columns))
    return grid


def _shown(value: object) -> str:
    return "null" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)
