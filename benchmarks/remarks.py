"""What a reader of the numbers must know, in a few sentences: beside the table on the screen and at the head of a run's page."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from benchmarks.results import Results

SHOWN = 8  # phrases named


def remarks(results: Results) -> list[str]:
    """One sentence each; none where nothing needs one."""
    found = [*_answers(results), *_confidences(results), *_phrases(results)]
    if results.other_dataset:
        found.append("The answers were made for another dataset; numbers of other runs are not comparable.")
    return found


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
        found.append(f"{invalid:,} of {n:,} answers have faults; what can be read of them is scored.")
    return found


def _confidences(results: Results) -> list[str]:
    """Suites of AP with answers that have none."""
    names = list(dict.fromkeys(s.suite for s in results.suites if s.details.get("scored") is False))
    if not names:
        return []
    return [
        f"No confidences in {', '.join(names)}: AP there is that of one order of the answers among many; AP_worst to AP_best say "
        "how far others go, F1 needs none."
    ]


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
    named = ", ".join(f"{phrase} ({n})" for phrase, n in total.most_common(SHOWN))
    more = f" and {len(total) - SHOWN} more phrases" if len(total) > SHOWN else ""
    return [
        f"Answered, but no class of its source: {named}{more}; such answers match nothing. --phrases can say what words mean."
    ]
