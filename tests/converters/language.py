"""What the tests of the language sources share: a few scenes written by one writer, and a strict look at records."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from vtinstruct import plugins
from vtinstruct.photos import read_file
from vtinstruct.record import Drop, GroundedText, Record
from vtinstruct.sample._shot import Shot
from vtinstruct.sample.scenes import draw_scene
from vtinstruct.task import offers

SCENES = (
    1,
    4,
    7,
    10,
    19,
    28,
    34,
    49,
)  # of those the question formats take; 4, 19, 34, 49 are for evaluation, 28 is empty

# Regions that somebody speaks of are no answer to "find everything", and words tied to a region need no mark to be
# understood, and a question about a mark is none without it: a record may have these without its source offering them.
NOT_PROMISED = {"boxes", "chats", "masks", "questions", "reasons", "region_questions"}


@cache
def shot(index: int) -> Shot:
    """A drawn scene, once per process."""
    return Shot(index, 0, draw_scene(0, index))


def write(name: str, out: Path) -> tuple[Path, tuple[str, ...]]:
    """The scenes in the format of one source: its root and its splits."""
    writer = importlib.import_module(f"vtinstruct.sample.{name}").WRITER(out, 0)
    for index in SCENES:
        writer.add(shot(index))
    splits = writer.finish()
    return out / writer.folder, splits


def read(name: str, root: Path, split: str) -> tuple[list[Record], list[Drop]]:
    """All records of a split, held to what every source promises, and all drops."""
    source = plugins.load("converters", name)
    opened = source.open(root, split)
    drops: list[Drop] = list(opened.faults)
    records = list(opened.records(0, len(opened), drops.append))
    again = [record for n in range(len(opened)) for record in opened.records(n, n + 1, lambda drop: None)]
    assert records == again, "slots must not depend on company"
    assert records == list(source.open(root, split).records(0, len(opened), lambda drop: None))
    assert len({record.id for record in records}) == len(records)
    assert all(path.is_file() for path in opened.files)
    assert split in source.find(root)
    for record in records:
        assert (record.source, record.split) == (name, split)
        assert offers(record) <= source.offers | NOT_PROMISED, offers(record) - source.offers
        _check_geometry(record, root)
    for drop in drops:
        assert drop.source == name, drop
        assert drop.file, drop
        assert drop.row, drop
        assert drop.reason, drop
    return records, drops


def facts(name: str, root: Path, splits: tuple[str, ...]) -> set[str]:
    """All facts that the records of these splits show."""
    found = {fact for split in splits for record in read(name, root, split)[0] for fact in offers(record)}
    return found & plugins.load("converters", name).offers


def texts(record: Record) -> Iterator[GroundedText]:
    """Every grounded text of a record."""
    yield from record.grounded_captions
    for question in record.questions:
        yield from (question.question, *question.answers, *question.choices)
        if question.reason is not None:
            yield question.reason
    for chat in record.chats:
        yield from (turn.words for turn in chat.turns)


def _check_geometry(record: Record, root: Path) -> None:
    ids = [region.id for region in record.regions]
    assert len(set(ids)) == len(ids)
    if record.photo is not None:
        width, height = record.photo.size_wh
        with Image.open(BytesIO(read_file(root / record.photo.path))) as picture:
            assert picture.size == (width, height)
        for region in record.regions:
            if region.box_xyxy is not None:
                x0, y0, x1, y1 = region.box_xyxy
                assert 0 <= x0 < x1 <= width
                assert 0 <= y0 < y1 <= height
            if region.mask_rle is not None:
                assert region.mask_rle.size_hw == (height, width)
    for expression in record.expressions:
        assert set(expression.region_ids) <= set(ids)
    for question in record.questions:
        assert set(question.evidence_ids) <= set(ids)
    for text in texts(record):
        stop = 0
        for span in text.spans:
            assert stop <= span.start < span.stop <= len(text.text)
            stop = span.stop
            assert set(span.region_ids) <= set(ids)
            assert span.region_ids or span.points_xy


def tiny_photo(path: Path, size_wh: tuple[int, int] = (8, 6)) -> None:
    """A picture file of a few pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size_wh).save(path)
