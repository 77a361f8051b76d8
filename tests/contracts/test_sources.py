"""Every converter is held to the source contract by its name alone, on the sample its writer of the same name makes."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from vtinstruct import plugins
from vtinstruct.record import FACTS, Drop, Record
from vtinstruct.sample import sources, write_sample
from vtinstruct.source import Source, SourceError, licence_ids
from vtinstruct.task import offers

NAMES = plugins.names("converters")
SCENES = 60  # enough for every split of every source


@dataclasses.dataclass(frozen=True)
class Case:
    """One source on the sample: its root there and the splits its writer wrote."""

    source: Source
    root: Path
    splits: tuple[str, ...]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, tuple[str, ...]]]:
    out = tmp_path_factory.mktemp("sources") / "sample"
    written = write_sample(out, SCENES, seed=3)
    return {part.name: (out / part.folder, part.splits) for part in written.sources}


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, sample: dict[str, tuple[Path, tuple[str, ...]]]) -> Case:
    name = request.param
    assert name in sample, f"converters/{name}.py has no writer vtinstruct/sample/{name}.py"
    return Case(plugins.load("converters", name), *sample[name])


def read(source: Source, root: Path, split: str) -> tuple[list[Record], list[Drop]]:
    opened = source.open(root, split)
    drops = list(opened.faults)
    return list(opened.records(0, len(opened), drops.append)), drops


def linked_copy(root: Path, target: Path) -> Path:
    shutil.copytree(root, target, copy_function=os.link)
    return target


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # the file is a link to the sample's
    path.write_bytes(content)


def test_every_writer_has_a_converter() -> None:
    assert set(sources()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_card(name: str) -> None:
    source = plugins.load("converters", name)
    assert isinstance(source, Source)
    assert source.name == name
    assert source.offers
    assert source.offers <= set(FACTS)
    assert source.title
    assert source.version
    assert source.homepage.startswith(("https://", "http://"))
    assert "<root>" in source.layout
    for licence in licence_ids(source.licence):
        assert re.fullmatch(r"[A-Za-z0-9.+-]+", licence), "an SPDX id or a LicenseRef"
    assert source.splits
    assert all(re.fullmatch(r"\w+(\.\w+)*", split) for split in source.splits), "datasets refuses other split names"


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_or_missing_folder_is_one_clear_line(name: str, tmp_path: Path) -> None:
    source = plugins.load("converters", name)
    for root in (tmp_path, tmp_path / "nowhere"):
        assert source.find(root) == ()
        with pytest.raises(SourceError) as caught:
            source.open(root, source.splits[0])
        assert str(root) in str(caught.value)
        assert "\n" not in str(caught.value)
        for hostile in ("../train", "no such split", "", "a/b", "\0"):
            with pytest.raises(SourceError):
                source.open(root, hostile)


def test_the_sample_reads_without_a_single_drop(case: Case) -> None:
    assert case.splits
    assert set(case.splits) <= set(case.source.find(case.root))
    found: set[str] = set()
    for split in case.splits:
        records, drops = read(case.source, case.root, split)
        assert drops == []
        assert records
        found |= {fact for record in records for fact in offers(record)}
    assert case.source.offers <= found, f"offered but never there: {sorted(case.source.offers - found)}"


def test_ids_are_unique_and_two_readings_are_equal(case: Case) -> None:
    for split in case.splits:
        records, _ = read(case.source, case.root, split)
        assert len({record.id for record in records}) == len(records)
        again, _ = read(case.source, case.root, split)
        assert again == records
        for record in records:
            assert (record.source, record.split) == (case.source.name, split)
            assert record.licence in licence_ids(case.source.licence)
            assert record.origin.file
            assert record.origin.row


def test_slots_can_be_cut_anywhere(case: Case) -> None:
    split = case.splits[0]
    opened = case.source.open(case.root, split)
    ignore = lambda _: None  # noqa: E731
    n = len(opened)
    whole = list(opened.records(0, n, ignore))
    assert len(whole) == n
    for cut in (0, 1, n // 2, n):
        assert [*opened.records(0, cut, ignore), *opened.records(cut, n, ignore)] == whole
    assert list(opened.records(n // 2, n // 2 + 1, ignore)) == [whole[n // 2]]
    assert list(opened.records(n, n + 5, ignore)) == []


def regions_of(case: Case) -> Iterator[tuple[Record, tuple[int, int]]]:
    for split in case.splits:
        for record in read(case.source, case.root, split)[0]:
            if record.photo is not None:
                yield record, record.photo.size_wh


def test_photos_are_there_and_as_large_as_said(case: Case) -> None:
    for record, size_wh in regions_of(case):
        assert record.photo is not None
        assert not Path(record.photo.path).is_absolute()
        assert "\\" not in record.photo.path
        assert record.photo.id
        with Image.open(case.root / record.photo.path) as picture:
            assert picture.size == size_wh


def test_geometry_lies_in_the_photo_and_masks_are_pycocotools_own(case: Case) -> None:
    for record, (width, height) in regions_of(case):
        assert len({region.id for region in record.regions}) == len(record.regions)
        for region in record.regions:
            if region.box_xyxy is not None:
                x0, y0, x1, y1 = region.box_xyxy
                assert 0 <= x0 < x1 <= width
                assert 0 <= y0 < y1 <= height
            for x, y, v in region.keypoints_xyv:
                assert v in (0, 1, 2)
                assert v == 0 or (0 <= x <= width and 0 <= y <= height)
            if region.mask_rle is not None:
                assert region.mask_rle.size_hw == (height, width)
                native = {"size": [height, width], "counts": region.mask_rle.counts}
                assert coco_mask.encode(coco_mask.decode(native))["counts"] == region.mask_rle.counts


def test_references_resolve(case: Case) -> None:
    for record, _ in regions_of(case):
        ids = {region.id for region in record.regions}
        texts = [*record.grounded_captions, *(turn.words for chat in record.chats for turn in chat.turns)]
        for question in record.questions:
            texts += [question.question, *question.answers, *question.choices]
            assert ids.issuperset(question.evidence_ids)
        for expression in record.expressions:
            assert ids.issuperset(expression.region_ids)
            assert expression.text.strip()
        assert len({expression.id for expression in record.expressions}) == len(record.expressions)
        for text in texts:
            ends = [0]
            for span in text.spans:
                assert ends[-1] <= span.start < span.stop <= len(text.text)
                assert ids.issuperset(span.region_ids)
                ends.append(span.stop)


def test_categories_are_of_the_vocabulary(case: Case) -> None:
    for split in case.splits:
        opened = case.source.open(case.root, split)
        names = {category.id: category.name for category in opened.vocabulary}
        assert len(names) == len(opened.vocabulary)
        for record in opened.records(0, len(opened), lambda _: None):
            for region in record.regions:
                assert not names or region.category_id == -1 or names[region.category_id] == region.category


def test_no_photo_is_decoded_to_read_annotations(case: Case, tmp_path: Path) -> None:
    """Photos cut after their header read just the same: sizes may come from headers, pixels are nobody's business."""
    split = case.splits[0]
    records, _ = read(case.source, case.root, split)
    root = linked_copy(case.root, tmp_path / "copy")
    for path in {record.photo.path for record in records if record.photo is not None}:
        replace(root / path, (root / path).read_bytes()[:700])
    assert read(case.source, root, split) == (records, [])


