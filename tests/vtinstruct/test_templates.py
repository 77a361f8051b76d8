"""The wordings: enough of them, no two alike, and none that asks for what the answer does not give."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from importlib.resources import files
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtinstruct import plugins
from vtinstruct.dialogue import Prompt, Triplet
from vtinstruct.templates import WordingError, Wordings, read_wordings
from vtinstruct.trp import check_text
from vtinstruct.units import Point

TASKS = plugins.names("vtinstruct.tasks")
FILES = sorted(
    file.name.removesuffix(".toml") for file in files("vtinstruct.templates").iterdir() if ".toml" in file.name
)
FRAMED = {"chat", "region_chat"}  # the conversation is the data's; our words only open it
SLOTS = [(task, slot) for task in FILES for slot in Wordings.load(task).slots]
each_slot = pytest.mark.parametrize(("task", "slot"), SLOTS)

# No two wordings of a slot share more than this much of their words (Jaccard), or of their letters (difflib). Measured:
# the closest pair is at 0.60 and 0.87.
MOST_WORDS, MOST_LETTERS = 0.65, 0.88


def bare(wording: str) -> str:
    return re.sub(r"\{[a-z_]+\}", " ", wording).lower()


def words_of(wording: str) -> set[str]:
    return set(re.findall(r"[a-z0-9']+", bare(wording)))


def test_every_task_has_its_file_and_every_file_its_task():
    assert list(TASKS) == FILES


@pytest.mark.parametrize("task", TASKS)
def test_there_are_enough_questions(task):
    slots = Wordings.load(task).slots
    asking = [len(slot.wordings) for name, slot in slots.items() if name.startswith(("question", "opening"))]
    assert asking
    assert max(asking) >= (15 if task in FRAMED else 40)


@pytest.mark.parametrize(("task", "slot"), [s for s in SLOTS if not s[1].startswith(("question", "opening"))])
def test_answers_are_few_and_short(task, slot):
    wordings = Wordings.load(task).slots[slot].wordings
    assert len(wordings) <= 6
    assert all(len(words_of(wording)) <= 10 for wording in wordings)


@each_slot
def test_no_two_wordings_are_nearly_the_same(task, slot):
    for a, b in combinations(Wordings.load(task).slots[slot].wordings, 2):
        mine, theirs = words_of(a), words_of(b)
        if slot.startswith("question"):
            assert len(mine & theirs) <= MOST_WORDS * len(mine | theirs), (a, b)
        letters = SequenceMatcher(None, a.lower(), b.lower(), autojunk=False).ratio()
        assert letters <= MOST_LETTERS, (a, b)


@pytest.mark.parametrize(("task", "slot"), [s for s in SLOTS if s[1].startswith("question")])
def test_questions_vary_in_length_and_form(task, slot):
    wordings = Wordings.load(task).slots[slot].wordings
    lengths = sorted(len(bare(wording).split()) for wording in wordings)
    assert lengths[len(lengths) // 10] * 2 <= lengths[-len(lengths) // 10]
    openings = Counter(tuple(bare(wording).split()[:2]) for wording in wordings)
    assert openings.most_common(1)[0][1] <= len(wordings) / 6


@each_slot
def test_wordings_are_clean_english(task, slot):
    for wording in Wordings.load(task).slots[slot].wordings:
        check_text(wording)  # no reserved token
        assert wording.isascii()
        assert "  " not in wording
        assert not re.search(r"\s[,.?!;:]", wording), wording


BOX = r"\bbox|\brectang|\bfram(e|ing)\b"
MASK = r"\bmask|\bsegment|\boutlin|\bsilhouett|\bcut(ting)?[ -]?outs?\b|\bpixel|\bcontour"
DRAWN = rf"{MASK}|\bcut\b|\btrac(e|ing)\b|\bshape|\bborder|\bpaint|\bselect|\bextract|\bisolat"  # may mean a mask
POSE = r"\bkeypoint|\bpose|\bjoint|\bskelet|\blandmark|\bpostur|\bbody"
DEPTH = r"\bdepth|\bdistan|\bfar\b|\brange\b|\bmetres"
POINT = r"\bpoint|\bdot"
# task -> what every question must speak of, and what none may speak of
SAYS: dict[str, tuple[str | None, str]] = {
    "caption": (None, rf"{BOX}|{MASK}|{POSE}|{DEPTH}|{POINT}"),
    "det": (rf"{BOX}|\bdetect", rf"{MASK}|{POSE}|{DEPTH}"),
    "cond_det": (rf"{BOX}|\bdetect", rf"{MASK}|{POSE}|\bdepth"),
    "rec": (BOX, rf"{MASK}|{POSE}|{DEPTH}"),
    "seg": (DRAWN, rf"{BOX}|{POSE}|{DEPTH}"),
    "res": (DRAWN, rf"{BOX}|{POSE}|{DEPTH}"),
    "interactive_seg": (DRAWN, rf"\bbox|{POSE}|{DEPTH}"),
    "keypoints": (POSE, rf"{BOX}|{MASK}|{DEPTH}"),
    "depth": (rf"{DEPTH}|\bnear\b|\bdeep\b", rf"{BOX}|\bmask|\bsegment|{POSE}"),
    "reg_box": (None, rf"{MASK}|{POSE}|{DEPTH}"),
    "reg_region": (None, rf"{BOX}|{MASK}|{POSE}|{DEPTH}"),
    "region_caption": (None, rf"{MASK}|{POSE}|{DEPTH}"),
    "vqa": (None, rf"{BOX}|{MASK}|{POSE}|{DEPTH}|\bpoint|\bdraw|\bexplain why|\breason"),
    "vqa_reasoning": (None, rf"{BOX}|{MASK}|{POSE}|{DEPTH}|\bpoint|\bdraw|\bword|\bbrief|\bshort"),
    "vqa_point": (None, rf"{BOX}|{MASK}|{POSE}|{DEPTH}|\bdraw\b|\bexplain"),
    "vqa_box": (None, rf"{MASK}|{POSE}|{DEPTH}|\bdraw\b"),
    "cond_seg": (DRAWN, rf"{BOX}|{POSE}|{DEPTH}"),
    "panoptic": (rf"{DRAWN}|\bpartition|\bparse", rf"{BOX}|{POSE}|{DEPTH}"),
    "gcg_box": (BOX, rf"{MASK}|{POSE}|{DEPTH}"),
    "gcg_mask": (DRAWN, rf"{BOX}|{POSE}|{DEPTH}"),
    "grounded_vqa_box": (BOX, rf"{MASK}|{POSE}|{DEPTH}"),
    "grounded_vqa_point": (
        rf"{POINT}|\btap|\bclick|\btouch|\bfinger|\bpin\b|\bmarker|\bspot\b",
        rf"{BOX}|{MASK}|{POSE}|{DEPTH}",
    ),
    "interactive_det": (BOX, rf"{MASK}|{POSE}|\bdepth|\bdistan"),
    "region_keypoints": (POSE, rf"{BOX}|{MASK}|{DEPTH}"),
    "absent": (BOX, rf"{MASK}|{POSE}|{DEPTH}"),
    "count": (BOX, rf"{MASK}|{POSE}|{DEPTH}"),
    "mixed": (None, rf"{BOX}|{MASK}|{POSE}|{DEPTH}"),  # the wishes say it
}
# An answer refers by units. Nobody gets numbers, files or code out of it.
NEVER = r"coordinate|\bx[01]\b|\by[01]\b|xyxy|xywh|\[x|\(x|json|csv|\brle\b|polygon|normali[sz]ed|\bpng\b|hex|percent"


def test_every_task_with_questions_of_its_own_is_held_to_its_units():
    assert set(SAYS) == set(FILES) - FRAMED


@pytest.mark.parametrize("task", sorted(SAYS))
def test_questions_ask_for_what_the_answer_gives(task):
    must, never = SAYS[task]
    slots = Wordings.load(task).slots
    for wording in (w for name, slot in slots.items() if name.startswith("question") for w in slot.wordings):
        assert must is None or re.search(must, bare(wording)), wording
        assert not re.search(never, bare(wording)), wording


@each_slot
def test_nobody_asks_for_numbers_or_files(task, slot):
    for wording in Wordings.load(task).slots[slot].wordings:
        assert not re.search(NEVER, wording.lower()), wording


# --- filling ---------------------------------------------------------------------------------------------------------

MARK = Prompt("point", Point((1.0, 2.0)))
FOUND = Triplet("dog", "box")


@given(st.text())
def test_values_pass_untouched(value):
    parts = Wordings.fill("Find {phrase} now.", phrase=value)
    assert parts == (f"Find {value} now.",)


@pytest.mark.parametrize(
    "value", ["{region}", "{", "}{", "{phrase}", 'a "quote"', "猫の{}", "👩‍👩‍👧 {x!r:>3}", "%s %(a)s \\1"]
)
def test_braces_in_values_are_letters(value):
    assert Wordings.fill("{phrase} at {region}", phrase=value, region=MARK) == (f"{value} at ", MARK)


def test_parts_are_well_formed():
    assert Wordings.fill("{objects}", objects=FOUND) == (FOUND,)
    assert Wordings.fill("{objects}.", objects=("a ", FOUND, "", " b")) == ("a ", FOUND, " b.")
    assert Wordings.fill("{a}{b}", a="x", b="") == ("x",)
    assert Wordings.fill("{a}{b}", a="", b=()) == ()


@pytest.mark.parametrize("values", [{}, {"phrase": "a", "more": "b"}, {"other": "a"}])
def test_names_and_values_must_match(values):
    with pytest.raises(WordingError, match="phrase"):
        Wordings.fill("Find {phrase}.", **values)


# --- drawing ---------------------------------------------------------------------------------------------------------


def test_pick_is_fair_and_names_what_it_picked():
    words, rng = Wordings.load("caption"), Random(7)
    picked = Counter(words.pick(rng, "question") for _ in range(8000))
    slot = words.slots["question"]
    assert {text for text, _ in picked} == set(slot.wordings)
    assert all(slot.wordings[int(template.split(":")[2])] == text for text, template in picked)
    assert min(picked.values()) > 8000 / len(slot.wordings) / 2


def test_the_plain_answer_gets_its_share():
    words, rng = Wordings.load("det"), Random(7)
    picked = Counter(words.pick(rng, "answer")[1] for _ in range(4000))
    share = words.slots["answer"].share
    assert share is not None
    assert picked["det:answer:0"] / 4000 == pytest.approx(share, abs=0.03)
    assert len(picked) == len(words.slots["answer"].wordings)


def test_the_rng_gives_the_same_afterwards_whatever_was_picked():
    words = Wordings.load("det")
    plain, framed = Random(3), Random(3)
    assert words.pick(plain, "answer") == words.pick(framed, "answer")
    assert plain.getstate() == framed.getstate()


def test_unknown_slots_and_tasks_are_named():
    with pytest.raises(WordingError, match=r"no slot 'nonsense'.*question"):
        Wordings.load("det").pick(Random(0), "nonsense")
    for name in ("nonsense", "../tasks/det", ""):
        with pytest.raises(WordingError, match="no wordings for task"):
            Wordings.load(name)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("question = ['Find {phrase}.', 'Find it.']", "each of"),
        ("question = ['Find {phrase} {phrase}.']", "exactly once"),
        ("question = ['Find {phrase}.', 'Find {object}.']", "each of"),
        ("question = ['Find {phrase}}.']", "exactly once"),
        ("question = ['Find {Phrase}.']", "exactly once"),
        ("question = ['Find it.', 'Find it.']", "twice"),
        ("question = [' Find it.']", "outer spaces"),
        ("question = ['']", "no wording"),
        ("question = [1]", "no wording"),
        ("question = []", "a list of wordings"),
        ("question = 'Find it.'", "a list of wordings"),
        ("question = ", "bad.toml"),
        ("[answer]\nplain = 'a'\nframed = ['b']", "plain .text., share"),
        ("[answer]\nplain = 'a'\nshare = 2\nframed = ['b']", "from 0 to 1"),
        ("[answer]\nplain = 'a'\nshare = 0.5\nframed = 'b'", "plain .text., share"),
    ],
)
def test_a_bad_file_is_refused_in_words(text, fault):
    with pytest.raises(WordingError, match=fault) as error:
        read_wordings("bad", text)
    assert "bad.toml" in str(error.value)
