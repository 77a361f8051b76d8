"""Shards: what goes in comes out, bit for bit; half files and foreign files are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vtinstruct.dialogues import dialogues, seg_dialogue
from vtinstruct.dialogue import Reference, Triplet, Turn
from vtinstruct.manifest import DatasetError
from vtinstruct.shards import (
    BATCH_ROWS,
    SCHEMA,
    ReadError,
    RowError,
    ShardWriter,
    dialogue_from_row,
    open_batches,
    write_shard,
)
from vtinstruct.units import Box, Mask, Rle


def rows_of(path: Path) -> list[dict]:
    return [row for batch in open_batches(path) for row in batch.to_pylist()]


@settings(max_examples=150, deadline=None)
@given(st.lists(dialogues, max_size=4))
def test_a_round_trip_gives_equal_dialogues(samples):
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.arrow")
        written = write_shard(path, samples)
        assert [dialogue_from_row(row) for row in rows_of(path)] == samples
        assert written.rows == len(samples)
        assert written.units == sum(len(list(sample.references())) for sample in samples)
        assert written.bytes == path.stat().st_size
        again = write_shard(Path(folder, "b.arrow"), samples)
        assert again.sha256 == written.sha256
        assert Path(folder, "b.arrow").read_bytes() == path.read_bytes()


def test_batches_are_small_and_the_schema_is_frozen(tmp_path):
    write_shard(tmp_path / "a.arrow", (seg_dialogue(i) for i in range(2 * BATCH_ROWS + 7)))
    batches = list(open_batches(tmp_path / "a.arrow"))
    assert [batch.num_rows for batch in batches] == [BATCH_ROWS, BATCH_ROWS, 7]
    for batch in batches:
        batch.validate(full=True)
        assert batch.schema.equals(SCHEMA)


def test_a_stream_is_byte_for_byte_what_pyarrow_writes(tmp_path):
    for path, count in ((tmp_path / "none.arrow", 0), (tmp_path / "some.arrow", BATCH_ROWS + 7)):
        write_shard(path, (seg_dialogue(i) for i in range(count)))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, SCHEMA) as stream:
            for batch in open_batches(path):
                stream.write_batch(batch)
        assert sink.getvalue().to_pybytes() == path.read_bytes()


def test_an_empty_shard_is_a_shard(tmp_path):
    assert write_shard(tmp_path / "a.arrow", []).rows == 0
    assert rows_of(tmp_path / "a.arrow") == []


def test_the_image_token_opens_the_first_question_only_and_answers_have_no_plan(tmp_path):
    sample = seg_dialogue(1, 2)
    longer = replace(sample, turns=(*sample.turns, Turn("user", ("And cats?",)), Turn("assistant", ("None.",))))
    write_shard(tmp_path / "a.arrow", [longer, replace(longer, photo=None)])
    with_photo, without = ([m["content"] for m in row["messages"]] for row in rows_of(tmp_path / "a.arrow"))
    assert with_photo == [
        "<image>\nSegment every dog.",
        "<Phrase>dog</Phrase>(<Unit>mask</Unit>[0]<REF>[1]<REF>).",
        "And cats?",
        "None.",
    ]
    assert without[0] == "Segment every dog."


ONE_BOX, ONE_MASK = Box((0, 0, 1, 1)), Mask(Rle((1, 1), b"1"))


def boxes_turn(reference):
    return Turn("assistant", (Triplet("dog", "box", (reference,)),))


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (Turn("assistant", ("a <REF> here",)), "reserved token <REF>"),
        (Turn("user", ("look at [VPT]",)), "reserved token \\[VPT\\]"),
        (boxes_turn(Reference(ONE_MASK)), "a box triplet holds a mask"),
        (boxes_turn(Reference(ONE_BOX, score=0.5)), "score"),
        (boxes_turn(Reference(ONE_BOX, box_xyxy=(0, 0, 1, 1))), "second box"),
    ],
)
def test_a_dialogue_without_a_row_is_refused_and_leaves_nothing_behind(tmp_path, turn, message):
    good, bad = seg_dialogue(1), replace(seg_dialogue(2), turns=(turn,))
    with ShardWriter(tmp_path / "a.arrow") as writer:
        writer.add(good)
        with pytest.raises(RowError, match=message):
            writer.add(bad)
        writer.add(good)
    assert [dialogue_from_row(row) for row in rows_of(tmp_path / "a.arrow")] == [good, good]


def test_a_failed_writer_leaves_no_file(tmp_path):
    def samples():
        yield seg_dialogue(1)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_shard(tmp_path / "a.arrow", samples())
    assert list(tmp_path.iterdir()) == []


def test_missing_truncated_and_foreign_shards_are_refused(tmp_path):
    path = tmp_path / "a.arrow"
    with pytest.raises(DatasetError, match="is not there"):
        rows_of(path)
    write_shard(path, (seg_dialogue(i) for i in range(50)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="not a whole Arrow stream"):
        rows_of(path)
    path.write_bytes(b"no arrow at all")
    with pytest.raises(DatasetError, match="not a whole Arrow stream"):
        rows_of(path)
    table = pa.table({"id": ["x"]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    with pytest.raises(DatasetError, match="not those of a VT-Instruct shard"):
        rows_of(path)


def test_a_row_whose_text_and_units_disagree_is_refused(tmp_path):
    write_shard(tmp_path / "a.arrow", [seg_dialogue(1, 2)])
    (row,) = rows_of(tmp_path / "a.arrow")
    with pytest.raises(ReadError, match="coco/train/1/seg/0: message 1: 2 <REF> in the text, 1 units"):
        dialogue_from_row({**row, "units": row["units"][:1]})
    with pytest.raises(ReadError, match="a unit names turn 9 of 2 messages"):
        dialogue_from_row({**row, "units": [{**row["units"][0], "turn": 9}]})
    with pytest.raises(ReadError, match="role 'system'"):
        dialogue_from_row({**row, "messages": [{"role": "system", "content": ""}, row["messages"][1]]})
