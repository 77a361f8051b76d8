"""What every dialect must keep (`vtinstruct/dialect.py`), held by its file name alone: `vtinstruct/dialects/<name>.py`."""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtinstruct import plugins
from vtinstruct.dialect import ROOM, TEXT_FAULTS, UNIT_FAULTS, Dialect, Heard, NotSayable, Spoken, dialect_named
from vtinstruct.dialogue import Parts, Reference, Triplet
from vtinstruct.geometry import encode_mask
from vtinstruct.trp import RESERVED, parse
from vtinstruct.units import Box, Keypoints, Mask, Point, Unit, UnitKind, kind_of

NAMES = plugins.names(ROOM)
SIZE_WH = (1008, 504)  # multiples of 28, so that Qwen2.5-VL's pixels are the photo's
FULL = encode_mask(np.ones((SIZE_WH[1], SIZE_WH[0]), dtype=np.uint8))
each_dialect = pytest.mark.parametrize("dialect", [dialect_named(name) for name in NAMES], ids=NAMES)
shares = st.floats(0, 1).map(lambda share: round(share, 6))


def unit(kind: UnitKind, corners: tuple[float, float, float, float]) -> Unit:
    x0, y0, x1, y1 = (share * SIZE_WH[index % 2] for index, share in enumerate(corners))
    match kind:
        case "box":
            return Box((x0, y0, x1, y1))
        case "point":
            return Point((x0, y0))
        case "keypoint":
            return Keypoints(((x0, y0, 2), (x1, y1, 1)))
        case _:
            return Mask(FULL)


def answer(kind: UnitKind, *corners: tuple[float, float, float, float]) -> Parts:
    """The last unit is an umbrella, the others are dogs."""
    *dogs, umbrella = (Reference(unit(kind, one)) for one in corners)
    last = Triplet("red umbrella", kind, (umbrella,))
    return (Triplet("dog", kind, tuple(dogs)), ", ", last) if dogs else (last,)


def units_of(parts: Parts) -> tuple[Unit | None, ...]:
    return tuple(r.unit for part in parts if isinstance(part, Triplet) for r in part.references)


def spoken(dialect: Dialect, text: str, beside: tuple[Unit | None, ...] = ()) -> Spoken:
    return Spoken(text, SIZE_WH, beside=beside if dialect.beside else ())


def heard(dialect: Dialect, said: Spoken) -> Heard:
    """Read, and check what holds of whatever is read."""
    found = dialect.read(said)
    assert set(found.faults) <= {*TEXT_FAULTS, *UNIT_FAULTS}
    text = found.text  # renders
    read = parse(text, found.references)
    assert read.errors == ()
    assert read.parts == found.parts
    for triplet in found.triplets():
        assert triplet.kind in dialect.reads
        for reference in triplet.references:
            assert reference.unit is None or kind_of(reference.unit) == triplet.kind
    if any(reference.unit is None for reference in found.references):
        assert found.faults
    return found


def example(dialect: Dialect) -> tuple[str, tuple[Unit | None, ...]]:
    """A text with three marks, and its units."""
    kind: UnitKind = dialect.writes[0]
    parts = answer(kind, (0.1, 0.2, 0.5, 0.6), (0.25, 0.125, 0.75, 1.0), (0.0, 0.5, 0.3, 0.9))
    return dialect.render(parts, SIZE_WH), units_of(parts)


@each_dialect
def test_card(dialect: Dialect) -> None:
    assert isinstance(dialect, Dialect)
    assert dialect.name in NAMES
    assert all((dialect.title, dialect.source, dialect.coordinates, dialect.lost))
    assert dialect.reads
    assert set(dialect.writes) <= set(dialect.reads)
    assert (dialect.grid is None) <= (dialect.writes == ("mask",) or not dialect.writes or dialect.name == "coco_json")


@each_dialect
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_reads_back_within_the_grid(dialect: Dialect, data: st.DataObject) -> None:
    for kind in dialect.writes:
        corners = []
        for _ in range(data.draw(st.integers(1, 4))):
            x0, x1 = sorted(data.draw(st.tuples(shares, shares)))
            y0, y1 = sorted(data.draw(st.tuples(shares, shares)))
            corners.append((x0, y0, x1, y1))
        parts = answer(kind, *corners)
        said = spoken(dialect, dialect.render(parts, SIZE_WH), units_of(parts))
        found = heard(dialect, said)
        assert found.faults == ()
        wanted = [(one.concept, one.kind, len(one.references)) for one in parts if isinstance(one, Triplet)]
        assert [(one.concept, one.kind, len(one.references)) for one in found.triplets()] == wanted
        assert_alike(dialect, parts, found.parts)


