"""The card and how `datasets` loads by it: exactly what was built, from anywhere, after a rebuild too."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import datasets
import pytest
import yaml
from datasets.exceptions import DatasetGenerationError
from datasets.info import DatasetInfosDict
from datasets.table import MemoryMappedTable
from huggingface_hub import DatasetCard, DatasetCardData, metadata_load

from vtinstruct import album, card
from vtinstruct.build import Options, build, choose
from vtinstruct.build.mix import Mix, Shares
from vtinstruct.build.progress import Silent
from vtinstruct.features import json_features, yaml_features
from vtinstruct.manifest import DropCount, Manifest, Shard, SourceInfo, read_manifest
from vtinstruct.schema import SCHEMA
from vtinstruct.shards import dialogue_from_row, read_dialogues


@pytest.fixture
def load(tmp_path, monkeypatch):
    """`load(root, config, split)` from another working directory, with a cache of its own."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    datasets.disable_progress_bars()

    def loaded(root, config, split):
        rows = datasets.load_dataset(str(root), config, split=split, cache_dir=str(tmp_path / "cache"))
        return [dialogue_from_row(row) for row in rows]

    return loaded


@pytest.mark.parametrize("schema", [SCHEMA, album.SCHEMA])
def test_features_are_those_that_datasets_reads_off_the_schema(schema):
    features = datasets.Features.from_arrow_schema(schema)
    assert json_features(schema) == features.to_dict()
    assert datasets.Features._from_yaml_list(yaml_features(schema)) == features


def manifest_of(name: str = "det", **fields) -> Manifest:
    shard = Shard(f"data/{name}/val/data-00000-of-00001.arrow", "ab" * 32, 10, 3, 4, name, "val")
    source = SourceInfo("A <b>title</b>", "https://example.org/?a|b", "CC0-1.0", "1", {})
    drops = (DropCount("s", "val", "", "a | reason\nof <two> lines", False, 2),)
    made = Manifest("0123456789abcdef" * 4, "0.1.0", 0, {}, {"source|one": source}, (shard,), drops)
    return replace(made, **fields)


def test_the_card_is_yaml_and_its_text_is_escaped():
    odd = 'A "name": of \x85 any \u2028 letters 😀'
    manifest = manifest_of()
    text = card.card(replace(manifest, sources={odd: manifest.sources["source|one"]}))
    _, front, body = text.split("---\n", 2)
    wire = yaml.safe_load(front)
    assert wire["pretty_name"] == f"VT-Instruct: {odd}"
    assert [config["config_name"] for config in wire["configs"]] == ["all", "det"]
    assert wire["configs"][1]["data_files"] == [{"split": "val", "path": ["data/det/val/data-00000-of-00001.arrow"]}]
    assert wire["dataset_info"][0]["splits"] == [{"name": "val", "num_bytes": 10, "num_examples": 3}]
    assert "<b>" not in body
    assert "| s | val | - | a &#124; reason of &lt;two&gt; lines | dropped | 2 |" in body


