"""Every task, from the embedded sample, through real converters, built and checked: enough of each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vtinstruct import plugins
from vtinstruct.cli import app
from vtinstruct.manifest import read_manifest
from vtinstruct.shards import open_batches


@pytest.mark.slow
def test_two_hundred_scenes_feed_every_task(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(app, ["sample", str(tmp_path / "sample"), "--scenes", "200"]).exit_code == 0
    assert run.invoke(app, ["build", str(tmp_path / "sample"), "--out", str(tmp_path / "dataset")]).exit_code == 0
    assert run.invoke(app, ["check", str(tmp_path / "dataset")]).exit_code == 0
    rows: Counter[str] = Counter()
    for file in read_manifest(tmp_path / "dataset").files:
        rows[file.task] += file.rows
    assert set(rows) == set(plugins.names("vtinstruct.tasks"))
    assert len(rows) >= 29
    unhashed = {
        (row["source"], row["provenance"]["file"])
        for file in read_manifest(tmp_path / "dataset").files
        for batch in open_batches(tmp_path / "dataset" / file.path)
        for row in batch.select(["source", "provenance"]).to_pylist()
        if len(row["provenance"]["file_sha256"]) != 64
    }
    assert not unhashed  # every row of every source says which bytes it was made of
    assert min(rows.values()) >= 20, rows
