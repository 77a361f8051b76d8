"""METEOR's choice among all matches of a caption and a reference: a beam search from the reference's first word to its last.

The better alignment covers more words, else has fewer chunks (runs that follow each other on both sides), else is nearer (METEOR
1.5, class `Aligner`). Kept because scores depend on it: a path does not count the distance of a match it takes, those grown
from the same path after it do.
"""

from __future__ import annotations

from itertools import pairwise
from operator import itemgetter

from benchmarks.meteor.matches import Match

BEAM = 40

# words covered x -1, chunks, distance: less is better; then the next word of the reference, where the caption's open chunk
# ends (-1: none is open), bits of the words in use in caption and reference, and the matches taken besides the undisputed
Path = tuple[int, int, int, int, int, int, int, tuple[Match, ...]]
_rank = itemgetter(0, 1, 2)


def align(options: list[list[Match]], said_count: int) -> list[Match]:
    """The matches of the best alignment, by their start in the reference. `options` are all matches by that start."""
    fixed = _undisputed(options, said_count)
    if all(not there or start in fixed for start, there in enumerate(options)):
        return [fixed[start] for start in sorted(fixed)]
    chosen = fixed | {match.start: match for match in _best_path(options, fixed)[-1]}
    return [chosen[start] for start in sorted(chosen)]


def chunks_in(matches: list[Match]) -> int:
    """Runs of matches that follow each other in both texts."""
    follows = sum(one.end == two.start and one.said_end == two.said_start for one, two in pairwise(matches))
    return len(matches) - follows


def _undisputed(options: list[list[Match]], said_count: int) -> dict[int, Match]:
    """The matches none of whose words any other could match."""
    covered, said_covered = [0] * len(options), [0] * said_count
    for there in options:
        for match in there:
            for word in range(match.start, match.end):
                covered[word] += 1
            for word in range(match.said_start, match.said_end):
                said_covered[word] += 1
    return {
        start: there[0]
        for start, there in enumerate(options)
        if len(there) == 1
        and all(count == 1 for count in covered[start : there[0].end])
        and all(count == 1 for count in said_covered[there[0].said_start : there[0].said_end])
    }


def _bits(start: int, end: int) -> int:
    return (1 << end) - (1 << start)


def _best_path(options: list[list[Match]], fixed: dict[int, Match]) -> Path:
    used = sum(_bits(match.start, match.end) for match in fixed.values())
    said_used = sum(_bits(match.said_start, match.said_end) for match in fixed.values())
    paths: list[Path] = [(0, 0, 0, 0, -1, said_used, used, ())]
    for current, there in enumerate(options):
        paths.sort(key=_rank)  # stable, as the original's
        grown: list[Path] = []
        for path in paths[:BEAM]:
            if not path[6] >> current & 1:
                _branch(grown, path, there)
            elif current < path[3]:  # within a match
                grown.append(path)
            else:
                grown.append(_through(path, fixed[current]))
        paths = grown
    paths.sort(key=_rank)
    return min((_closed(path) for path in paths[:BEAM]), key=_rank)


def _branch(grown: list[Path], path: Path, there: list[Match]) -> None:
    """The path with each match it has the words for, and without any."""
    lost, chunks, distance, following, open_end, said_used, used, taken = path
    for match in there:
        said_bits, bits = _bits(match.said_start, match.said_end), _bits(match.start, match.end)
        if said_used & said_bits or used & bits:
            continue
        broken = open_end not in (-1, match.said_start)
        grown.append(
            (
                lost - match.gain(), chunks + broken, distance, match.end, match.said_end,
                said_used | said_bits, used | bits, (*taken, match),
            )
        )  # fmt: skip
        distance += abs(match.start - match.said_start)
    grown.append((lost, chunks + (open_end != -1), distance, following + 1, -1, said_used, used, taken))


def _through(path: Path, match: Match) -> Path:
    """The path with an undisputed match, whose words are in use already."""
    lost, chunks, distance, _, open_end, said_used, used, taken = path
    broken = open_end not in (-1, match.said_start)
    nearer = distance + abs(match.start - match.said_start)
    return lost - match.gain(), chunks + broken, nearer, match.end, match.said_end, said_used, used, taken


def _closed(path: Path) -> Path:
    """The path at its end, where an open chunk closes."""
    return (path[0], path[1] + (path[4] != -1), *path[2:])