def test_the_card_passes_the_hubs_own_reading():
    text = card.card(manifest_of())
    data = DatasetCard(text).data
    assert isinstance(data, DatasetCardData)
    wire = yaml.safe_load(text.split("---\n")[1])
    assert data.to_dict() == wire  # nothing is lost or read otherwise
    assert wire["license"] == "cc0-1.0"
    assert "license_name" not in wire
    assert wire["size_categories"] == ["n<1K"]
    configs = datasets.utils.metadata.MetadataConfigs.from_dataset_card_data(data)
    assert configs.get_default_config_name() == "all"


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_a_built_card_is_what_the_hubs_library_and_datasets_read(handmade, tmp_path, form):
    """All that can be checked of a card without the Hub's own server: `huggingface_hub` reads it and writes it back the same,
    every configuration and split resolves to the files that are there, features and counts are those of the files."""
    for number in range(3):
        handmade.add(number)
    out = tmp_path / "out"
    build(handmade.chosen("train", "val"), Options(("caption", "rec"), format=form, embed=True), out, Silent())
    loaded = DatasetCard.load(out / card.README)
    assert metadata_load(out / card.README) == loaded.data.to_dict() == yaml.safe_load(loaded.content.split("---\n")[1])
    loaded.save(tmp_path / "again.md")
    assert metadata_load(tmp_path / "again.md") == loaded.data.to_dict()
    assert DatasetCard.load(tmp_path / "again.md").text.strip() == loaded.text.strip()
    names = datasets.get_dataset_config_names(str(out))
    assert names == ["all", "caption", "rec", "images"]
    infos = DatasetInfosDict.from_dataset_card_data(loaded.data)
    for name in names:
        builder = datasets.load_dataset_builder(str(out), name, cache_dir=str(tmp_path / "cache"))
        assert builder.config.version is not None
        files = {
            split: [os.path.relpath(file, out) for file in found] for split, found in builder.config.data_files.items()
        }
        wanted: dict[str, list[str]] = {}
        manifest = read_manifest(out)
        for shard in manifest.images if name == "images" else manifest.files:
            if name in ("all", "images", getattr(shard, "task", "")):
                wanted.setdefault(getattr(shard, "split", "photos"), []).append(shard.path)
        assert files == wanted
        assert infos[name].features == datasets.Features.from_arrow_schema(album.SCHEMA if name == "images" else SCHEMA)
        for split, found in wanted.items():
            rows = sum(shard.rows for shard in (*manifest.files, *manifest.images) if shard.path in found)
            assert infos[name].splits[split].num_examples == rows
            assert (
                datasets.load_dataset(str(out), name, split=split, cache_dir=str(tmp_path / "cache")).num_rows == rows
            )


@pytest.mark.parametrize(
    ("rows", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (123_456_789, "100M<n<1B"), (10**13, "n>1T")]
)
def test_sizes_have_the_hubs_names(rows, size):
    shard = replace(manifest_of().files[0], rows=rows)
    assert card.front(manifest_of(files=(shard,)))["size_categories"] == [size]


def test_several_licences_are_no_single_one():
    own = manifest_of().sources["source|one"]
    front = card.front(manifest_of(sources={"a": own, "b": replace(own, licence="LicenseRef-X")}))
    assert (front["license"], front["license_name"]) == ("other", "per-source")


def test_a_mix_has_a_configuration_of_its_name():
    def names(mix):
        return [config["config_name"] for config in card.front(manifest_of(options={"mix": {"name": mix}}))["configs"]]

    assert names("stage1") == ["all", "stage1", "det"]
    for taken in ("det", "images", "a/b", "all"):
        assert names(taken) == ["all", "det"]


def test_a_dataset_loads_by_its_mix(handmade, tmp_path, load):
    for number in range(4):
        handmade.add(number)
    mix = Mix("half", tasks=Shares(1.0, {"caption": 0.5}))
    build(handmade.chosen(), Options(("caption", "rec"), mix=mix), tmp_path / "out", Silent())
    rows = load(tmp_path / "out", "half", "train")
    assert rows == [d for task in ("caption", "rec") for d in read_dialogues(tmp_path / "out", task, "train")]
    assert 4 < len(rows) <= 8


def test_another_content_is_another_version():
    one, other = (card.content_version(digit * 64) for digit in "0f")
    assert one != other
    assert all(part.isdigit() for part in other.split("."))


def test_load_dataset_gives_exactly_what_was_built(small_dataset, load):
    manifest = read_manifest(small_dataset)
    assert {("rec", "test"), ("res", "val"), ("det", "train2017"), ("depth", "test")} <= {
        (task, split) for task in manifest.tasks() for split in manifest.splits(task)
    }
    for task in ("res", "det", "depth", "keypoints"):
        for split in manifest.splits(task):
            assert load(small_dataset, task, split) == list(read_dialogues(small_dataset, task, split))
    together = [
        d for task in manifest.tasks() if "val" in manifest.splits(task) for d in load(small_dataset, task, "val")
    ]
    assert load(small_dataset, "all", "val") == together
    assert len(together) > 10


def test_load_from_disk_maps_the_same_files(small_dataset):
    folder = small_dataset / "data" / "res" / "val"
    rows = datasets.load_from_disk(str(folder))
    assert [dialogue_from_row(row) for row in rows] == list(read_dialogues(small_dataset, "res", "val"))
    assert {os.path.dirname(file["filename"]) for file in rows.cache_files} == {str(folder)}


