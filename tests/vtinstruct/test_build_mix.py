"""Mixes: what is kept depends on what it is and nothing else, in the shares and numbers that were asked for."""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from vtinstruct import plugins
from vtinstruct.build import Options, build
from vtinstruct.build.mix import Mix, MixError, Shares, draws, mix_of, named_mixes, read_mix
from vtinstruct.build.progress import Silent, summary_table
from vtinstruct.check import check
from vtinstruct.manifest import is_training, read_manifest
from vtinstruct.record import Expression
from vtinstruct.shards import read_dialogues

TASKS = ("caption", "depth", "det", "keypoints", "rec", "res", "seg")
HALF = Mix("half", Shares(0.5, {"det": 1.0, "keypoints": 0.0}), Shares(1.0, {"refcocog": 0.5}), Shares(2))


def all_dialogues(root):
    """id -> dialogue."""
    manifest = read_manifest(root)
    return {
        found.id: found
        for task in manifest.tasks()
        for split in manifest.splits(task)
        for found in read_dialogues(root, task, split)
    }


def captions(mix: Mix) -> Options:
    return Options(("caption",), mix=mix, chunk_slots=100)


@pytest.fixture(scope="module")
def halved(small_chosen, tmp_path_factory):
    out = tmp_path_factory.mktemp("mixed") / "dataset"
    return build(small_chosen, Options(TASKS, chunk_slots=7, mix=HALF), out, Silent()), out


def test_the_same_bytes_with_two_workers(halved, small_chosen, tmp_path, bytes_of):
    _, out = halved
    build(small_chosen, Options(TASKS, chunk_slots=7, mix=HALF), tmp_path / "two", Silent(), workers=2)
    assert bytes_of(tmp_path / "two") == bytes_of(out)


def test_neither_chunks_nor_order_nor_company_matter(halved, small_chosen, tmp_path):
    kept = all_dialogues(halved[1])
    build(small_chosen[::-1], Options(TASKS, chunk_slots=2, mix=HALF), tmp_path / "turned", Silent())
    assert all_dialogues(tmp_path / "turned") == kept
    alone = [choice for choice in small_chosen if choice.source.name == "refcoco"]
    build(alone, Options(("rec",), mix=HALF), tmp_path / "alone", Silent())
    refcoco = {key: found for key, found in kept.items() if (found.source, found.task) == ("refcoco", "rec")}
    assert all_dialogues(tmp_path / "alone") == refcoco
    assert len(refcoco) > 5


def test_what_is_kept_is_what_it_was_without_a_mix(halved, small_dataset):
    kept, whole = all_dialogues(halved[1]), all_dialogues(small_dataset)
    assert kept.items() <= whole.items()
    assert check(halved[1]).findings == ()
    # evaluation splits are whole, but for the task that the mix leaves out
    for key, found in whole.items():
        if not is_training(found.split):
            assert (key in kept) == (found.task != "keypoints")
    assert not any(found.task == "keypoints" for found in kept.values())
    dets = {key for key, found in whole.items() if found.task == "det"}
    assert dets
    assert dets <= kept.keys()


def test_what_is_left_out_is_counted_and_no_drop(halved, small_dataset):
    built, out = halved
    manifest, whole = read_manifest(out), all_dialogues(small_dataset)
    assert manifest == built.manifest
    kept = Counter((d.source, d.split, d.task) for d in all_dialogues(out).values())
    there = Counter((d.source, d.split, d.task) for d in whole.values() if d.task != "keypoints")
    left_out = {(left.source, left.split, left.task): left.count for left in manifest.sampled_out}
    assert left_out == dict(there - kept)
    assert sum(left_out.values()) > 50
    assert manifest.drops == tuple(d for d in read_manifest(small_dataset).drops if d.task != "keypoints")
    assert manifest.options["mix"]["name"] == "half"
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary_table(built))
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines()]
    (line,) = [line for line in cells if line[:2] == ["rec", "train"]]
    rec = sum(count for (_, split, task), count in left_out.items() if (task, split) == ("rec", "train"))
    out_of = sum(count for (_, split, task), count in kept.items() if (task, split) == ("rec", "train"))
    assert (line[2], line[4]) == (f"{out_of:,}", f"{rec:,}")
    card = (out / "README.md").read_text()
    assert "| task | split | dialogues | units | sampled out |" in card
    (row,) = [row for row in card.splitlines() if row.startswith(f"| rec | train | {out_of} |")]
    assert row.endswith(f"| {rec} |")


def near(count: int, of: int, share: float) -> bool:
    """Within 4.5 standard deviations of a binomial."""
    return abs(count - of * share) <= 4.5 * math.sqrt(of * share * (1 - share))