def assert_alike(dialect: Dialect, true: Parts, got: Parts) -> None:
    """The same units; points of a phrase in any order (Molmo sorts them)."""
    left, right = list(units_of(true)), list(units_of(got))
    assert len(left) == len(right)
    for index, one in enumerate(left):
        if isinstance(one, Point):
            place = next(n for n, other in enumerate(right) if close(dialect, one, other))
            right.pop(place)
        else:
            assert close(dialect, one, right[index]), (one, right[index])


def close(dialect: Dialect, true: Unit | None, got: Unit | None) -> bool:
    grid = dialect.grid
    match true, got:
        case (Mask(), Mask()) | (Keypoints(), Keypoints()):
            return true == got
        case Box(), Box():
            pairs = zip(true.box_xyxy, got.box_xyxy, strict=True)
        case Point(), Point():
            pairs = zip(true.point_xy, got.point_xy, strict=True)
        case _:
            return False
    if grid is None:
        return all(abs(a - b) < 1e-6 for a, b in pairs)
    for index, (a, b) in enumerate(pairs):
        side = max(SIZE_WH) if grid.square else SIZE_WH[index % 2]
        scale = grid.scale or side
        far = a / side * scale > (grid.top or side - 1)  # beyond the last number that the grid has
        if abs(a - b) > (1.0 if far else grid.error) * side / scale + 1e-6:
            return False
    return True


@each_dialect
def test_a_thousand_marks(dialect: Dialect) -> None:
    rng = random.Random(0)
    for kind in dialect.writes:
        corners = []
        for _ in range(1000):
            (x0, x1), (y0, y1) = sorted((rng.random(), rng.random())), sorted((rng.random(), rng.random()))
            corners.append((x0, y0, x1, y1))
        parts = answer(kind, *corners)
        found = heard(dialect, spoken(dialect, dialect.render(parts, SIZE_WH), units_of(parts)))
        assert found.faults == ()
        assert len(units_of(found.parts)) == 1000
        assert_alike(dialect, parts, found.parts)


@each_dialect
def test_nothing_said_is_nothing_and_no_fault(dialect: Dialect) -> None:
    for text in ("", " ", "\n"):
        found = heard(dialect, spoken(dialect, text))
        assert found.faults == ()
        assert found.triplets() == ()


@each_dialect
def test_plain_words_stay_in_any_script(dialect: Dialect) -> None:
    for text in ("There is none.", "Deux chiens à l'écart", "一只狗在雨中", "🐕 and 🌂", "ein 5-Meter-Turm", "كلب"):
        found = heard(dialect, spoken(dialect, text))
        assert found.parts == (text,)
        assert found.faults == ()


@each_dialect
def test_concepts_in_any_script(dialect: Dialect) -> None:
    for concept in ("一只狗", "chien à poil", "🐕", "den røde paraply"):
        for kind in dialect.writes:
            parts = (Triplet(concept, kind, (Reference(unit(kind, (0.1, 0.2, 0.3, 0.4))),)),)
            found = heard(dialect, spoken(dialect, dialect.render(parts, SIZE_WH), units_of(parts)))
            assert [triplet.concept for triplet in found.triplets()] == [concept]


@each_dialect
def test_cut_off_at_every_character(dialect: Dialect) -> None:
    text, beside = example(dialect)
    whole = heard(dialect, spoken(dialect, text, beside))
    assert whole.faults == ()
    seen = 0
    for end in range(len(text)):
        found = heard(dialect, spoken(dialect, text[:end]))
        units = [one for one in units_of(found.parts) if one is not None]
        if not dialect.beside:
            assert len(units) >= seen - 1  # what was whole stays, as the text grows
            seen = max(seen, len(units))
            for got in units[:-1]:  # the last may be a number that lost a digit
                assert got in units_of(whole.parts)