def is_mapped(rows) -> bool:
    """Whether every table behind the rows is a file that is mapped, and none is copied into memory."""
    tables = [table for line in getattr(rows.data, "blocks", [[rows.data]]) for table in line]
    return all(type(table) is MemoryMappedTable for table in tables)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_by_task_by_mix_and_all_from_anywhere(handmade, tmp_path, load, monkeypatch, form, streaming):
    """Mapped or streamed, by an absolute path from another folder and by a relative one."""
    for number in range(6):
        handmade.add(number)
    mix = Mix("half", tasks=Shares(1.0, {"caption": 0.5}))
    options = Options(("caption", "det", "rec"), mix=mix, format=form)
    out = tmp_path / "out"
    build(handmade.chosen("train", "val"), options, out, Silent())
    for config, split in itertools.product(("rec", "caption", "half", "all"), ("train", "val")):
        tasks = read_manifest(out).tasks() if config in ("half", "all") else (config,)
        expected = [dialogue for task in tasks for dialogue in read_dialogues(out, task, split)]
        assert expected
        for root in (str(out), "../out"):
            cache = {} if streaming else {"cache_dir": str(tmp_path / "cache")}
            rows = datasets.load_dataset(root, config, split=split, streaming=streaming, **cache)
            assert [dialogue_from_row(row) for row in rows] == expected
            assert streaming or is_mapped(rows)


def test_streams_can_be_shuffled_skipped_and_shared_out(small_dataset):
    """What a trainer does with a stream: two workers' shares are the whole, once."""
    rows = datasets.load_dataset(str(small_dataset), "all", split="val", streaming=True)
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids) > 10
    assert sorted(row["id"] for row in rows.shuffle(seed=1, buffer_size=10)) == sorted(ids)
    assert [row["id"] for row in rows.skip(3).take(2)] == ids[3:5]
    parts = [rows.shard(num_shards=2, index=index) for index in range(2)]
    assert sorted(row["id"] for part in parts for row in part) == sorted(ids)


def test_a_rebuild_is_never_served_from_the_cache(small_sample, tmp_path, load):
    out = tmp_path / "dataset"
    chosen = choose([f"refcoco={small_sample / 'refer'}"])
    seen = []
    for options in (Options(("rec",), seed=1), Options(("rec",), seed=2), Options(("rec",), limit=1)):
        build(chosen, options, out, Silent())
        rows = load(out, "rec", "train")
        assert rows == list(read_dialogues(out, "rec", "train"))
        seen.append(rows)
    assert seen[0] != seen[1]
    assert len(seen[2]) < len(seen[1])


def test_a_lost_shard_is_an_error(small_sample, tmp_path, load, monkeypatch):
    monkeypatch.setattr("vtinstruct.build.finish.SHARD_BYTES", 1)
    out = tmp_path / "dataset"
    build(choose([f"refcoco:train={small_sample / 'refer'}"]), Options(("rec",), chunk_slots=2), out, Silent())
    shards = read_manifest(out).shards("rec", "train")
    assert len(shards) > 2
    assert load(out, "rec", "train") == list(read_dialogues(out, "rec", "train"))
    (out / shards[1].path).unlink()
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(FileNotFoundError):
        load(out, "rec", "train")
    with pytest.raises(FileNotFoundError):
        list(datasets.load_dataset(str(out), "rec", split="train", streaming=True))
    (out / shards[1].path).write_bytes(b"foreign")
    with pytest.raises(DatasetGenerationError):
        load(out, "rec", "train")


def test_a_stranger_loads_it_offline_from_another_folder(small_dataset, tmp_path):
    program = (
        "import json, sys, datasets\n"
        "rows = datasets.load_dataset(sys.argv[1], 'det', split='val2017')\n"
        "print(json.dumps([row['id'] for row in rows]))\n"
    )
    env = {
        **os.environ,
        "HF_DATASETS_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, str(small_dataset)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [d.id for d in read_dialogues(small_dataset, "det", "val2017")]
