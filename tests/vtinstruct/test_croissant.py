"""`croissant.json`: what it says is what is there, and the official tool accepts it and reads the rows by it."""

from __future__ import annotations

import hashlib
import itertools
import json
import warnings

import pytest

from vtinstruct import card, croissant
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.manifest import read_manifest
from vtinstruct.shards import open_batches


@pytest.fixture(scope="module")
def built(small_sample, tmp_path_factory):
    """Two tasks of two sources, as Parquet with photos in it."""
    out = tmp_path_factory.mktemp("croissant") / "out"
    chosen = choose([f"refcoco={small_sample / 'refer'}", f"nyuv2={small_sample / 'nyuv2'}"])
    build(chosen, Options(("res", "depth"), format="parquet", embed=True), out, Silent())
    return out


def wire(root):
    return json.loads((root / croissant.NAME).read_text(encoding="utf-8"))


def test_every_file_stands_there_with_its_hash_and_every_task_with_its_columns(built):
    said, manifest = wire(built), read_manifest(built)
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    files = {file["contentUrl"]: file for file in said["distribution"] if file["@type"] == "cr:FileObject"}
    assert set(files) == {file.path for file in (*manifest.files, *manifest.images)}
    for path, file in files.items():
        content = (built / path).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    sets = {one["@id"]: one for one in said["recordSet"]}
    assert set(sets) == {"splits", "res", "depth", "images"}
    columns = [field["name"] for field in sets["res"]["field"]]
    assert columns == next(open_batches(built / manifest.shards("res", "val")[0].path)).schema.names
    assert {entry["splits/name"]: entry["splits/url"] for entry in sets["splits"]["data"]} == {
        "train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit", "testB": "cr:TestSplit",
    }  # fmt: skip


def test_what_it_was_derived_from(built):
    said, manifest = wire(built), read_manifest(built)
    assert said["license"] == ["LicenseRef-NYU-Depth-v2", "LicenseRef-RefCOCO"]
    assert croissant._licence("CC-BY-4.0") == "https://spdx.org/licenses/CC-BY-4.0.html"
    members = {member["prov:label"] for origin in said["prov:wasDerivedFrom"] for member in origin["prov:hadMember"]}
    assert members == {
        f"{file.path} sha256:{file.sha256}"
        for source in manifest.sources.values() for split in source.splits.values() for file in split.files
    }  # fmt: skip
    assert manifest.content_hash in said["prov:wasGeneratedBy"]["prov:label"]


def test_where_it_was_published_does_not_matter_to_check(built, tmp_path):
    manifest = read_manifest(built)
    there = (built / croissant.NAME).read_text()
    page = {"url": "https://x", "datePublished": "2026-01-02"}
    published = croissant.text(card.describe(manifest, **page))
    assert croissant.published_in(published) == page
    assert croissant.published_in(there) == croissant.published_in("[]") == croissant.published_in("") == {}
    try:
        (built / croissant.NAME).write_text(published)
        assert check(built).findings == ()
        (built / croissant.NAME).write_text("{}")
        assert [finding.path for finding in check(built).findings] == [croissant.NAME]
    finally:
        (built / croissant.NAME).write_text(there)


@pytest.fixture(scope="module")
def official():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("mlcroissant", reason="mlcroissant is not installed (it is among the dev extras)")


def test_mlcroissant_accepts_it_and_reads_the_rows_by_it(built, official):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas and rdflib, inside the tool
        dataset = official.Dataset(jsonld=str(built / croissant.NAME))
        assert dataset.metadata.ctx.is_v1_1()
        assert not dataset.metadata.issues.errors
        found = list(itertools.islice(dataset.records("res"), 5))
        photos = list(itertools.islice(dataset.records("images"), 2))
    shard = sorted((built / "data" / "res").glob("*/*.parquet"))[0]
    rows = next(open_batches(shard)).to_pylist()
    for record, row in zip(found, rows, strict=False):
        assert record["res/id"].decode() == row["id"]
        assert record["res/image"]["res/image/sha256"].decode() == row["image"]["sha256"]
        contents = [message["res/messages/content"].decode() for message in record["res/messages"]]
        assert contents == [message["content"] for message in row["messages"]]
        counts = [unit["res/units/mask_rle.counts"] for unit in record["res/units"]]
        assert counts == [unit["mask_rle"]["counts"] for unit in row["units"]]
    assert [photo["images/bytes"].size for photo in photos] == [(p["images/width"], p["images/height"]) for p in photos]


def test_mlcroissant_accepts_arrow_shards_and_every_task(small_dataset, official):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = official.Dataset(jsonld=str(small_dataset / croissant.NAME))
    assert not dataset.metadata.issues.errors
    assert {one.id for one in dataset.metadata.record_sets} == {"splits", *read_manifest(small_dataset).tasks()}
