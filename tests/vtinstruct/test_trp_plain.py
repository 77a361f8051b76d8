"""The quick reading of triplets says what the full one says, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtinstruct.trp import SPECIAL_TOKENS, parse
from vtinstruct.trp_plain import Counted, plain_triplets

PIECES = [*SPECIAL_TOKENS, "[VPT]", "<image>", "[0]", "[1]", "(", ")", "box", "mask", " ", "\n", "a dog", "<", "[",
          "<Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>)", "<Phrase>two</Phrase>(<Unit>mask</Unit>[0]<REF>[1]<REF>)",
          "<Phrase> </Phrase>(<Unit>box</Unit>)", "<Task>\nUnit decode (False).\n</Task>\n"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_where_it_reads_it_agrees_with_the_full_reader(text: str) -> None:
    found = plain_triplets(text)
    answer = parse(text)
    if found is not None:
        assert not answer.errors
        assert answer.plan is None
        assert found == [Counted(t.concept, t.kind, len(t.references)) for t in answer.triplets()]
        assert answer.references == sum(one.references for one in found)
    elif not answer.errors:
        assert answer.plan is not None or "<" in text or "[VPT]" in text  # only odd texts go the long way


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No marks at all.",
        "A <Phrase>dog</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>), and <Phrase>no cat</Phrase>(<Unit>box</Unit>).",
    ],
)
def test_ordinary_answers_are_read_quickly(text: str) -> None:
    assert plain_triplets(text) == [Counted(t.concept, t.kind, len(t.references)) for t in parse(text).triplets()]
