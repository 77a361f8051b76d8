"""Every export keeps the contract of `vtinstruct/export.py`, by its file name alone."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.made import coco_dialogues, dialogue, made_coco, vocabulary_of, write_dataset
from vtinstruct import plugins
from vtinstruct.export import REPORT, ROOM, Export, Item, Job, export, export_named, formats
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.shards import open_batches
from vtinstruct.units import UNIT_KINDS

NAMES = plugins.names(ROOM)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boxes, masks, poses and plain words about a few photos."""
    coco = made_coco(3, photos=8)
    rows = [
        row
        for task, kind in (("det", "box"), ("seg", "mask"), ("keypoints", "keypoint"))
        for row in coco_dialogues(coco, task, kind)
    ]
    rows += [
        replace(row, turns=dialogue("", "", ["A dog."]).turns, id=f"{row.id}c", task="caption") for row in rows[:8]
    ]
    return write_dataset(tmp_path_factory.mktemp("export") / "dataset", rows, vocabulary_of(coco))


@pytest.mark.parametrize("name", NAMES)
def test_card(name: str) -> None:
    form = plugins.load(ROOM, name)
    assert isinstance(form, Export)
    assert form.name == name.replace("_", "-")
    assert form.name in formats()
    assert export_named(form.name) is form
    assert form.title
    assert form.kinds <= set(UNIT_KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_dataset_twice_gives_the_same_bytes_and_a_report(name: str, dataset: Path, tmp_path: Path) -> None:
    form = plugins.load(ROOM, name)
    told: list[tuple[int, int]] = []
    done = export(dataset, form.name, tmp_path / "one", progress=lambda *numbers: told.append(numbers))
    again = export(dataset, form.name, tmp_path / "two")
    assert done == again
    manifest = read_manifest(dataset)
    assert done.content_hash == manifest.content_hash
    assert done.dialogues == sum(shard.rows for shard in manifest.files if shard.task in done.tasks)
    assert told[-1] == (done.dialogues, done.dialogues)
    written = sorted(
        path.relative_to(tmp_path / "one").as_posix() for path in (tmp_path / "one").rglob("*") if path.is_file()
    )
    assert written == sorted([*done.files, REPORT])
    for path in written:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
    assert json.loads((tmp_path / "one" / REPORT).read_text())["dialogues"] == done.dialogues
    if form.kinds:
        assert all(form.kinds & set(plugins.load("vtinstruct.tasks", task).units) for task in done.tasks)
    else:
        assert done.tasks == manifest.tasks()


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_let_go_as_they_are_written(name: str, dataset: Path, tmp_path: Path) -> None:
    class Row(dict):
        """A dict that can be watched."""

    alive: weakref.WeakSet[Row] = weakref.WeakSet()
    Row.__hash__ = object.__hash__  # type: ignore[method-assign]
    most = 0
    manifest = read_manifest(dataset)
    shard = manifest.shards("det", "val")[0]
    rows = [row for batch in open_batches(dataset / shard.path) for row in batch.to_pylist()]

    def items() -> Iterator[Item]:
        nonlocal most
        for number in range(200):
            row = Row(rows[number % len(rows)])
            alive.add(row)
            yield Item(row)
            del row
            most = max(most, len(alive))

    (tmp_path / "out").mkdir()
    with closing(Job(dataset, manifest, tmp_path / "out", False)) as job:
        files = list(plugins.load(ROOM, name).write(items(), job))
    assert files
    assert most <= 3


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_at_all_are_no_trouble(name: str, dataset: Path, tmp_path: Path) -> None:
    assert list(plugins.load(ROOM, name).write(iter(()), Job(dataset, read_manifest(dataset), tmp_path, False))) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_is_one_line(name: str, dataset: Path, tmp_path: Path) -> None:
    form = name.replace("_", "-")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for words, message in [
        ({"out": tmp_path / "full"}, "a new or empty folder is right"),
        ({"splits": ("holiday",)}, "no split 'holiday'; there are: "),
        ({"tasks": ("juggle",)}, "no task 'juggle' in the dataset"),
        ({"root": tmp_path}, "manifest.json is not there"),
    ]:
        with pytest.raises(DatasetError, match=message) as caught:
            export(**{"root": dataset, "to": form, "out": tmp_path / "out", **words})  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(plugins.UnknownPlugin, match="no export 'zip'; known: "):
        export(dataset, "zip", tmp_path / "out")
