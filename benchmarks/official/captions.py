"""COCO captions and results, scored as `pycocoevalcap` does.

Format: https://cocodataset.org/#format-results: a result row has `image_id` and `caption`, one row an image. As its example
does, the original scores the images that have a result; how many have none is said.

`captions_of_lines` is for plain text, one caption a line, as nlg-eval takes it (github.com/Maluuba/nlg-eval,
`nlgeval/__init__.py`, `compute_metrics`, which hands the lines to the same four scorers): words are what stands between blanks,
nothing is tokenised, lowered or left out, and the n-th line of every reference file is a reference of the n-th caption.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.meteor import data_version
from benchmarks.official._files import OfficialError, Rows, check_ids, read_json, rows_of
from benchmarks.official._table import Table
from benchmarks.scorer import Engine, Setting
from benchmarks.scorers._ngrams import bleu, bleu_counts, rouge_l
from benchmarks.scorers._ptb import tokens
from benchmarks.scorers._words import consensus


def captions(annotations: Path, results: Path, engine: Engine = "hotcoco") -> Table:
    """BLEU-1 to 4, METEOR (where its data is), ROUGE-L and CIDEr of a result file. Raises `OfficialError`."""
    whole, found = read_json(annotations), rows_of(read_json(results), str(results))
    file = cast(dict[str, Any], whole) if isinstance(whole, dict) else {}
    annotated = rows_of(file.get("annotations"), f"{annotations}: annotations")
    kind = check_ids(annotated, f"{annotations}: annotations", "image_id")
    check_ids(found, str(results), "image_id", kind)
    references: dict[int | str, list[str]] = {}
    for _, image, caption in _spoken(annotated, f"{annotations}: annotations"):
        references.setdefault(image, []).append(caption)
    said: dict[int | str, str] = {}
    for where, image, caption in _spoken(found, str(results)):
        if image not in references:
            raise OfficialError(
                f"{where} is for image {image}, which has no annotated caption; a captioned one is right"
            )
        if image in said:
            raise OfficialError(f"{where} is a second caption for image {image}; one an image is right")
        said[image] = caption
    listed = [image for image in _listed(file.get("images"), references) if image in said]
    theirs_of = _tokens({image: references[image] for image in listed})
    ours_of = _tokens({image: [said[image]] for image in listed})
    order = sorted(cast(list[Any], listed))  # all of one kind
    ours, theirs = [ours_of[image][0] for image in order], [theirs_of[image] for image in order]
    note = f"{len(order)} of {len(references)} captioned images have a result, and are scored"
    rouge = [rouge_l(*pair) for pair in zip(ours, theirs, strict=True)]
    return _table("COCO captions", ours, theirs, rouge, engine, note)


def _listed(images: object, captioned: Iterable[int | str]) -> list[int | str]:
    """The captioned images in the order of the file's `images`, in which the original reads them; then those not listed."""
    rows = cast(list[Any], images) if isinstance(images, list) else []
    ids = [cast(dict[str, Any], row).get("id") for row in rows if isinstance(row, dict)]
    known = {one: one for one in captioned}
    first = [known[one] for one in ids if isinstance(one, int | str | float) and one in known]
    return list(dict.fromkeys([*first, *known]))


def _tokens(captions_of: Mapping[int | str, Sequence[str]]) -> dict[int | str, list[list[str]]]:
    """The tokens of all captions, each read with the one that follows it in the original's list."""
    every = [caption for several in captions_of.values() for caption in several]
    read = iter([tokens(text, following) for text, following in zip(every, [*every, ""][1:], strict=True)])
    return {image: [next(read) for _ in several] for image, several in captions_of.items()}


def captions_of_lines(references: Sequence[Path], results: Path, engine: Engine = "hotcoco") -> Table:
    """The same numbers of plain text files, one caption a line. Raises `OfficialError`."""
    said, files = _lines(results), [_lines(path) for path in references]
    for path, lines in zip(references, files, strict=True):
        if len(lines) != len(said):
            raise OfficialError(
                f"{path}: {len(lines)} lines, {results} has {len(said)}; a reference for every caption is right"
            )
    others = list(zip(*files, strict=True))
    ours, theirs = [line.split() for line in said], [[line.split() for line in several] for several in others]
    # of the original's scorers this one alone takes two blanks in a row for an empty word between them
    rouge = [
        rouge_l(line.split(" "), [other.split(" ") for other in several])
        for line, several in zip(said, others, strict=True)
    ]
    note = f"{len(said)} captions, {len(references)} references each; words are what stands between blanks"
    return _table("captions, one a line", ours, theirs, rouge, engine, note)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8")  # \r\n is one line's end, as for the original
    except OSError as error:
        raise OfficialError(f"{path}: {error.strerror or error}; a readable file is right") from error
    except UnicodeDecodeError as error:
        raise OfficialError(f"{path}: not UTF-8 ({error}); text of one caption a line is right") from error
    return [line.strip() for line in text.removesuffix("\n").split("\n")] if text else []


def _table(
    title: str, ours: list[list[str]], theirs: list[list[list[str]]], rouge: list[float], engine: Engine, note: str
) -> Table:
    notes = [note]
    numbers: dict[str, float | None] = dict.fromkeys(
        (*(f"Bleu_{n}" for n in range(1, 5)), "METEOR", "ROUGE_L", "CIDEr", "CIDEr[corrected]")
    )
    if ours:
        counts = np.array([bleu_counts(*pair) for pair in zip(ours, theirs, strict=True)]).sum(axis=0)
        numbers |= {f"Bleu_{n + 1}": float(value) for n, value in enumerate(bleu(counts))}
        words = consensus(ours, theirs, Setting(engine=engine, resamples=0))
        notes += words.remarks
        numbers["METEOR"] = words.meteor
        numbers["ROUGE_L"] = float(np.mean(rouge))
        numbers["CIDEr"] = float(words.cider.mean())
        numbers["CIDEr[corrected]"] = float(words.corrected.mean())
    versions = {
        "numpy": importlib.metadata.version("numpy"),
        **(data_version() if numbers["METEOR"] is not None else {}),
    }
    return Table(title, numbers, (), tuple(notes), versions)


def _spoken(rows: Rows, path: str) -> list[tuple[str, int | str, str]]:
    for number, row in enumerate(rows):
        if not isinstance(row.get("caption"), str):
            raise OfficialError(f"{path}: [{number}] has caption {row.get('caption')!r:.60}; a text is right")
    return [(f"{path}: [{number}]", row["image_id"], row["caption"]) for number, row in enumerate(rows)]
