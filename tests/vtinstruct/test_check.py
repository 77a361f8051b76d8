"""`vtinstruct check`: a sound dataset passes, and every kind of damage is named with its file and sample."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from tests.vtinstruct.dialogues import seg_dialogue
from tests.vtinstruct.signing import sign
from vtinstruct.build import Options, build
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.check_rows import hashes, look
from vtinstruct.columns import Columns
from vtinstruct.dialogue import Evaluation, Prompt, Reference, Triplet, Turn
from vtinstruct.geometry import GeometryError, check_rle
from vtinstruct.manifest import DatasetError, manifest_to_json, read_manifest
from vtinstruct.run_lengths import masks_fill
from vtinstruct.schema import SCHEMA
from vtinstruct.shards import ShardWriter, open_batches, write_shard
from vtinstruct.soundness import bytes_of, count_token, faults
from vtinstruct.streams import FORMATS, read_stream
from vtinstruct.units import Box, Keypoints, Mask, Point, Rle


@pytest.fixture
def dataset(handmade, tmp_path):
    for number in range(5):
        handmade.add(number)
    build(handmade.chosen(), Options(("rec", "caption")), tmp_path / "out", Silent())
    assert check(tmp_path / "out", photos=True).findings == ()
    return tmp_path / "out"


def texts(root, **options):
    return [str(finding) for finding in check(root, **options).findings]


def shard_of(root):
    return root / read_manifest(root).shards("rec", "train")[0].path


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_missing_shard(dataset):
    shard_of(dataset).unlink()
    assert texts(dataset) == [
        "data/rec/train/data-00000-of-00001.arrow: No such file or directory; the manifest lists 5 rows in it"
    ]


def test_one_flipped_bit_anywhere_is_found(dataset):
    path = shard_of(dataset)
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 23):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        assert any("SHA-256 differs" in text for text in texts(dataset)), place


def test_a_shard_cut_off_even_between_batches(dataset):
    path = shard_of(dataset)
    path.write_bytes(path.read_bytes()[:-8])  # without the mark of the stream's end, readers see a shorter stream
    (found,) = texts(dataset)
    assert "it was cut short, or is of another build" in found
    sign(dataset)
    assert texts(dataset) == []  # whoever signs that built it so
    path.write_bytes(path.read_bytes()[:500])
    sign(dataset)
    (found,) = texts(dataset)
    assert "not a whole Arrow stream" in found


def test_a_foreign_shard_and_a_shard_of_another_task(dataset):
    extra = shard_of(dataset).with_name("data-00001-of-00001.arrow")
    extra.write_bytes(shard_of(dataset).read_bytes())
    assert texts(dataset) == [
        "data/rec/train/data-00001-of-00001.arrow: is in no manifest, and readers would load it; remove it"
    ]
    extra.unlink()
    write_shard(shard_of(dataset), [seg_dialogue(1)])
    sign(dataset)
    found = texts(dataset)
    assert any("has rows of another task than 'rec'" in text for text in found)
    assert any("has 1 rows, the manifest says 5" in text for text in found)


def test_card_and_split_files_of_another_build(dataset):
    (dataset / "README.md").write_text("another")
    (dataset / "data" / "rec" / "train" / "state.json").unlink()
    found = texts(dataset)
    assert len(found) == 2
    assert found[0].startswith("README.md: is missing or of another build")
    assert found[1].startswith("data/rec/train/state.json: is missing")


def test_a_manifest_that_was_edited_or_is_missing(dataset):
    manifest = read_manifest(dataset)
    shards = tuple(replace(shard, rows=shard.rows + 1) for shard in manifest.files)
    (dataset / "manifest.json").write_text(manifest_to_json(replace(manifest, files=shards)))
    assert any("its content hash is not that of what it lists" in text for text in texts(dataset))
    for old, new in ((f'"seed": {manifest.seed}', '"seed": 77'), ("\n", " \n"), ('"sha256"', '"sha257"')):
        text = manifest_to_json(manifest)
        (dataset / "manifest.json").write_text(new.join(text.rsplit(old, 1)))
        assert texts(dataset) == [
            "manifest.json: is not as it was written (its last line is not the SHA-256 of the others)"
        ]
    for text, message in [
        ("{", "is not JSON"),
        ("[]", "is no manifest"),
        ('{"format": "vtinstruct-dataset"}', "version"),
    ]:
        (dataset / "manifest.json").write_text(text)
        with pytest.raises(DatasetError, match=message):
            check(dataset)
    wire = json.loads(manifest_to_json(manifest))
    del wire["files"]
    (dataset / "manifest.json").write_text(json.dumps(wire))
    with pytest.raises(DatasetError, match="lacks or garbles a field"):
        check(dataset)
    (dataset / "manifest.json").unlink()
    with pytest.raises(DatasetError, match="not finished; run it again"):
        check(dataset)


def test_photos_that_are_gone_changed_or_lead_out(dataset, handmade, tmp_path):
    for number in (1, 2, 3):
        (handmade.root / f"photos/{number}.png").unlink()
    shutil.copyfile(handmade.root / "photos/0.png", handmade.root / "photos/2.png")
    (tmp_path / "secret.png").write_bytes((handmade.root / "photos/0.png").read_bytes())
    (handmade.root / "photos/3.png").symlink_to(tmp_path / "secret.png")
    assert texts(dataset) == []
    found = texts(dataset, photos=True)
    assert len(found) == 3
    assert "photos/1.png: photo: missing" in found[0]
    assert "photos/2.png: is not the picture that was built from" in found[1]
    assert "photos/3.png: photo: path outside the dataset" in found[2]


def test_ids_that_come_twice(dataset):
    batch = next(open_batches(shard_of(dataset)))
    with ShardWriter(shard_of(dataset)) as writer:
        writer.add_batch(batch, 5)
        writer.add_batch(batch, 5)
    sign(dataset)
    assert any("5 samples of task rec have the id of another" in text for text in texts(dataset))


# --- pieces ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("parts", [1, 2, 3, 7, 50])
def test_all_parts_together_have_every_batch_once(tmp_path, form, parts):
    path = tmp_path / f"a.{form}"
    with ShardWriter(path) as writer:
        for number in range(9):
            writer.add(seg_dialogue(number, number))
            if number % 3:
                writer.flush()
    whole = [row for batch in open_batches(path) for row in batch.to_pylist()]
    read = [
        row for part in range(parts) for batch in read_stream(path, SCHEMA, part, parts) for row in batch.to_pylist()
    ]
    assert len(whole) == 9
    assert read == whole


def test_several_processes_find_what_one_finds(dataset, monkeypatch):
    batch = next(open_batches(shard_of(dataset)))
    rows = batch.to_pylist()
    rows[3]["units"][0]["box_xyxy"] = [0.0, 0.0, 99.0, 1.0]
    with ShardWriter(shard_of(dataset)) as writer:
        for part in (batch, pa.RecordBatch.from_pylist(rows[2:], schema=batch.schema)):
            writer.add_batch(part, 5)
    sign(dataset)
    one = texts(dataset)
    assert len(one) == 4  # a box, rows, units, ids
    for path in (dataset / read_manifest(dataset).shards("caption", "train")[0].path, dataset / "README.md"):
        path.write_bytes(path.read_bytes()[:-40])
    one = texts(dataset)
    monkeypatch.setattr("vtinstruct.check.PROCESS_BYTES", 1)
    monkeypatch.setattr("vtinstruct.check_rows.PIECE_BYTES", 3000)
    assert texts(dataset, workers=2) == one


def die_elsewhere(piece):
    lost = Path(os.environ["LOST"])
    if parent_process() is not None:
        lost.touch()
        os._exit(3)
    until = time.monotonic() + 60
    while not lost.exists() and time.monotonic() < until:  # or this process would be done before the other one begins
        time.sleep(0.01)
    return look(piece)


def test_a_process_that_is_lost_is_one_line(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("LOST", str(tmp_path / "lost"))
    monkeypatch.setattr("vtinstruct.check.PROCESS_BYTES", 1)
    monkeypatch.setattr("vtinstruct.check.look", die_elsewhere)
    with pytest.raises(DatasetError, match=r"a worker process was killed .* check it again with --workers 1"):
        check(dataset, workers=2)


@given(st.lists(st.text("ab\0é", max_size=4), max_size=30))
def test_hashes_are_the_same_where_texts_are(texts):
    found = hashes(pa.array(["zzz", *texts], pa.string())[1:]).tolist()
    assert [a == b for a in texts for b in texts] == [a == b for a in found for b in found]
    assert found == [value for text in texts for value in hashes(pa.array([text], pa.string())).tolist()]


@given(st.lists(st.lists(st.sampled_from(["<REF>", "<RE", "F>", "<", "F", "é", " "])).map("".join) | st.none()))
def test_tokens_are_counted_as_texts_count_them(texts):
    found = count_token(pa.array(["<REF><RE", *texts], pa.string())[1:], b"<REF>", 3)
    assert found.tolist() == [(text or "").count("<REF>") for text in texts]


def test_what_stands_behind_a_null_is_not_read():
    offsets, text = pa.py_buffer(np.array([0, 2, 4, 6], np.int32)), pa.py_buffer(b"aabbcc")
    for texts, wanted in (
        (pa.StringArray.from_buffers(3, offsets, text), (b"aabbcc", [2, 2, 2])),
        (pa.StringArray.from_buffers(3, offsets, text, pa.py_buffer(b"\5")), (b"aacc", [2, 0, 2])),
        (pa.StringArray.from_buffers(3, offsets, text)[:0], (b"", [])),
    ):
        data, lengths = bytes_of(texts)
        assert (data.tobytes(), lengths.tolist()) == wanted


# --- rows ------------------------------------------------------------------------------------------------------------

WHOLE = Rle((4, 6), coco_mask.encode(np.asfortranarray(np.ones((4, 6), np.uint8)))["counts"])


def answering(unit, kind, **reference):
    turns = (Turn("user", ("?",)), Turn("assistant", (Triplet("dog", kind, (Reference(unit, **reference),)),)))
    return replace(seg_dialogue(1), turns=turns)


def asking(prompt):
    return replace(seg_dialogue(1), turns=(Turn("user", (prompt,)), Turn("assistant", ("Yes.",))))


def faults_of(*samples):
    columns = Columns()
    for sample in samples:
        columns.add(sample)
    return list(faults(columns.batch()))


def test_sound_rows_have_no_faults():
    samples = [
        answering(Box((0.0, 0.0, 6.0, 4.0)), "box"),
        answering(Mask(WHOLE), "mask"),
        answering(Keypoints(((0.0, 0.0, 0), (6.0, 4.0, 2))), "keypoint", box_xyxy=(0.0, 0.0, 3.0, 3.0)),
        answering(Point((3.0, 2.0)), "point"),
        answering(None, "mask"),
        asking(Prompt("scribble", Mask(WHOLE))),
        replace(seg_dialogue(1), photo=None, turns=(Turn("user", ("Hi",)), Turn("assistant", ("Hello",)))),
        replace(
            answering(Mask(WHOLE), "mask"), evaluation=Evaluation(ignore=(Reference(Mask(WHOLE)), Reference(None)))
        ),
    ]
    assert faults_of(*samples) == []


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (answering(Box((0.0, 0.0, 6.1, 4.0)), "box"), "the box of a unit does not fit a photo of 6 x 4"),
        (answering(Box((-0.1, 0.0, 6.0, 4.0)), "box"), "the box of a unit does not fit"),
        (answering(Box((3.0, 0.0, 2.0, 4.0)), "box"), "the box of a unit does not fit"),
        (answering(Box((float("nan"), 0.0, 2.0, 4.0)), "box"), "the box of a unit does not fit"),
        (answering(Point((3.0, 4.5)), "point"), "the point of a unit does not fit"),
        (answering(Keypoints(((7.0, 1.0, 1),)), "keypoint"), "the pose of a unit does not fit"),
        (answering(Keypoints(((1.0, 1.0, 3),)), "keypoint"), "the pose of a unit does not fit"),
        (answering(Mask(Rle((6, 4), WHOLE.counts)), "mask"), "the mask of a unit does not fit a photo of 6 x 4: its size is 4 x 6"),
        (answering(Mask(Rle((4, 6), b"0")), "mask"), "mask: RLE of wrong length"),
        (answering(Mask(Rle((4, 6), b"")), "mask"), "mask: not a COCO RLE string"),
        (asking(Prompt("box", Box((0.0, 0.0, 9.0, 1.0)))), "the box of a prompt does not fit"),
        (
            replace(seg_dialogue(1, 0), evaluation=Evaluation(ignore=(Reference(Box((0.0, 0.0, 9.0, 1.0))),))),
            "the box of an ignored region does not fit",
        ),
    ],
)  # fmt: skip
def test_each_unsound_row_is_named(sample, text):
    good = answering(Mask(WHOLE), "mask")
    found = faults_of(good, sample, good)
    assert [row for row, _ in found] == [1]
    assert text in found[0][1]


def test_words_and_units_that_disagree():
    columns = Columns()
    columns.add(answering(Mask(WHOLE), "mask"))
    batch = columns.batch()
    messages = batch.column("messages")
    assert list(faults(batch)) == []
    rows = batch.to_pylist()
    rows[0]["messages"][1]["content"] += "<REF>"
    assert messages.type == batch.schema.field("messages").type
    changed = pa.RecordBatch.from_pylist(rows, schema=batch.schema)
    assert list(faults(changed)) == [(0, "message 1 has 2 <REF> and 1 units")]
    rows[0]["units"][0]["turn"] = 2
    changed = pa.RecordBatch.from_pylist(rows, schema=batch.schema)
    assert (0, "units name a message that is not there") in list(faults(changed))


# --- the fast rule for masks is the slow one -----------------------------------------------------------------------------


def slow(counts, size_hw):
    try:
        check_rle(Rle(size_hw, counts))
    except GeometryError:
        return False
    return True


@st.composite
def rle_strings(draw):
    """True masks, some of them damaged."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    seed, share = draw(st.integers(0, 10**6)), draw(st.sampled_from([0.0, 0.02, 0.5, 1.0]))
    pixels = (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)
    counts = coco_mask.encode(np.asfortranarray(pixels))["counts"]
    damage = draw(st.sampled_from(["none", "none", "cut", "swap", "size", "bytes"]))
    if damage == "cut":
        counts = counts[: draw(st.integers(0, len(counts)))]
    elif damage == "swap":
        place = draw(st.integers(0, len(counts) - 1))
        counts = counts[:place] + bytes([draw(st.integers(40, 120))]) + counts[place + 1 :]
    elif damage == "size":
        width += 1
    elif damage == "bytes":
        counts = draw(st.binary(max_size=20))
    return counts, (height, width)


@settings(max_examples=400)
@given(st.lists(rle_strings(), min_size=1, max_size=8))
def test_masks_are_judged_together_as_one_by_one(strings):
    data = np.frombuffer(b"".join(counts for counts, _ in strings), np.uint8)
    lengths = np.array([len(counts) for counts, _ in strings])
    pixels = np.array([height * width for _, (height, width) in strings])
    assert masks_fill(data, lengths, pixels).tolist() == [slow(*string) for string in strings]
