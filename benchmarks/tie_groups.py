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


@dataclass(frozen=True, slots=True)
class Rivals:
    """Answers beside the truths that they fit, pair by pair: f, t, how `similar`, and whether the truth is `void`: ignored, it
    takes one answer all the same, which then neither hits nor misses."""

    f: Ints
    t: Ints
    similar: Floats
    void: Bools

    def at(self, which: Ints | Bools | slice) -> Rivals:
        """The chosen pairs."""
        return Rivals(self.f[which], self.t[which], self.similar[which], self.void[which])

    def most(self, hits: bool) -> int:
        """The size of a largest matching; `hits`: with truths that count alone."""
        own, truths = (self.f[~self.void], self.t[~self.void]) if hits else (self.f, self.t)
        if not own.size:
            return 0
        _, f = np.unique(own, return_inverse=True)
        _, t = np.unique(truths, return_inverse=True)
        graph = coo_array((np.ones(f.size, dtype=np.int8), (f, t))).tocsr()
        partner: Any = maximum_bipartite_matching(graph, perm_type="column")
        return int(np.count_nonzero(cast(NDArray[np.int32], partner) >= 0))


def compete(events: Events, rivals: Rivals, spared: Bools, hit: Bools, gone: Bools, key: Ints) -> None:
    """What comes of the answers that fit truths. `hit` and `gone` (to an ignored truth) are those of the stored order, `spared`
    ones never miss."""
    if not rivals.f.size:
        return
    members, local = np.unique(rivals.f, return_inverse=True)
    group = np.unique(components(local, rivals.t, members.size, int(rivals.t.max()) + 1), return_inverse=True)[1]
    groups = int(group.max()) + 1
    first = np.unique(rivals.t, return_index=True)[1]
    truths = np.bincount(group[local][first], minlength=groups)
    void = np.bincount(group[local][first], weights=rivals.void[first], minlength=groups) > 0
    distinct = np.unique(np.stack([group, key[members]]), axis=1)
    levels = np.bincount(distinct[0], minlength=groups)
    several = (truths > 1) & (levels < np.bincount(group, minlength=groups))
    _lone(events, members, group, truths == 1, void, spared, key)
    plain = members[((truths > 1) & ~several)[group]]
    events.sure(key[plain[hit[plain]]], key[plain[~hit[plain] & ~gone[plain] & ~spared[plain]]])
    chosen = rivals.at(several[group[local]])
    label = group[local][several[group[local]]]
    order = np.lexsort((chosen.f, label))
    chosen, label = chosen.at(order), label[order]
    cuts = [0, *(np.flatnonzero(label[1:] != label[:-1]) + 1).tolist(), label.size] if label.size else [0]
    for start, stop in pairwise(cuts):
        _tangled(events, chosen.at(slice(start, stop)), spared, key)


def _lone(events: Events, members: Ints, group: Ints, chosen: Bools, void: Bools, spared: Bools, key: Ints) -> None:
    """Groups around one truth: one of the most confident takes it, all others miss."""
    members, group = members[chosen[group]], group[chosen[group]]
    first = np.full(chosen.size, np.iinfo(np.int64).max)
    np.minimum.at(first, group, key[members])
    may_miss = ~spared[members]
    foremost = key[members] == first[group]
    rivals = np.bincount(group[foremost & may_miss], minlength=chosen.size)
    all_may = rivals == np.bincount(group[foremost], minlength=chosen.size)
    own = np.flatnonzero(chosen)
    first, behind, fewest, void = first[own], (rivals - all_may)[own], np.maximum(rivals - 1, 0)[own], void[own]
    events.sure(first[~void], key[members[~foremost & may_miss]])
    events.best_misses.append(np.repeat(first, fewest))
    events.worst_misses.append(np.repeat(first[void], behind[void]))  # before hits of others too
    some = (behind > 0) & ~void
    events.steps += zip(first[some].tolist(), behind[some].astype(float).tolist(), strict=True)


def _tangled(events: Events, rivals: Rivals, spared: Bools, key: Ints) -> None:
    """A group around several truths with equal confidences in it."""
    answers = np.unique(rivals.f)
    may_miss = tuple((~spared[answers]).tolist())
    levels, level = np.unique(key[answers], return_inverse=True)
    if levels.size == 1:
        _level(events, rivals, may_miss, levels)
        return
    if answers.size <= SEARCHED:
        spans = _spans(_preferences(rivals), may_miss, tuple(level.tolist()))
    else:
        spans = _rough_spans(rivals, np.array(may_miss), answers, level)
    table = np.diff(np.array(spans), axis=0, prepend=0)  # fewest hits, most hits, fewest misses, most misses
    for column, several in enumerate((events.worst_hits, events.best_hits, events.best_misses, events.worst_misses)):
        several.append(np.repeat(levels, table[:, column]))


