"""Answers that compete for the same truths while some of them share a confidence: what each group of them can come to, in the
worst and in the best order. `ties.py` says what that is for.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (scipy ships no types)

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from benchmarks.matching import Bools, Floats, Ints, components

SEARCHED = 7  # answers in a group that is searched through
REMEMBERED = 1 << 14  # groups: many are alike

Preferences = tuple[tuple[int, ...], ...]  # of every answer of a group: its truths, best first


@dataclass(slots=True)
class Events:
    """Hits and misses of one IoU threshold in the worst and the best order: keys (class x confidence, first to last) of each one.
    `steps` are misses that can stand only behind a hit of the same confidence: (key, how many) for each such hit."""

    worst_hits: list[Ints] = field(default_factory=list[Ints])
    worst_misses: list[Ints] = field(default_factory=list[Ints])
    best_hits: list[Ints] = field(default_factory=list[Ints])
    best_misses: list[Ints] = field(default_factory=list[Ints])
    steps: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])

    def sure(self, hits: Ints, misses: Ints) -> None:
        """Hits and misses whatever the order."""
        self.worst_hits.append(hits)
        self.best_hits.append(hits)
        self.worst_misses.append(misses)
        self.best_misses.append(misses)


def _most_hits(own: Ints, truths: Ints) -> int:
    """The size of a largest matching."""
    _, f = np.unique(own, return_inverse=True)
    _, t = np.unique(truths, return_inverse=True)
    graph = coo_array((np.ones(f.size, dtype=np.int8), (f, t))).tocsr()
    partner: Any = maximum_bipartite_matching(graph, perm_type="column")
    return int(np.count_nonzero(cast(NDArray[np.int32], partner) >= 0))


# One group of competing answers: how many hits its worst order has, and how many misses may stand before each next hit: the
# steps of the least concave curve above that, first to last.
Group = tuple[int, tuple[float, ...]]


def compete(events: Events, f: Ints, t: Ints, similar: Floats, spared: Bools, hit: Bools, key: Ints) -> None:
    """What comes of the answers that fit truths."""
    if not f.size:
        return
    members, local = np.unique(f, return_inverse=True)
    group = np.unique(components(local, t, members.size, int(t.max()) + 1), return_inverse=True)[1]
    groups = int(group.max()) + 1
    truths = np.bincount(group[local][np.unique(t, return_index=True)[1]], minlength=groups)
    distinct = np.unique(np.stack([group, key[members]]), axis=1)
    levels = np.bincount(distinct[0], minlength=groups)
    several = (truths > 1) & (levels < np.bincount(group, minlength=groups))
    _lone(events, members, group, truths == 1, spared, key)
    plain = members[((truths > 1) & ~several)[group]]
    events.sure(key[plain[hit[plain]]], key[plain[~hit[plain] & ~spared[plain]]])
    chosen = several[group[local]]
    f, t, similar, label = f[chosen], t[chosen], similar[chosen], group[local][chosen]
    order = np.lexsort((f, label))
    f, t, similar, label = f[order], t[order], similar[order], label[order]
    cuts = [0, *(np.flatnonzero(label[1:] != label[:-1]) + 1).tolist(), label.size] if label.size else [0]
    for start, stop in pairwise(cuts):
        _tangled(events, f[start:stop], t[start:stop], similar[start:stop], spared, key)


def _lone(events: Events, members: Ints, group: Ints, chosen: Bools, spared: Bools, key: Ints) -> None:
    """Groups around one truth: one of the most confident hits, all others miss."""
    members, group = members[chosen[group]], group[chosen[group]]
    first = np.full(chosen.size, np.iinfo(np.int64).max)
    np.minimum.at(first, group, key[members])
    may_miss = ~spared[members]
    foremost = key[members] == first[group]
    rivals = np.bincount(group[foremost & may_miss], minlength=chosen.size)
    all_may = rivals == np.bincount(group[foremost], minlength=chosen.size)
    own = np.flatnonzero(chosen)
    first, behind, fewest = first[own], (rivals - all_may)[own], np.maximum(rivals - 1, 0)[own]
    events.sure(first, key[members[~foremost & may_miss]])
    events.best_misses.append(np.repeat(first, fewest))
    some = behind > 0
    events.steps += zip(first[some].tolist(), behind[some].astype(float).tolist(), strict=True)


def _tangled(events: Events, own: Ints, truths: Ints, similar: Floats, spared: Bools, key: Ints) -> None:
    """A group around several truths with equal confidences in it."""
    answers = np.unique(own)
    may_miss = tuple((~spared[answers]).tolist())
    keys = key[answers]
    levels, level = np.unique(keys, return_inverse=True)
    if levels.size == 1:
        most, at = _most_hits(own, truths), int(levels[0])
        if answers.size <= SEARCHED:
            least, steps = _search(_preferences(own, truths, similar), may_miss)
        else:
            least = (most + 1) // 2
            steps = (float(min(answers.size - 1, sum(may_miss))), *([0.0] * (least - 1)))
        events.worst_hits.append(np.repeat(levels, least))
        events.steps += [(at, step) for step in steps]
        events.best_hits.append(np.repeat(levels, most))
        events.best_misses.append(np.repeat(levels, max(0, sum(may_miss) - most)))
        return
    if answers.size <= SEARCHED:
        spans = _spans(_preferences(own, truths, similar), may_miss, tuple(level.tolist()))
    else:
        spans = _rough_spans(own, truths, np.array(may_miss), answers, level)
    table = np.diff(np.array(spans), axis=0, prepend=0)  # fewest hits, most hits, fewest misses, most misses
    for column, several in enumerate((events.worst_hits, events.best_hits, events.best_misses, events.worst_misses)):
        several.append(np.repeat(levels, table[:, column]))


Span = tuple[int, int, int, int]  # down to a confidence: fewest hits, most hits, fewest misses, most misses


@lru_cache(REMEMBERED)
def _spans(preferences: Preferences, may_miss: tuple[bool, ...], level: tuple[int, ...]) -> tuple[Span, ...]:
    """All orders of a small group that keep to its confidences."""
    states = {(frozenset[int](), 0)}  # what is taken, how many have missed
    found: list[Span] = []
    for number in range(max(level) + 1):
        waiting = frozenset(answer for answer, own in enumerate(level) if own == number)
        open_ = {(waiting, taken, misses) for taken, misses in states}
        for _ in waiting:
            following: set[tuple[frozenset[int], frozenset[int], int]] = set()
            for left, taken, misses in open_:
                for answer in left:
                    choice = next((truth for truth in preferences[answer] if truth not in taken), None)
                    after = (taken, misses + may_miss[answer]) if choice is None else (taken | {choice}, misses)
                    following.add((left - {answer}, *after))
            open_ = following
        states = {(taken, misses) for _, taken, misses in open_}
        hits, wrong = [len(taken) for taken, _ in states], [misses for _, misses in states]
        found.append((min(hits), max(hits), min(wrong), max(wrong)))
    return tuple(found)


def _rough_spans(own: Ints, truths: Ints, may_miss: Bools, answers: Ints, level: Ints) -> tuple[Span, ...]:
    """The same for a large group, from outside."""
    found: list[Span] = []
    for number in range(int(level.max()) + 1):
        so_far = level <= number
        inside = np.isin(own, answers[so_far])
        most, may = _most_hits(own[inside], truths[inside]), int(np.count_nonzero(may_miss[so_far]))
        least = (most + 1) // 2
        found.append((least, most, max(0, may - most), min(may, int(np.count_nonzero(so_far)) - least)))
    highest = np.maximum.accumulate(np.array(found), axis=0)  # bounds of running counts run up too
    return tuple(tuple(row) for row in highest.tolist())


def _preferences(own: Ints, truths: Ints, similar: Floats) -> Preferences:
    """Each answer's truths, best first, numbered from 0 as they come up, so that alike groups are searched once."""
    number: dict[int, int] = {}
    found: list[tuple[int, ...]] = []
    for answer in np.unique(own).tolist():
        at = np.flatnonzero(own == answer)
        ranked = sorted(at.tolist(), key=lambda i: (-similar[i], -truths[i]))
        found.append(tuple(number.setdefault(int(truths[i]), len(number)) for i in ranked))
    return tuple(found)


