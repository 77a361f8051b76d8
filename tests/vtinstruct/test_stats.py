"""Statistics: the counts are those of the dialogues, one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from vtinstruct import stats as stats_module
from vtinstruct.build import Options, build
from vtinstruct.build.progress import Silent
from vtinstruct.dialogue import Triplet
from vtinstruct.manifest import read_manifest
from vtinstruct.record import Expression, Region
from vtinstruct.shards import read_dialogues
from vtinstruct.stats import COUNT_EDGES, GRID, SIZE_EDGES, WORD_EDGES, bin_names, collect
from vtinstruct.stats_page import plots, tables, write_page


@pytest.fixture(scope="module")
def everything(small_dataset):
    manifest = read_manifest(small_dataset)
    return [d for t in manifest.tasks() for s in manifest.splits(t) for d in read_dialogues(small_dataset, t, s)]


@pytest.fixture(scope="module")
def counted(small_dataset):
    return collect(small_dataset)


def test_groups_are_those_of_the_dialogues(counted, everything):
    for row in counted.groups.iter_rows(named=True):
        mine = [d for d in everything if (d.task, d.split, d.source) == (row["task"], row["split"], row["source"])]
        assert row["dialogues"] == len(mine) > 0
        assert row["questions"] == sum(turn.role == "user" for d in mine for turn in d.turns)
        assert row["units"] == sum(len(list(d.references())) for d in mine)
        assert row["prompts"] == sum(len(list(d.prompts())) for d in mine)
    assert counted.total("dialogues") == len(everything)
    assert counted.tasks()["task"].to_list() == sorted({d.task for d in everything})


def test_kinds_phrases_photos_and_units_of_an_answer(counted, everything):
    references = [(triplet, reference) for d in everything for _, triplet, reference in d.references()]
    assert counted.kinds == Counter(triplet.kind for triplet, _ in references)
    assert counted.phrases == Counter(triplet.concept for triplet, _ in references)
    assert counted.prompts == Counter(prompt.kind for d in everything for _, prompt in d.prompts())
    assert len(counted.photos) == len({d.photo.id for d in everything if d.photo})
    sizes = [len(list(d.references())) for d in everything]
    for low, high, count in zip(COUNT_EDGES, [*COUNT_EDGES[1:], 10**9], counted.units_in_answer, strict=True):
        assert count == sum(low <= size < high for size in sizes)


def test_words_are_those_a_person_reads(handmade, tmp_path):
    handmade.add(1, captions=("two little-known dogs don't bark",))
    build(handmade.chosen(), Options(("caption",)), tmp_path / "out", Silent())
    assert collect(tmp_path / "out").groups["answer_words"].to_list() == [5]


def test_marks_are_no_words(handmade, tmp_path):
    handmade.add(1, expressions=(Expression("1", "the very small dog", ("1",)),))
    build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())
    (sample,) = read_dialogues(tmp_path / "out", "rec", "train")
    spoken = "".join(part.concept if isinstance(part, Triplet) else str(part) for part in sample.turns[1].parts)
    words = len([word for word in spoken.split() if any(letter.isalnum() for letter in word)])
    assert collect(tmp_path / "out").groups["answer_words"].to_list() == [words]


def test_sizes_and_places(handmade, tmp_path):
    """A box of 4 x 3 in a photo of 8 x 6 has half its side; its centre is where it is."""
    region = Region("1", "dog", 18, (0.0, 0.0, 4.0, 3.0), area=12.0)
    handmade.add(1, regions=(region, replace(region, id="2", box_xyxy=(7.0, 5.0, 8.0, 6.0))))
    build(handmade.chosen(), Options(("det",)), tmp_path / "out", Silent())
    found = collect(tmp_path / "out")
    assert found.sides.tolist() == [0, 0, 0, 0, 1, 0, 1, 0, 0]  # 0.144 and 0.5
    rows, columns = np.nonzero(found.places)
    assert list(zip(rows, columns, strict=True)) == [(GRID // 4, GRID // 4), (22, 22)]


def test_bins_have_names():
    assert bin_names(COUNT_EDGES)[:4] == ["0", "1", "2-3", "4-7"]
    assert bin_names(WORD_EDGES)[-1] == "161 and more"
    assert bin_names(SIZE_EDGES, percent=True)[0] == "0%-1%"


def test_memory_does_not_grow_with_free_phrases(small_dataset, counted, monkeypatch):
    monkeypatch.setattr(stats_module, "PHRASES_KEPT", 10)
    few = collect(small_dataset)
    assert few.phrases_forgotten
    assert not counted.phrases_forgotten
    assert len(few.phrases) < len(counted.phrases)


def test_the_page_and_the_tables(counted, tmp_path):
    write_page(counted, tmp_path / "stats.html")
    text = (tmp_path / "stats.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "src=" not in text
    assert text.count('class="plot"') == len(plots(counted)) + 1
    assert f"{counted.total('dialogues'):,}" in text
    assert [table.title for table in tables(counted)] == ["tasks", "commonest phrases"]


def test_names_of_the_data_are_escaped_on_the_page(handmade, tmp_path):
    handmade.add(1, expressions=(Expression("1", "<b>bold</b> & [red]dog[/red]", ("1",)),))
    build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())
    found = collect(tmp_path / "out")
    write_page(found, tmp_path / "stats.html")
    text = (tmp_path / "stats.html").read_text(encoding="utf-8")
    assert "<b>bold" not in text
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; [red]dog" in text


def test_the_page_in_a_browser(counted, tmp_path, browse):
    write_page(counted, tmp_path / "stats.html")
    dom = browse(tmp_path / "stats.html")
    assert dom.count('class="bar"') > 30
    assert "<rect" in dom