@each_dialect
@pytest.mark.parametrize("token", RESERVED)
def test_the_marks_of_trp_are_no_marks_here(dialect: Dialect, token: str) -> None:
    for text in (token, f"a {token} dog", f"<R{token}EF>", "<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>)"):
        found = heard(dialect, spoken(dialect, text))
        assert found.triplets() == ()
        assert "trp mark" in found.faults
    text, beside = example(dialect)
    for place in range(0, len(text), 7):  # in the midst of the dialect's own marks: no way out of them either
        heard(dialect, spoken(dialect, text[:place] + token + text[place:], beside))
    found = heard(dialect, spoken(dialect, text.replace("umbrella", f"um{token}brella"), beside))
    if "umbrella" in text:
        assert "trp mark" in found.faults


@each_dialect
def test_marks_inside_marks_and_in_any_order(dialect: Dialect) -> None:
    text, beside = example(dialect)
    pieces = re.findall(r"<[^<>]*>|[\[\]{}()]+|[^<>\[\]{}()]+", text)
    rng = random.Random(0)
    for _ in range(120):
        shuffled = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 30)))
        heard(dialect, spoken(dialect, shuffled, beside))
    for place in range(0, len(text), 5):
        heard(dialect, spoken(dialect, text[:place] + text + text[place:], beside))


@each_dialect
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_text_is_read(dialect: Dialect, data: st.DataObject) -> None:
    text, _ = example(dialect)
    pieces = re.findall(r"<[^<>]*>|[\[\]{}()]+|[^<>\[\]{}()]+", text)
    said = data.draw(st.lists(st.sampled_from(pieces) | st.text(max_size=8), max_size=20).map("".join))
    heard(dialect, spoken(dialect, said))


@each_dialect
def test_absurd_numbers(dialect: Dialect) -> None:
    text, beside = example(dialect)
    absurd = ("-5", "99999", "1e999", "NaN", "0", "1" * 5000, "", "1.5.2", "٣", "-0.0")
    for number in absurd:
        for _ in range(2):
            changed = re.sub(r"(?<![A-Za-z])[0-9]+(?:\.[0-9]+)?", number, text)
            heard(dialect, spoken(dialect, changed, beside))
        once = re.sub(r"(?<![A-Za-z0-9])[0-9]+(?:\.[0-9]+)?", number, text, count=1)
        heard(dialect, spoken(dialect, once, beside))


@each_dialect
def test_swapped_corners_are_nothing_decoded(dialect: Dialect) -> None:
    if "box" not in dialect.writes or dialect.name == "coco_json":  # a width is never swapped
        return
    swapped = (Triplet("dog", "box", (Reference(unit("box", (0.9, 0.2, 0.1, 0.6))),)),)
    found = heard(dialect, spoken(dialect, dialect.render(swapped, SIZE_WH)))
    assert units_of(found.parts) == (None,)
    assert found.faults == ("swapped corners",)


@each_dialect
def test_a_megabyte_of_anything_is_no_hang(dialect: Dialect) -> None:
    text, _ = example(dialect)
    pieces = dict.fromkeys(re.findall(r"<[^<>]*>|\W|\w+", text))
    garbage = [piece * (100_000 // len(piece)) for piece in pieces]
    garbage += [text[:end] * (1_000_000 // end) for end in (len(text), len(text) // 2, len(text) - 1)]
    garbage += [text + "a " * 500_000, '"' + text * (1_000_000 // len(text))]
    start = time.process_time()
    for one in garbage:
        heard(dialect, spoken(dialect, one))
    assert time.process_time() - start < 90  # a quadratic reader takes hours


@each_dialect
def test_what_has_no_form_is_said(dialect: Dialect) -> None:
    kinds: tuple[UnitKind, ...] = ("box", "mask", "point", "keypoint", "depth")
    for kind in set(kinds) - set(dialect.writes):
        with pytest.raises(NotSayable, match="has no form"):
            dialect.render((Triplet("dog", kind, (Reference(Mask(FULL)),)),), SIZE_WH)
    for kind in dialect.writes:
        if dialect.beside:
            continue
        with pytest.raises(NotSayable, match="without geometry"):
            dialect.render((Triplet("dog", kind, (Reference(None),)),), SIZE_WH)


@each_dialect
def test_scores_go_with_their_marks_or_not_at_all(dialect: Dialect) -> None:
    text, beside = example(dialect)
    said = replace(spoken(dialect, text, beside), scores=(0.25, 0.5, None))
    found = heard(dialect, said)
    assert [reference.score for reference in found.references] == [0.25, 0.5, None]
    found = heard(dialect, replace(said, scores=(0.25,)))
    assert [reference.score for reference in found.references] == [None] * 3
    assert found.faults == ("beside",)
