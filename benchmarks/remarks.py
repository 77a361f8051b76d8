"""What a reader of the numbers must know, in a few sentences: beside the table on the screen and at the head of a run's page."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from benchmarks.answers import printable
from benchmarks.results import Results

SHOWN, FAULTS = 8, 4  # phrases, kinds of faults named
LETTERS = 60  # of a phrase or a reason
OFTEN = 0.2  # of the answered boxes: what is more than a few wild ones
SEEN = 0.0005  # of AP: what a table shows


def remarks(results: Results) -> list[str]:
    """One sentence each, in printable characters whatever the answers hold; none where nothing needs one."""
    parts = (_answers, _strays, _frames, _confidences, _equal, _phrases)
    found = [line for part in parts for line in part(results)]
    if results.other_dataset:
        found.append("The answers were made for another dataset; numbers of other runs are not comparable.")
    return [printable(line) for line in found]


def _answers(results: Results) -> list[str]:
    sets = {(suite.task, suite.source, suite.split): suite for suite in results.suites if suite.task} or {
        ("", suite.source, suite.split): suite for suite in results.suites
    }
    n, missing, invalid = (sum(getattr(suite, name) for suite in sets.values()) for name in ("n", "missing", "invalid"))
    found: list[str] = []
    if missing:
        found.append(
            f"{missing:,} of {n:,} samples have no answer ({100 * missing / n:.0f} %); they are in every number and score worst."
        )
    if invalid:
        reasons = Counter[str](results.intake.get("reasons", {}))
        reasons.pop("unknown id", None)
        named = ", ".join(f"{_short(reason)} ({count:,})" for reason, count in reasons.most_common(FAULTS))
        more = ", and other reasons" if len(reasons) > FAULTS else ""
        found.append(
            f"{invalid:,} of {n:,} answers have faults; what can be read of them is scored.{' ' * bool(named)}{named}{more}"
        )
    return found


def _strays(results: Results) -> list[str]:
    strays, answers = results.intake.get("unknown_ids", 0), results.intake.get("answers", 0)
    if not strays:
        return []
    where = "samples of other suites or splits, or wrong ids"
    return [f"{strays:,} of {answers:,} answers are to nothing that is scored here: {where}."]


def _frames(results: Results) -> list[str]:
    """Boxes that look as if they were in another unit than pixels."""
    told: list[str] = []
    counts = [s.details["frames"] for s in results.suites if s.details.get("frames")]
    answered, small, beyond = (sum(c[name] for c in counts) for name in ("answered", "within_a_pixel", "beyond_photo"))
    looks = (
        (small, "end within a pixel of the photo's corner, as shares of its sides do"),
        (beyond, "reach far beyond their photo, as thousandths of its sides do"),
    )
    right = "pixels of the photo are right; `refvlm-bench convert` reads models that speak in other units."
    for count, look in looks:
        if count > OFTEN * answered:
            told.append(f"{count:,} of {answered:,} answered boxes {look}; {right}")
    return told


def _confidences(results: Results) -> list[str]:
    """Suites of AP with answers that have none."""
    names = list(dict.fromkeys(s.suite for s in results.suites if s.details.get("scored") is False))
    if not names:
        return []
    return [
        f"No confidences in {', '.join(names)}: AP there is that of one order of the answers among many; AP_worst to AP_best say "
        "how far others go, F1 needs none."
    ]


def _equal(results: Results) -> list[str]:
    """Suites of AP whose number hangs on the order of answers of equal confidence, by what can be seen of it."""
    found: list[str] = []
    for suite in results.suites:
        ap, worst, best = (suite.numbers.get(name) for name in ("AP", "AP_worst", "AP_best"))
        if suite.details.get("scored") is False or ap is None or worst is None or best is None or best - worst < SEEN:
            continue
        count = cast(int, suite.details["tie_orders"]["answers"])
        found.append(
            f"{count:,} answers in {suite.suite} ({suite.source} {suite.split}) share their confidence with others of their "
            f"class: AP {100 * ap:.1f} is that of one order of them, others give {100 * worst:.1f} to {100 * best:.1f}."
        )
    return found


def _phrases(results: Results) -> list[str]:
    """Words that are no class: of each task's answers, counted once."""
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for suite in results.suites:
        unknown: dict[str, Any] = suite.details.get("unknown_classes") or {}
        if unknown:
            phrases = cast(dict[str, int], unknown["phrases"])
            counts.setdefault((suite.task, suite.source, suite.split), Counter(phrases))
    total = sum(counts.values(), Counter[str]())
    if not total:
        return []
    named = ", ".join(f"{_short(phrase)} ({n})" for phrase, n in total.most_common(SHOWN))
    more = f" and {len(total) - SHOWN} more phrases" if len(total) > SHOWN else ""
    return [
        f"Answered, but no class of its source: {named}{more}; such answers match nothing. --phrases can say what words mean."
    ]


def _short(words: str) -> str:
    return words if len(words) <= LETTERS else words[: LETTERS - 1] + "…"
