"""The whole way of the data: records through the build into shards, out again by plain `datasets`, and the text parsed. What
comes back is what the tasks made, triplet by triplet and bit by bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vtinstruct.records import VOCABULARY, full_record, records
from vtinstruct import plugins
from vtinstruct.build import Options, build
from vtinstruct.build.choose import Chosen
from vtinstruct.build.progress import Silent
from vtinstruct.chance import Keyed
from vtinstruct.columns import Columns, RowError
from vtinstruct.dialogue import Dialogue, Provenance, StoredPhoto, Triplet, Turn
from vtinstruct.geometry import encode_mask, rle_area, rle_box
from vtinstruct.record import FACTS, Category, Drop, Expression, Origin, Photo, Record, Region
from vtinstruct.rows import dialogue_from_row
from vtinstruct.source import Report, Source
from vtinstruct.task import Setting
from vtinstruct.templates import Wordings

TASKS = plugins.names("vtinstruct.tasks")


class Given:
    """A split of a source that holds the records it was given."""

    faults: Sequence[Drop] = ()
    vocabulary: Sequence[Category] = VOCABULARY

    def __init__(self, root: Path, found: Sequence[Record]) -> None:
        self.files, self._found = [root / "annotations.json"], found

    def __len__(self) -> int:
        return len(self._found)

    def records(self, start: int, stop: int, report: Report) -> Iterator[Record]:
        yield from self._found[start:stop]


def expected(found: Iterable[Record], split: str) -> list[Dialogue]:
    """What the tasks make of the records, as the build asks them, without the build."""
    dialogues: list[Dialogue] = []
    for name in TASKS:
        task, words = plugins.load("vtinstruct.tasks", name), Wordings.load(name)
        for record in found:
            rng = Keyed()
            rng.key(f"0|{record.source}|{record.id}|{name}")
            setting = Setting(rng, words, VOCABULARY, split == "train", 0, lambda drop: None)
            depth = replace(record.depth, path=f"images/drawn/{record.depth.path}") if record.depth else None
            for dialogue in task.make(replace(record, depth=depth), setting):
                try:
                    Columns().add(dialogue)
                except RowError:
                    continue  # text that TRP cannot say: dropped with a reason, which other tests look at
                dialogues.append(dialogue)
    return dialogues


def said(dialogue: Dialogue) -> tuple[object, ...]:
    """Everything of a dialogue but what the build alone knows (hashes, the photo's place in the dataset)."""
    photo = dialogue.photo and (dialogue.photo.size_wh, dialogue.photo.id)
    origin = replace(dialogue.provenance, file_sha256="", converter_version="")
    return dialogue.id, photo, dialogue.turns, dialogue.evaluation, origin


def through(found: Sequence[Record], split: str) -> list[Dialogue]:
    """The same records through `build` and `datasets.load_dataset`."""
    with TemporaryDirectory() as folder:
        root, out = Path(folder, "source"), Path(folder, "dataset")
        root.mkdir()
        (root / "annotations.json").write_text("[]")
        source = Source(
            "drawn", "Drawn", "https://example.org", "CC0-1.0", frozenset(FACTS), ("train", "val"), "anything", "1",
            lambda root: ("train", "val"), lambda root, split: Given(root, found),
        )  # fmt: skip
        with mock.patch("vtinstruct.build.chunk.source_named", return_value=source):
            from vtinstruct.build import chunk

            with mock.patch("vtinstruct.build.chunk._opened", chunk._opened.__wrapped__):
                build([Chosen(source, root, (split,))], Options(photo_check=False, chunk_slots=2), out, Silent())
        datasets.disable_progress_bars()
        rows = datasets.load_dataset(str(out), "all", split=split, cache_dir=f"{folder}/cache")
        return [dialogue_from_row(row) for row in rows]


@settings(max_examples=8)
@given(found=st.lists(records(), max_size=3), split=st.sampled_from(["train", "val"]))
def test_random_records_come_back_bit_for_bit(found, split):
    numbered = [replace(record, id=f"r{n}", split=split) for n, record in enumerate(found)]
    whole = [*numbered, full_record(split=split)]
    back, made = through(whole, split), expected(whole, split)
    assert sorted(map(said, back), key=repr) == sorted(map(said, made), key=repr)
    assert len(back) >= len(TASKS)


def herd(split: str, count: int = 200) -> Record:
    """A photo of 640 x 400 with `count` sheep on a grid, two persons (one posed), and an expression that nothing matches."""
    size_wh = (640, 400)

    def region(id_: str, name: str, category: int, x: int, y: int, w: int, h: int, **more) -> Region:
        mask = np.zeros(size_wh[::-1], np.uint8)
        mask[y : y + h, x : x + w] = 1
        rle = encode_mask(mask)
        return Region(id_, name, category, rle_box(rle), rle, area=rle_area(rle) + 0.125, **more)

    sheep = [region(f"s{n}", "dog", 18, 10 + 30 * (n % 20), 10 + 20 * (n // 20), 20, 12) for n in range(count)]
    pose = ((20.25, 300.5, 2), (24.125, 310.0, 1), (0.0, 0.0, 0))
    persons = [
        region("p1", "person", 1, 10, 290, 30, 90, keypoints_xyv=pose),
        region("p2", "person", 1, 80, 290, 30, 90),
    ]
    return Record(
        "herd", "drawn", split, "CC0-1.0", Origin("annotations.json", "7"), Photo("images/7.png", size_wh, "drawn:7"),
        (*sheep, *persons), captions=("Two people and very many dogs.",),
        expressions=(Expression("1", "a {red} bus 🚌", ()), Expression("2", "both people", ("p1", "p2"))), exhaustive=True,
    )  # fmt: skip


@pytest.mark.parametrize("split", ["train", "val"])
def test_two_hundred_instances_in_one_answer(split):
    back = {dialogue.id: dialogue for dialogue in through([herd(split)], split)}
    made = expected([herd(split)], split)
    assert {id_: said(dialogue) for id_, dialogue in back.items()} == {d.id: said(d) for d in made}
    for task in ("det", "seg"):
        counts = [len(triplet.references) for _, triplet in back[f"drawn/{split}/herd/{task}/0"].triplets()]
        assert sorted(counts) == [2, 200]
    nothing = [d for d in back.values() if d.task == "res" and not list(d.references())]
    assert [triplet.concept for d in nothing for _, triplet in d.triplets()] == ["a {red} bus 🚌"]


def test_mixed_answers_hold_several_units_turns_and_prompts():
    mixed = [replace(herd("val", 3), id=f"herd{n}") for n in range(12)]
    back = [dialogue for dialogue in through(mixed, "val") if dialogue.task == "mixed"]
    assert len(back) == 12
    for dialogue in back:
        first = [part for part in dialogue.turns[1].parts if isinstance(part, Triplet)]
        assert {triplet.kind for triplet in first} == {"box", "mask", "keypoint"}
        assert any(not triplet.references for triplet in first)  # what is not there stands beside what is
        assert len(dialogue.turns) == 6
        assert [turn for turn, _ in dialogue.prompts()] == [2]  # a mark in a later turn
        assert not any(isinstance(part, Triplet) for turn in dialogue.turns[3:] for part in turn.parts)
    twice = [d for d in back if d.turns[1].parts and _names(d.turns[1])[0] == _names(d.turns[1])[1]]
    assert twice  # the same concept as boxes and as masks


def _names(turn: Turn) -> list[str]:
    return [part.concept for part in turn.parts if isinstance(part, Triplet)]


def test_the_comparison_can_fail():
    (made,) = [d for d in expected([full_record()], "train") if d.task == "det"]
    moved = replace(made, photo=StoredPhoto("x", "y", (1, 1), "other"))
    assert said(made) != said(moved)
    assert said(made) == said(replace(made, provenance=replace(made.provenance, file_sha256="00" * 32)))
    assert said(made) != said(replace(made, provenance=Provenance("", "", "", "", 0, "")))
