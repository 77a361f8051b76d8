"""TRP: what is rendered reads back, whatever is read never raises, and reading is linear in the text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtinstruct.dialogue import Part, Prompt, Reference, Triplet
from vtinstruct.trp import (
    RESERVED,
    Command,
    Plan,
    PlanLine,
    RenderError,
    join_parts,
    parse,
    parse_command,
    parse_question,
    plan_of,
    render,
    render_command,
    render_question,
)
from vtinstruct.units import UNIT_KINDS, Box, Depth, Keypoints, Mask, Point, Rle

UNITS = {
    "box": Box((1.0, 2.5, 30.0, 40.0)),
    "mask": Mask(Rle((3, 4), b"0<")),
    "keypoint": Keypoints(((1.0, 2.0, 2), (0.0, 0.0, 0))),
    "depth": Depth("images/nyuv2/depth/1.png", 0.001),
    "point": Point((5.0, 6.0)),
}


def free_text(**options: int) -> st.SearchStrategy[str]:
    # Pieces of marks make texts that nearly hold a token: the hard cases.
    pieces = st.sampled_from(
        ["<", ">", "<Phrase", "/Phrase>", "[0]", "<RE", "F>", "(", ")", "[VP", "T]", "\n", "é", "你", "🙂", "{x}"]
    )
    text = st.lists(pieces | st.text(max_size=6), **options).map("".join)
    return text.filter(lambda t: not any(token in t for token in RESERVED))


concepts = free_text(min_size=1, max_size=4).map(lambda t: t.replace("\n", " ")).filter(lambda t: t.strip() != "")


@st.composite
def triplets(draw: st.DrawFn) -> Triplet:
    kind = draw(st.sampled_from(UNIT_KINDS))
    count = draw(st.integers(0, 5) | st.just(70))
    return Triplet(draw(concepts), kind, tuple(Reference(UNITS[kind], annotation_id=str(i)) for i in range(count)))


answers = (
    st.lists(free_text(max_size=4) | triplets(), max_size=8)
    .map(join_parts)
    .filter(lambda parts: not any(token in part for part in parts if isinstance(part, str) for token in RESERVED))
)
prompts = st.builds(lambda: Prompt("point", Point((1.0, 2.0)))) | st.builds(
    lambda: Prompt("mask", Mask(Rle((3, 4), b"0<")))
)
questions = (
    st.lists(free_text(max_size=4) | prompts, max_size=6)
    .map(join_parts)
    .filter(lambda parts: not any(token in part for part in parts if isinstance(part, str) for token in RESERVED))
)


@given(answers, st.booleans())
def test_reading_what_was_rendered_gives_the_same_parts(parts: tuple[Part, ...], plan: bool) -> None:
    references = [r for part in parts if isinstance(part, Triplet) for r in part.references]
    read = parse(render(parts, plan=plan), references)
    assert read.parts == parts
    assert read.errors == ()
    assert read.references == len(references)
    assert read.plan == (plan_of(parts) if plan else None)


@given(questions, st.booleans())
def test_questions_read_back(parts: tuple[Part, ...], image: bool) -> None:
    marks = [part for part in parts if isinstance(part, Prompt)]
    read = parse_question(render_question(parts, image), marks)
    # A question without a photo that begins with the words of one is told apart by nothing; no text may hold <image>.
    assert (read.parts, read.image, read.errors) == (parts, image, ())


fragments = st.sampled_from(
    [*RESERVED, "box", "mask", "cube", "(", ")", "[0]", "[1]", "[99999999999]", "\n", " ", "a", "<", "Unit decode (True).",
     "- Name: a Unit: box Num: 1", "<Phrase>a</Phrase>(<Unit>box</Unit>[0]<REF>)"]
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(fragments | st.text(max_size=3), max_size=40).map("".join))
def test_reading_never_raises_and_keeps_what_it_can(text: str) -> None:
    read = parse(text)
    assert read.references == text.count("<REF>")
    for error in read.errors:
        assert 0 <= error.offset <= len(text)
    # What was read is well formed: it renders, and reads back without a fault.
    again = parse(render(read.parts))
    assert (again.parts, again.errors) == (read.parts, ())


@given(st.lists(fragments, max_size=30).map("".join))
def test_questions_never_raise(text: str) -> None:
    read = parse_question(text, [Prompt("point", Point((1.0, 2.0)))])
    assert all(0 <= error.offset <= len(text) for error in read.errors)


# What models say: (text, kinds of the errors, concepts that are still read)
SAID = [
    ("<Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>).", [], ["cat"]),
    ("<Phrase>red umbrella</Phrase>(<Unit>mask</Unit>).", [], ["red umbrella"]),  # nothing matches
    ("<Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>", ["unclosed"], ["cat"]),  # stopped by the length limit
    ("<Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>[1]", ["unclosed"], ["cat"]),
    ("<Phrase>cat</Phrase>(<Unit>box", ["unclosed", "stray"], []),
    ("<Phrase>cat</Phrase>", ["unclosed"], []),
    ("<Phrase>cat", ["unclosed"], []),
    ("<Phrase>a <Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>)", ["crossing"], ["cat"]),
    ("<Phrase>cat</Phrase>(<Unit>box</Unit>[1]<REF>[0]<REF>)", ["index"], ["cat"]),
    ("<Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>[0]<REF>)", ["index"], ["cat"]),
    ("<Phrase>cat</Phrase>(<Unit>cube</Unit>[0]<REF>) <Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>)", ["unknown_unit"], ["dog"]),
    ("<Phrase></Phrase>(<Unit>box</Unit>[0]<REF>)", ["empty_concept"], []),
    ("<Phrase>  </Phrase>(<Unit>box</Unit>[0]<REF>)", ["empty_concept"], []),
    ("a cat [0]<REF> sits", ["stray_reference"], []),
    ("look: [VPT]", ["placeholder"], []),
    ("<Unit>box</Unit>", ["stray", "stray"], []),
    ("<Phrase>a<b</Phrase>(<Unit>box</Unit>[0]<REF>)", [], ["a<b"]),  # a plain '<' is a plain '<'
    ("<Task>\nUnit decode (False).\n</Task>\nA cat.", [], []),
    ("<Task>\nUnit decode (False).\n</Task>\n<Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>)", ["plan_mismatch"], ["cat"]),
    ("<Task>\nwhatever\n</Task>\n<Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>)", ["plan"], ["cat"]),
    ("<Task>\nUnit decode (False).\n", ["unclosed"], []),
    ("hello <Task>", ["stray"], []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kinds", "concepts"), SAID)
def test_what_models_say(text: str, kinds: list[str], concepts: list[str]) -> None:
    read = parse(text)
    assert [error.kind for error in read.errors] == kinds
    assert [triplet.concept for triplet in read.triplets()] == concepts


def test_the_nth_reference_is_the_nth_unit_even_after_a_broken_triplet() -> None:
    units = [Reference(Box((float(i), 0.0, i + 1.0, 1.0))) for i in range(4)]
    text = (
        "[0]<REF> <Phrase>x</Phrase>(<Unit>cube</Unit>[0]<REF>) <Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>)"
    )
    (cat,) = parse(text, units).triplets()
    assert cat.references == (units[2], units[3])


def test_units_missing_or_left_over_are_said() -> None:
    text = "<Phrase>cat</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>)"
    one = Reference(UNITS["box"])
    few = parse(text, [one])
    assert [error.kind for error in few.errors] == ["units"]
    assert few.triplets()[0].references == (one, Reference(None))
    assert [error.kind for error in parse(text, [one] * 3).errors] == ["units"]


def test_the_plan_block_reads_as_the_paper_writes_it() -> None:
    parts = (
        "A ",
        Triplet("man", "mask", (Reference(None),)),
        " and ",
        Triplet("two dogs", "box", (Reference(None),) * 2),
    )
    text = render(parts, plan=True)
    assert text == (
        "<Task>\nUnit decode (True). Class name, target unit and number:\n"
        "- Name: man Unit: mask Num: 1\n- Name: two dogs Unit: box Num: 2\n</Task>\n"
        "A <Phrase>man</Phrase>(<Unit>mask</Unit>[0]<REF>) and <Phrase>two dogs</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>)"
    )
    expected: Plan = (PlanLine("man", "mask", 1), PlanLine("two dogs", "box", 2))
    assert parse(text).plan == expected


@pytest.mark.parametrize("token", RESERVED)
def test_reserved_tokens_cannot_be_said(token: str) -> None:
    for parts in ([f"a {token} b"], [token[:2], token[2:]], [Triplet(f"a{token}", "box")]):
        with pytest.raises(RenderError, match="reserved token"):
            render(parts)
    with pytest.raises(RenderError, match="reserved token"):
        render_question([token])


def test_parts_in_the_wrong_place_cannot_be_rendered() -> None:
    with pytest.raises(RenderError, match="prompts belong to questions"):
        render([Prompt("point", Point((1.0, 1.0)))])
    with pytest.raises(RenderError, match="triplets belong to answers"):
        render_question([Triplet("cat", "box")])
    for concept in ("", " ", "a\nb"):
        with pytest.raises(RenderError, match="concept"):
            render([Triplet(concept, "box")])


def test_questions_count_their_prompts() -> None:
    mark = Prompt("point", Point((1.0, 1.0)))
    assert [e.kind for e in parse_question("what is [VPT] and [VPT]?", [mark]).errors] == ["placeholder"]
    assert [e.kind for e in parse_question("what is this?", [mark]).errors] == ["units"]
    assert [e.kind for e in parse_question("a <REF>", []).errors] == ["stray"]


def test_commands_read_back() -> None:
    command = Command("referring segmentation", ("phrase", "unit"), ("mask",))
    text = render_command(command) + "<image>\nWhere is it?"
    assert parse_command(text) == (command, "<image>\nWhere is it?")
    assert parse_command("Where is it?") == (None, "Where is it?")
    bare = Command("chat", (), ())
    assert parse_command(render_command(bare)) == (bare, "")
    with pytest.raises(RenderError):
        render_command(Command("a\nb", (), ()))


HOSTILE = {
    "phrases": "<Phrase>", "references": "[0]<REF>", "angles": "<", "brackets": "[", "open triplets": "<Phrase>a</Phrase>(<Unit>box</Unit>[0]<REF>",
    "digits": "[000000000", "half phrases": "<Phrase>a</Phrase>(", "plans": "<Task>\n", "closings": "</Phrase>",
    "spaces": "<Phrase> </Phrase>(<Unit>box</Unit>)", "plan lines": "- Name: a Unit: b Num: 1 Unit: ",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_two_megabytes_of_hostile_text_are_no_quadratic_work(name: str) -> None:
    """Processor time, so that other programs do not matter: reading takes half a second at most; to copy what was read at
    every mark takes 25 seconds, to look at it character by character an hour (`tests/perf` measures the rate)."""
    text = HOSTILE[name] * (2_000_000 // len(HOSTILE[name]))
    start = time.process_time()
    parse(text)
    assert time.process_time() - start < 10