def test_the_share_kept_is_the_weight(handmade, tmp_path):
    for number in range(800):
        handmade.add(number)
    options = Options(("caption",), photo_check=False, chunk_slots=100)
    kept = {}
    for weight, source in ((0.2, 1.0), (0.6, 1.0), (0.6, 0.5), (1.0, 1.0)):
        mix = Mix("w", Shares(weight), Shares(source))
        out = tmp_path / f"{weight}-{source}"
        build(handmade.chosen(), replace(options, mix=mix), out, Silent())
        kept[weight * source] = set(all_dialogues(out))
        assert near(len(kept[weight * source]), 800, weight * source)
        assert sum(left.count for left in read_manifest(out).sampled_out) == 800 - len(kept[weight * source])
    assert kept[0.2] < kept[0.3] < kept[0.6] < kept[1.0]  # more weight only adds
    other = tmp_path / "seed"
    build(handmade.chosen(), replace(options, seed=1, mix=Mix("w", Shares(0.6))), other, Silent())
    assert set(all_dialogues(other)) != kept[0.6]


def test_draws_are_even_and_independent():
    found = [draws(7, "s", str(n), "t", k) for n in range(4000) for k in range(3)]
    chances, ranks = [chance for chance, _ in found], [rank / 2**64 for _, rank in found]
    assert all(0 <= chance < 1 for chance in chances)
    for share in (0.01, 0.3, 0.9):
        assert near(sum(chance < share for chance in chances), len(found), share)
    low = [rank for chance, rank in zip(chances, ranks, strict=True) if chance < 0.1]
    assert near(sum(rank < 0.5 for rank in low), len(low), 0.5)
    keys = [
        (0, "a", "1", "t", 0),
        (1, "a", "1", "t", 0),
        (0, "b", "1", "t", 0),
        (0, "a", "2", "t", 0),
        (0, "a", "1", "u", 0),
    ]
    assert len({draws(*key) for key in [*keys, (0, "a", "1", "t", 1)]}) == 6


def test_a_cap_holds_and_takes_any(handmade, tmp_path):
    for number in range(300):
        said = tuple(Expression(str(k), f"the dog {k} of {number}", ("1",)) for k in range(1 + number % 5))
        handmade.add(number, expressions=said)
    options = Options(("rec",), photo_check=False)
    build(handmade.chosen("train", "val"), options, tmp_path / "whole", Silent())
    build(
        handmade.chosen("train", "val"),
        replace(options, mix=Mix("c", caps=Shares(0, {"rec": 2}))),
        tmp_path / "out",
        Silent(),
    )
    whole = Counter((d.split, d.provenance.row) for d in all_dialogues(tmp_path / "whole").values())
    kept = all_dialogues(tmp_path / "out")
    counts = Counter((d.split, d.provenance.row) for d in kept.values())
    assert max(whole.values()) == 5
    assert counts == {key: count if key[0] == "val" else min(count, 2) for key, count in whole.items()}
    fives = [int(row) for (split, row), count in whole.items() if split == "train" and count == 5]
    places = Counter(
        d.id.rpartition("/")[2] for d in kept.values() if d.split == "train" and int(d.provenance.row) in fives
    )
    assert len(places) == 5
    assert all(near(count, len(fives), 2 / 5) for count in places.values())
    order = [d.id for d in read_dialogues(tmp_path / "whole", "rec", "train") if d.id in kept]
    assert [d.id for d in read_dialogues(tmp_path / "out", "rec", "train")] == order


def test_negatives_have_a_share_of_their_own(handmade, tmp_path):
    for number in range(300):
        handmade.add(number, exhaustive=True, **({"regions": ()} if number % 2 else {}))
    mix = Mix("n", negatives=Shares(1.0, {"det": 0.3}))
    build(handmade.chosen(), Options(("caption", "det"), photo_check=False, mix=mix), tmp_path / "out", Silent())
    kept = list(all_dialogues(tmp_path / "out").values())
    dets = [d for d in kept if d.task == "det"]
    pointing = [d for d in dets if any(d.references())]
    assert len(pointing) == 150
    assert near(len(dets) - 150, 150, 0.3)
    assert 0 < len(dets) - 150 < 150
    assert len(kept) - len(dets) == 300  # captions point at nothing, and are no negatives


