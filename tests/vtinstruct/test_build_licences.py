"""`--licence`: which rows are kept, what is said of the others, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vtinstruct.build import Options, build
from vtinstruct.build.chunk import run_chunk
from vtinstruct.build.licences import REASON, Licences, read_licences
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.cli import main
from vtinstruct.manifest import DropCount, read_manifest
from vtinstruct.shards import read_dialogues
from vtinstruct.source import SourceError, licence_ids


@pytest.mark.parametrize(
    ("patterns", "wanted", "unwanted"),
    [
        ((), ("MIT", "LicenseRef-X", ""), ()),
        (("CC-BY-4.0",), ("CC-BY-4.0", "cc-by-4.0"), ("CC-BY-NC-4.0", "CC-BY-4.0-x", "MIT")),
        (("CC-BY*", "mit"), ("CC-BY-4.0", "CC-BY-NC-4.0", "MIT"), ("CC0-1.0",)),
        (("!*-NC-*",), ("CC-BY-4.0", "LicenseRef-X"), ("CC-BY-NC-4.0", "CC-BY-NC-SA-3.0")),
        (("CC-*", "!*-NC-*"), ("CC-BY-4.0",), ("CC-BY-NC-4.0", "MIT")),
    ],
)
def test_what_patterns_want(patterns, wanted, unwanted):
    licences = Licences(patterns)
    assert [licence for licence in (*wanted, *unwanted) if licences.wants(licence)] == list(wanted)


def test_lists_and_expressions_are_read():
    assert read_licences(["MIT, CC0-1.0", "MIT"]) == Licences(("MIT", "CC0-1.0"))
    assert licence_ids("CC-BY-4.0 AND (MIT OR CC0-1.0)") == ("CC-BY-4.0", "MIT", "CC0-1.0")
    for text in ("", "MIT,", "!"):
        with pytest.raises(SourceError, match="empty name"):
            read_licences([text])


@pytest.fixture
def mixed(handmade, monkeypatch):
    """A source of two licences: records 0, 2, 4 are CC-BY-4.0, the others CC-BY-NC-4.0."""
    for number in range(5):
        handmade.add(number, licence="CC-BY-NC-4.0" if number % 2 else "CC-BY-4.0")
    source = replace(handmade.source(), licence="CC-BY-4.0 AND CC-BY-NC-4.0")
    monkeypatch.setattr("vtinstruct.build.chunk.source_named", lambda name: source)
    return [replace(choice, source=source, splits=("train", "val")) for choice in handmade.chosen()]


def test_rows_are_kept_by_their_own_licence_and_the_others_accounted_for(mixed, tmp_path, bytes_of):
    wanted = Options(("rec",), licences=Licences(("cc-by-4.0",)), chunk_slots=2)
    build(mixed, wanted, tmp_path / "out", Silent())
    whole = tmp_path / "whole"
    build(mixed, Options(("rec",)), whole, Silent())
    for split in ("train", "val"):
        kept = [d for d in read_dialogues(whole, "rec", split) if d.licence == "CC-BY-4.0"]
        assert len(kept) == 3
        assert list(read_dialogues(tmp_path / "out", "rec", split)) == kept
    manifest = read_manifest(tmp_path / "out")
    assert manifest.options["licences"] == ["cc-by-4.0"]
    assert manifest.drops == tuple(DropCount("handmade", split, "", REASON, False, 2) for split in ("train", "val"))
    assert "rows under other licences than cc-by-4.0" in (tmp_path / "out" / "README.md").read_text()
    assert check(tmp_path / "out").findings == ()


def test_a_source_that_cannot_have_any_is_left_out_unread_and_named(mixed, tmp_path, listening, monkeypatch):
    free = replace(mixed[0].source, name="free", licence="MIT")
    refused = Options(("rec",), licences=Licences(("!MIT",)))
    monkeypatch.setattr("vtinstruct.build.plan.code_digest", lambda source: "same")
    build([*mixed, replace(mixed[0], source=free)], refused, tmp_path / "out", listening)
    assert "free: its licence MIT was not asked for; left out" in listening.said
    assert set(read_manifest(tmp_path / "out").sources) == {"handmade"}


def test_licences_that_no_source_has(mixed, tmp_path):
    with pytest.raises(SourceError, match=r"--licence GPL\*: no source here .* there are: CC-BY-4\.0, CC-BY-NC-4\.0"):
        build(mixed, Options(("rec",), licences=Licences(("GPL*",))), tmp_path / "out", Silent())


def test_other_licences_are_another_build(mixed, tmp_path, listening, monkeypatch):
    made = []
    monkeypatch.setattr("vtinstruct.build.run.run_chunk", lambda job: made.append(job.name) or run_chunk(job))
    for licences in (Licences(), Licences(("MIT", "CC-BY*")), Licences(("MIT", "CC-BY*"))):
        build(mixed, Options(("rec",), licences=licences), tmp_path / "out", listening)
    assert len(made) == 4
    assert "changed option: licences was None, is 'MIT,CC-BY*'" in listening.said


def test_the_command(small_sample, tmp_path, monkeypatch, capsys):
    words = ["build", str(small_sample), "--out", str(tmp_path / "out"), "--tasks", "det,depth", "--limit", "2"]
    monkeypatch.setattr("sys.argv", ["vtinstruct", *words, "--licence", "CC-BY-4.0", "--licence", "!MIT"])
    with pytest.raises(SystemExit):
        main()
    assert "nyuv2: its licence LicenseRef-NYU-Depth-v2 was not asked for" in capsys.readouterr().err
    licences = {source.licence for source in read_manifest(tmp_path / "out").sources.values()}
    assert licences == {"CC-BY-4.0", "CC-BY-4.0 AND LicenseRef-COCO-style"}  # of a source with both, rows have one
    assert {row.licence for row in read_dialogues(tmp_path / "out", "det", "val2017")} == {"CC-BY-4.0"}