def test_a_file_cut_in_half_is_said_or_changes_nothing(case: Case, tmp_path: Path) -> None:
    """JSON and pickles show that they are cut; a list of lines cannot."""
    split = case.splits[0]
    files = [path.relative_to(case.root) for path in case.source.open(case.root, split).files]
    files = [path for path in files if path.suffix in (".json", ".p", ".pkl")]
    records, _ = read(case.source, case.root, split)
    for number, path in enumerate(files[:4]):  # some sources have a file for every photo
        root = linked_copy(case.root, tmp_path / str(number))
        content = (root / path).read_bytes()
        replace(root / path, content[: len(content) // 2])
        refused, kept, drops = "", records, list[Drop]()
        try:
            kept, drops = read(case.source, root, split)
        except SourceError as error:
            refused = str(error)
        assert "\n" not in refused
        assert path.name in refused or drops or (kept == records and not refused), path


def test_a_missing_photo_costs_its_record_only(case: Case, tmp_path: Path) -> None:
    split = case.splits[0]
    records, _ = read(case.source, case.root, split)
    gone = next((record.photo.path for record in records if record.photo is not None), None)
    if gone is None:
        pytest.skip("this source has no photos")
    root = linked_copy(case.root, tmp_path / "copy")
    (root / gone).unlink()
    kept, drops = read(case.source, root, split)
    assert kept == [record for record in records if record.photo is None or record.photo.path != gone]
    assert [drop for drop in drops if "photo" in drop.reason]


def test_photos_do_not_leave_the_root_through_a_link(case: Case, tmp_path: Path) -> None:
    split = case.splits[0]
    records, _ = read(case.source, case.root, split)
    gone = next((record.photo.path for record in records if record.photo is not None), None)
    if gone is None:
        pytest.skip("this source has no photos")
    root = linked_copy(case.root, tmp_path / "copy")
    outside = tmp_path / "outside.jpg"
    outside.write_bytes((root / gone).read_bytes())
    (root / gone).unlink()
    (root / gone).symlink_to(outside)
    kept, drops = read(case.source, root, split)
    assert gone not in {record.photo.path for record in kept if record.photo is not None}
    assert drops
