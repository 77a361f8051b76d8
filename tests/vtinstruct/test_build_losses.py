"""A build that loses too much stops; a source that goes away is no loss but an end; a forecast says what comes."""

from __future__ import annotations

import os

import pytest

from vtinstruct.build import BuildError, Options, build, choose, make_plan
from vtinstruct.build.forecast import forecast, total_seconds
from vtinstruct.build.losses import TooManyLost
from vtinstruct.build.plan import CHUNK_SLOTS
from vtinstruct.build.progress import Silent
from vtinstruct.cli import main


def test_a_split_that_loses_too_much_stops_with_reasons(handmade, tmp_path):
    for number in range(10):
        handmade.add(number)
    for number in range(4):
        (handmade.root / f"photos/{number}.png").unlink()
    (handmade.root / "photos/4.png").write_text("no picture")
    options, out = Options(("rec",), chunk_slots=1), tmp_path / "out"
    with pytest.raises(
        TooManyLost,
        match=r"handmade/train has lost 5 of its 10 records, .* 0.4 allows \(4 photo: missing, 1 photo: .*\)",
    ):
        build(handmade.chosen(), options, out, Silent(), max_drop_rate=0.4)
    assert not (out / "manifest.json").exists()
    with pytest.raises(TooManyLost):  # also when the chunks were there before
        build(handmade.chosen(), options, out, Silent(), max_drop_rate=0.4)
    assert build(handmade.chosen(), options, out, Silent(), max_drop_rate=0.5).reused >= 5


def test_it_stops_as_soon_as_nothing_can_mend_it(handmade, tmp_path, listening):
    for number in range(100):
        handmade.add(number)
        (handmade.root / f"photos/{number}.png").unlink()
    with pytest.raises(TooManyLost, match="has lost 11 of its 100 records"):
        build(handmade.chosen(), Options(("rec",), chunk_slots=1), tmp_path / "out", listening, max_drop_rate=0.1)
    assert listening.chunks == 11


def test_what_was_asked_to_be_left_out_is_not_lost(handmade, tmp_path):
    from vtinstruct.build.licences import read_licences

    for number in range(4):
        handmade.add(number, licence="CC0-1.0" if number else "CC-BY-NC-4.0")
    options = Options(("rec",), licences=read_licences(["CC0-*"]))
    assert build(handmade.chosen(), options, tmp_path / "out", Silent(), max_drop_rate=0.0).fresh


def test_a_source_that_goes_away_is_one_line_and_resumable(handmade, tmp_path, bytes_of, listening):
    for number in range(4):
        handmade.add(number)
    options, annotations = Options(("rec",), chunk_slots=1), handmade.root / "ann.json"
    build(handmade.chosen(), options, tmp_path / "whole", Silent())
    text, state = annotations.read_text(), annotations.stat()
    known = handmade.records[2]

    class Unplugs(tuple):
        def __iter__(self):
            annotations.unlink(missing_ok=True)
            (handmade.root / known.photo.path).unlink(missing_ok=True)
            return super().__iter__()

    from dataclasses import replace

    photo = (handmade.root / known.photo.path).read_bytes()
    mtime = (handmade.root / known.photo.path).stat().st_mtime_ns
    handmade.records[2] = replace(known, expressions=Unplugs(known.expressions))
    with pytest.raises(BuildError, match=r"2 of 4 chunks failed, first handmade/train 2..3: .*ann.json: No such file"):
        build(handmade.chosen(), options, tmp_path / "out", listening)
    assert [where for where, _ in listening.failures] == ["handmade/train 2..3", "handmade/train 3..4"]
    handmade.records[2] = known
    for path, content, changed in (
        (annotations, text.encode(), state.st_mtime_ns),
        (handmade.root / known.photo.path, photo, mtime),
    ):
        path.write_bytes(content)
        os.utime(path, ns=(changed, changed))
    assert build(handmade.chosen(), options, tmp_path / "out", Silent()).reused == 2
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def test_a_forecast_of_a_small_source_is_exact(handmade, tmp_path):
    for number in range(30):
        handmade.add(number)
    plan = make_plan(handmade.chosen("train", "val"), Options(("rec", "det")))
    found = forecast(plan)
    built = build(handmade.chosen("train", "val"), Options(("rec", "det")), tmp_path / "out", Silent())
    for entry in found:
        shards = [shard for shard in built.manifest.files if shard.split == entry.split]
        assert entry.dialogues == sum(shard.rows for shard in shards)
        assert entry.bytes == pytest.approx(sum(shard.bytes for shard in shards), rel=0.6)  # less each file's own frame
        assert (entry.records, entry.chunks, entry.tasks) == (30, 1, ("det", "rec"))
    assert total_seconds(found, 1) > 0
    assert not (tmp_path / "dry").exists()


def test_a_dry_run_is_the_build_that_follows(small_sample, tmp_path, monkeypatch, capsys):
    """The command, on sources of which it makes only a part: plan, chunks and records to the letter, dialogues and bytes
    nearly, and not a file written."""
    monkeypatch.setattr("vtinstruct.build.forecast.RUNS", 3)
    monkeypatch.setattr("vtinstruct.build.forecast.RUN", 2)
    monkeypatch.chdir(tmp_path)
    found: list = []
    monkeypatch.setattr(
        "vtinstruct.build.forecast.forecast", lambda plan: found.append((plan, forecast(plan))) or found[0][1]
    )
    words = [f"coco_instances={small_sample / 'coco'}", f"refcoco={small_sample / 'refer'}", "--tasks", "det,res,seg"]
    monkeypatch.setattr("sys.argv", ["vtinstruct", "build", *words, "--out", "out", "--dry-run", "--workers", "3"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert list(tmp_path.iterdir()) == []
    said = " ".join(capsys.readouterr().out.split())
    ((plan, entries),) = found
    assert f"plan {plan.key[:12]}: {plan.slots()} records in {len(plan.chunks)} chunks" in said
    assert "with 3 workers" in said
    built = build(choose(words[:2]), Options(("det", "res", "seg")), tmp_path / "out", Silent())
    assert (built.plan.key, built.plan.chunks) == (plan.key, plan.chunks)
    assert [(e.source, e.split, e.records, e.chunks) for e in entries] == [
        (split.source, split.split, split.built, sum(chunk.split == n for chunk in plan.chunks))
        for n, split in enumerate(plan.splits)
    ]
    assert any(entry.records > 6 for entry in entries)  # of these, a part was made
    rows = sum(shard.rows for shard in built.manifest.files)
    assert sum(entry.dialogues for entry in entries) == pytest.approx(rows, rel=0.25)
    frames = len(built.manifest.files) * 7_500  # each file's schema, and each batch's table of columns
    size = sum(shard.bytes for shard in built.manifest.files)
    assert sum(entry.bytes for entry in entries) == pytest.approx(size - frames, rel=0.35)
    assert all(entry.seconds > 0 for entry in entries if entry.records)


def test_a_forecast_looks_at_a_part_and_counts_for_all(handmade):
    first = handmade.add(0)
    from dataclasses import replace

    handmade.records = [replace(first, id=str(number)) for number in range(4 * CHUNK_SLOTS)]
    (entry,) = forecast(make_plan(handmade.chosen(), Options(("rec",))))
    assert (entry.records, entry.chunks) == (4 * CHUNK_SLOTS, 4)
    assert entry.dialogues == 4 * CHUNK_SLOTS