def _level(events: Events, rivals: Rivals, may_miss: tuple[bool, ...], level: Ints) -> None:
    """One group of one confidence."""
    most, at_all, may = rivals.most(hits=True), rivals.most(hits=False), sum(may_miss)
    if len(may_miss) <= SEARCHED:
        least, free, steps = _search(_preferences(rivals), may_miss)
    else:
        least, behind = (most + 1) // 2, min(len(may_miss) - 1, may)
        free = behind if rivals.void.any() else 0  # who finds an ignored truth taken needs no hit before
        steps = (float(behind - free), *([0.0] * (least - 1)))[:least]
    events.worst_hits.append(np.repeat(level, least))
    events.worst_misses.append(np.repeat(level, free))
    events.steps += [(int(level[0]), step) for step in steps]
    events.best_hits.append(np.repeat(level, most))
    events.best_misses.append(np.repeat(level, max(0, may - at_all)))


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
        hits, wrong = [_hits(taken) for taken, _ in states], [misses for _, misses in states]
        found.append((min(hits), max(hits), min(wrong), max(wrong)))
    return tuple(found)


def _hits(taken: frozenset[int]) -> int:
    return sum(truth >= 0 for truth in taken)


def _rough_spans(rivals: Rivals, may_miss: Bools, answers: Ints, level: Ints) -> tuple[Span, ...]:
    """The same for a large group, from outside."""
    found: list[Span] = []
    for number in range(int(level.max()) + 1):
        so_far = level <= number
        inside = rivals.at(np.isin(rivals.f, answers[so_far]))
        most, may = inside.most(hits=True), int(np.count_nonzero(may_miss[so_far]))
        least, fewest = (most + 1) // 2, max(0, may - inside.most(hits=False))
        found.append((least, most, fewest, min(may, int(np.count_nonzero(so_far)) - max(least, 1))))
    highest = np.maximum.accumulate(np.array(found), axis=0)  # bounds of running counts run up too
    return tuple(tuple(row) for row in highest.tolist())


def _preferences(rivals: Rivals) -> Preferences:
    """Each answer's truths, best first, numbered from 0 (ignored ones, which come last, from -1 down) as they come up, so that
    alike groups are searched once."""
    number: dict[int, int] = {}
    found: list[tuple[int, ...]] = []
    for answer in np.unique(rivals.f).tolist():
        at = np.flatnonzero(rivals.f == answer)
        ranked = sorted(at.tolist(), key=lambda i: (rivals.void[i], -rivals.similar[i], -rivals.t[i]))
        wanted = [(int(rivals.t[i]), bool(rivals.void[i])) for i in ranked]
        found.append(tuple(number.setdefault(t, ~len(number) if void else len(number)) for t, void in wanted))
    return tuple(found)


# One group of one confidence: how many hits its worst order has, how many misses may stand before the first of them, and how
# many more before each next hit: the steps of the least concave curve above that, first to last.
Group = tuple[int, int, tuple[float, ...]]


@lru_cache(REMEMBERED)
def _search(preferences: Preferences, may_miss: tuple[bool, ...]) -> Group:
    """All orders of a small group: the fewest hits, and the most misses after so many hits. Whoever finds nothing free can miss
    at once, as nothing becomes free again, so an order is who took what."""
    misses: dict[int, int] = {}
    fewest = len(preferences)
    states = {(frozenset[int](), frozenset[int]())}  # who has taken something, what is taken
    while states:
        following: set[tuple[frozenset[int], frozenset[int]]] = set()
        for done, taken in states:
            hits, free = _hits(taken), 0
            for answer, wanted in enumerate(preferences):
                if answer not in done:
                    choice = next((truth for truth in wanted if truth not in taken), None)
                    if choice is None:
                        free += may_miss[answer]
                    else:
                        following.add((done | {answer}, taken | {choice}))
            misses[hits] = max(misses.get(hits, 0), free)
            if all(a in done or set(wanted) <= taken for a, wanted in enumerate(preferences)):
                fewest = min(fewest, hits)
        states = following
    return fewest, misses[0], _concave([misses[hits] - misses[0] for hits in range(fewest + 1)])


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