def test_another_mix_is_noticed(handmade, tmp_path, listening):
    for number in range(4):
        handmade.add(number)
    out, chosen = tmp_path / "out", handmade.chosen("train", "val")
    build(chosen, captions(Mix("a", Shares(0.5))), out, Silent())
    assert not build(chosen, captions(Mix("a", Shares(0.5))), out, Silent()).fresh
    built = build(chosen, captions(Mix("b", Shares(0.4))), out, listening)
    assert built.fresh
    assert any(said.startswith("changed option: mix was 'a (") for said in listening.said)
    assert build(chosen, Options(("caption",), chunk_slots=100), out, listening).fresh
    assert any(said.startswith("changed option: mix was 'b (") and said.endswith("is None") for said in listening.said)


def test_a_source_of_weight_nothing_is_left_out(small_chosen, tmp_path, listening):
    mix = Mix("m", sources=Shares(0.0, {"refcoco": 1.0}))
    build(small_chosen, Options(("rec",), mix=mix), tmp_path / "out", listening)
    assert {d.source for d in all_dialogues(tmp_path / "out").values()} == {"refcoco"}
    assert "grefcoco: feeds none of the tasks asked for; left out" in listening.said


def test_the_named_mixes_follow_the_stages():
    assert named_mixes() == ("stage1", "stage2", "stage3")
    mixes = [read_mix(name) for name in named_mixes()]
    units = []
    for mix in mixes:
        kept = [plugins.load("vtinstruct.tasks", name) for name in plugins.names("vtinstruct.tasks") if mix.tasks[name]]
        units.append({unit for task in kept for unit in task.units})
    assert units == [set(), {"box", "mask", "point"}, {"box", "mask", "point", "keypoint", "depth"}]
    assert mixes[0].tasks["caption"] == mixes[0].tasks["vqa"] == 1
    assert mixes[2].without(plugins.names("vtinstruct.tasks")) == ()


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        "[tasks]\ndefault = 0.5\nseg = 1\n[sources]\nlvis = 0.25\n[caps]\ndefault = 4\nrec = 0\n[negatives]\nabsent = 0\n"
    )
    mix = read_mix(str(path))
    assert mix == Mix(
        "own",
        Shares(0.5, {"seg": 1.0}),
        Shares(1.0, {"lvis": 0.25}),
        Shares(4, {"rec": 0}),
        Shares(1.0, {"absent": 0.0}),
    )
    assert mix.weight("seg", "lvis") == 0.25
    assert replace(mix, name="other").digest() == mix.digest() != read_mix("stage2").digest()


def test_the_page_shows_a_mix_that_can_be_read():
    page = (Path(__file__).parents[2] / "docs" / "build.md").read_text()
    (words,) = re.findall(r"^```toml\n(.*?)^```$", page, flags=re.M | re.S)
    mix = mix_of(words, "own", "docs/build.md")
    assert (mix.weight("caption", "visual_genome"), mix.weight("depth", "nyuv2")) == (0.25 * 0.1, 0)
    assert (mix.caps["rec"], mix.negatives["det"]) == (4, 0.5)
    for name in named_mixes():
        assert f"| `{name}` |" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("[tasks]\ndetect = 1", r"x\.toml: \[tasks\] names the unknown task 'detect'; known: absent, caption, "),
        ("[sources]\ncoco = 1", r"\[sources\] names the unknown source 'coco'; known: ade20k, .*coco_instances"),
        ("[caps]\ncoco = 1", r"\[caps\] names the unknown task 'coco'"),
        ("[task]\ndet = 1", r"x\.toml: no table 'task'; known: tasks, sources, caps, negatives"),
        ("tasks = 1", r"tasks is 1; a table, \[tasks\], is right"),
        ("[tasks]\ndet = 2", r"\[tasks\] det = 2: dialogues are never repeated"),
        ("[sources]\ndefault = 1.5", r"\[sources\] default = 1\.5: dialogues are never repeated"),
        ("[tasks]\ndet = -0.1", r"det = -0\.1: a number from 0 to 1 is right"),
        ("[tasks]\ndet = nan", r"det = nan: a number from 0 to 1 is right"),
        ("[tasks]\ndet = true", r"det = True: a number from 0 to 1 is right"),
        ("[tasks]\ndet = 'all'", r"det = 'all': a number from 0 to 1 is right"),
        ("[caps]\ndet = 1.5", r"det = 1\.5: a whole number is right, 0 for no cap"),
        ("[tasks", r"x\.toml: not TOML"),
    ],
)
def test_a_wrong_mix_is_one_line(words, said):
    with pytest.raises(MixError, match=said) as caught:
        mix_of(words, "x", "x.toml")
    assert "\n" not in str(caught.value)


def test_an_unknown_mix_says_the_known_ones(tmp_path):
    with pytest.raises(MixError, match="a TOML file or one of stage1, stage2, stage3 is right"):
        read_mix(str(tmp_path / "none.toml"))
