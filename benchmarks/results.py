"""`results.json`: the numbers of one model on one dataset, with everything needed to read them right.

Versioned: `VERSION` rises when a reader of the old form would misread the new one. Written with sorted keys and no date, so
scoring the same predictions twice gives the same bytes. `results.schema.json` beside this file says the form in JSON Schema, for
readers in other languages; the tests hold it to these classes. Version 2: confusions say their unit, and classes are named by
words also where the source has no list of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, cast

import msgspec

from benchmarks.confusion import Confusion
from benchmarks.scorer import Engine, Interval
from vtinstruct.partial import whole

FORMAT = "refvlm-bench-results"
VERSION = 2


class ResultsError(Exception):
    """A result file that cannot be used; one line with the file, what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """One suite on one source and split. `n` samples, of which `missing` had no answer and `invalid` a faulty one; both
    are in the numbers. `rows` names the Parquet file of its rows, relative to the result file, and `rows_sha256` is the seal
    of that file ("": an older version's, without one)."""

    suite: str
    version: int
    task: str
    scorer: str
    source: str
    split: str
    primary: str
    higher_is_better: bool
    n: int
    missing: int
    invalid: int
    numbers: Mapping[str, float | None]
    intervals: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rows: str = ""
    rows_sha256: str = ""

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What may be ranked together: same suite, version, source and split."""
        return (self.suite, self.version, self.source, self.split)

    @property
    def value(self) -> float | None:
        """The primary number."""
        return self.numbers.get(self.primary)


@dataclass(frozen=True, slots=True)
class Results:
    """One model on one dataset. `predictions_sha256` ties the numbers to the file they came from; `intake` counts what
    was wrong with that file; `other_dataset` is True when it was made for another dataset and scored all the same;
    `predictions` are the digests of its parts, sorted."""

    model: str
    dataset: str
    dataset_name: str
    predictions_sha256: str
    engine: Engine
    versions: Mapping[str, str]
    options: Mapping[str, Any]
    generation: Mapping[str, Any]
    intake: Mapping[str, Any]
    suites: tuple[SuiteResult, ...]
    other_dataset: bool = False
    predictions: tuple[str, ...] = ()


Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class _Intake(msgspec.Struct):
    answers: Count = 0
    unknown_ids: Count = 0
    other_turns: Count = 0
    reasons: dict[str, Count] = {}
    lines: list[str] = []


class _Options(msgspec.Struct):
    resamples: Count
    seed: Count
    limit: Count | None = None
    phrases: str = "exact"


class _Unknown(msgspec.Struct):
    phrases: dict[str, Count] = {}
    instances: Count = 0


class _Frames(msgspec.Struct):
    answered: Count
    within_a_pixel: Count
    beyond_photo: Count


class _Details(msgspec.Struct):
    """What others than the scorer itself read of them."""

    scored: bool | None = None
    frames: _Frames | None = None
    unknown_classes: _Unknown | None = None


def results_schema() -> dict[str, Any]:
    """The form of the file as JSON Schema, draft 2020-12: what `results_to_json` writes and `results_from_json` asks for."""
    _, parts = msgspec.json.schema_components([Results, Confusion], ref_template="#/$defs/{name}")
    for part in parts.values():  # Python 3.13 keeps docstrings without their indentation
        part["description"] = " ".join(part["description"].split())
    form = parts.pop("Results")
    parts["SuiteResult"]["properties"]["details"] |= {"properties": {"confusion": {"$ref": "#/$defs/Confusion"}}}
    form["properties"] = {"format": {"const": FORMAT}, "version": {"const": VERSION}} | form["properties"]
    form["required"] = ["format", "version", *form["required"]]
    title = f"{FORMAT}, version {VERSION}"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **form, "title": title, "$defs": parts}


def results_to_json(results: Results) -> str:
    """The file's text; inverse of `results_from_json`. NaN and infinity cannot be in it."""
    wire = {"format": FORMAT, "version": VERSION, **asdict(results)}
    return json.dumps(wire, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_results(path: Path, results: Results) -> None:
    """Write the file whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(results_to_json(results), encoding="utf-8")


def read_results(path: Path) -> Results:
    """Read a result file, or the one in a folder. Raises `ResultsError`."""
    if path.is_dir():
        path = path / "results.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(
            f"{path} cannot be read ({error}); a results.json of `refvlm-bench score` is right"
        ) from error
    return results_from_json(text, path)


def results_from_json(text: str, path: Path) -> Results:
    """Read the text of a result file; `path` is for messages. Raises `ResultsError`."""
    try:
        wire: Any = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path} is not JSON ({error}); score the predictions again") from error
    if not isinstance(wire, dict) or cast(dict[str, Any], wire).get("format") != FORMAT:
        raise ResultsError(f'{path} is no result file; {{"format": "{FORMAT}", ...}} is right')
    fields = cast(dict[str, Any], wire)
    if fields.get("version") != VERSION:
        raise ResultsError(f"{path} has version {fields.get('version')!r}; this program reads version {VERSION}")
    try:
        found = msgspec.convert(fields, Results)
        msgspec.convert(found.intake, _Intake)
        msgspec.convert(found.options, _Options)
        for suite in found.suites:
            msgspec.convert(suite.details, _Details)
    except msgspec.ValidationError as error:
        raise ResultsError(f"{path} lacks or garbles a field ({error}); score the predictions again") from error
    names = (found.model, *(name for s in found.suites for name in (s.suite, s.source, s.split, s.primary)))
    for name in names:
        if not name.isprintable():  # it is shown on terminals, as it is
            raise ResultsError(f"{path}: a name is {name!r:.60}; names of one line are right")
    for suite in found.suites:
        _check(suite, path)
    return found


def _check(suite: SuiteResult, path: Path) -> None:
    """What a type does not say: counts that fit each other, and rows that lie beside the file."""
    if not (0 <= suite.version < 1 << 31 and suite.missing >= 0 <= suite.invalid <= suite.n - suite.missing < 1 << 63):
        raise ResultsError(
            f"{path}: {suite.suite!r:.60} has version {suite.version}, {suite.n} samples, {suite.missing} missing, "
            f"{suite.invalid} invalid; counts that fit each other are right"
        )
    rows = PurePosixPath(suite.rows)
    if rows.is_absolute() or ".." in rows.parts:
        raise ResultsError(f"{path}: rows in {suite.rows!r:.100}; a file below this one's folder is right")
