"""Work done ahead comes in order, each piece once, its errors in their turn, and no more than asked for is begun."""

from __future__ import annotations

import pytest

from vtinstruct.ahead import ahead


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order_and_little_is_begun_before_it_is_asked_for(threads):
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return item * item

    found = ahead(work, range(9), threads)
    assert next(found) == (0, 0)
    assert len(begun) <= threads + 1
    assert list(found) == [(item, item * item) for item in range(1, 9)]
    assert sorted(begun) == list(range(9))
    assert list(ahead(work, [], threads)) == []


def test_an_error_comes_in_its_turn():
    found = ahead(lambda item: 1 // item, [2, 1, 0, 1])
    assert [next(found), next(found)] == [(2, 0), (1, 1)]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert list(found) == []
