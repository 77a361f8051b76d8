"""A small sample and a dataset built from it, made once and never changed; a hand-made source for builds gone wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image

from vtinstruct.build import Options, build, choose
from vtinstruct.build.choose import Chosen
from vtinstruct.build.progress import Silent
from vtinstruct.record import Category, Drop, Expression, Origin, Photo, Record, Region
from vtinstruct.sample import write_sample
from vtinstruct.source import Report, Source


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("small") / "sample"
    write_sample(out, 12, 5)
    return out


@pytest.fixture(scope="session")
def small_chosen(small_sample) -> tuple[Chosen, ...]:
    """A few sources of the small sample, of every kind of annotation file."""
    folders = {"coco_captions": "coco", "coco_instances": "coco", "coco_keypoints": "coco", "nyuv2": "nyuv2"}
    folders |= {"refcoco": "refer", "grefcoco": "refer", "refcocog": "refer"}
    return choose([f"{name}={small_sample / folder}" for name, folder in folders.items()])


TASKS = ("caption", "depth", "det", "keypoints", "rec", "res", "seg")


@pytest.fixture(scope="session")
def small_dataset(small_chosen, tmp_path_factory) -> Path:
    """Seven tasks of these sources, in chunks of 7 records."""
    out = tmp_path_factory.mktemp("built") / "dataset"
    build(small_chosen, Options(TASKS, chunk_slots=7), out, Silent())
    return out


@pytest.fixture
def bytes_of() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a dataset but its hidden folder and pictures: path -> bytes."""

    def read(root: Path) -> dict[str, bytes]:
        paths = [path for path in root.rglob("*") if path.is_file()]
        kept = [path for path in paths if not {".build", "images"} & set(path.relative_to(root).parts)]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in kept}

    return read


@dataclass
class Handmade:
    """A source of hand-made records: edit `records`, then build `chosen()`. Photos are 8 x 6 and grey."""

    root: Path
    records: list[Record] = field(default_factory=list)
    faults: list[Drop] = field(default_factory=list)
    opened: int = 0
    version: str = "3"

    def chosen(self, *splits: str) -> list[Chosen]:
        return [Chosen(self.source(), self.root, splits or ("train",))]

    def source(self) -> Source:
        return Source(
            "handmade", "Hand-made", "https://example.org", "CC0-1.0",
            frozenset({"image", "boxes", "masks", "expressions", "captions"}), ("train", "val"), "anything", self.version,
            lambda root: ("train", "val"), self.open,
        )  # fmt: skip

    def open(self, root: Path, split: str) -> _Opened:
        self.opened += 1
        return _Opened([replace(record, split=split) for record in self.records], self.faults, [root / "ann.json"])

    def add(self, number: int, **fields) -> Record:
        """A record with one dog and one expression for it, its photo written."""
        path = f"photos/{number}.png"
        (self.root / "photos").mkdir(exist_ok=True)
        Image.new("L", (8, 6), number % 255).save(self.root / path)
        dog = Region("1", "dog", 18, (1.0, 1.0, 5.0, 4.0), area=12.0)
        record = Record(
            str(number), "handmade", "train", "CC0-1.0", Origin("ann.json", str(number)), Photo(path, (8, 6), f"own:{number}"),
            (dog,), captions=(f"dog {number}",), expressions=(Expression("1", f"the dog {number}", ("1",)),),
        )  # fmt: skip
        self.records.append(replace(record, **fields))
        return self.records[-1]


@dataclass
class _Opened:
    found: list[Record]
    faults: list[Drop]
    files: list[Path]
    vocabulary: tuple[Category, ...] = (Category(18, "dog"),)

    def __len__(self) -> int:
        return len(self.found)

    def records(self, start: int, stop: int, report: Report) -> Iterator[Record]:
        yield from self.found[start:stop]


@pytest.fixture
def handmade(tmp_path, monkeypatch) -> Handmade:
    root = tmp_path / "source"
    root.mkdir()
    (root / "ann.json").write_text(json.dumps({"any": "thing"}))
    made = Handmade(root)
    monkeypatch.setattr("vtinstruct.build.chunk.source_named", lambda name: made.source())
    monkeypatch.setattr("vtinstruct.build.chunk._opened", _uncached())
    return made


def _uncached() -> Callable:
    from vtinstruct.build import chunk

    return chunk._opened.__wrapped__


class Listening(Silent):
    """Keeps what a build says."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.chunks = 0
        self.done_before = self.slots = 0
        self.failures: list[tuple[str, str]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def planned(self, slots: int, done: int, chunks: int) -> None:
        self.slots, self.done_before = slots, done

    def failed(self, where: str, reason: str) -> None:
        self.failures.append((where, reason))

    def chunk(self, slots: int, receipt) -> None:
        self.chunks += 1


@pytest.fixture
def listening() -> Listening:
    return Listening()