@lru_cache(REMEMBERED)
def _search(preferences: Preferences, may_miss: tuple[bool, ...]) -> Group:
    """All orders of a small group: the fewest hits, and the most misses after so many hits."""
    misses: dict[int, int] = {}
    fewest = len(preferences)
    states = {(frozenset[int](), frozenset[int]())}  # who has hit, what is taken
    for hits in range(len(preferences) + 1):
        following: set[tuple[frozenset[int], frozenset[int]]] = set()
        for hit, taken in states:
            free = 0
            for answer, wanted in enumerate(preferences):
                if answer in hit:
                    continue
                choice = next((truth for truth in wanted if truth not in taken), None)
                if choice is None:
                    free += may_miss[answer]
                else:
                    following.add((hit | {answer}, taken | {choice}))
            misses[hits] = max(misses.get(hits, 0), free)
            if all(a in hit or set(wanted) <= taken for a, wanted in enumerate(preferences)):
                fewest = min(fewest, hits)
        states = following
        if not states:
            break
    return fewest, _concave([misses.get(hits, 0) for hits in range(fewest + 1)])


def _concave(values: list[int]) -> tuple[float, ...]:
    """Steps of the least concave curve through 0 above the values."""
    steps: list[float] = []
    at = 0
    while at < len(values) - 1:
        slopes = [(values[end] - values[at]) / (end - at) for end in range(at + 1, len(values))]
        end = at + 1 + int(np.argmax(slopes))
        steps += [max(slopes)] * (end - at)
        at = end
    return tuple(steps)
