"""Asking category by category: which ones a photo has, which ones it certainly has not, and which to ask for."""

from __future__ import annotations

from collections.abc import Iterable

from vtinstruct.record import Record, Region
from vtinstruct.task import Setting

CAP = 4  # categories a photo in training
ABSENT_SHARE = 0.3  # of training photos are asked for something that is not there


def absent_categories(record: Record, setting: Setting, things_only: bool = False) -> list[str]:
    """Categories that are certainly not in the photo, by name: a source's own negatives, or else the rest of a
    vocabulary that was annotated exhaustively. A crowd counts as present."""
    if record.negatives:
        candidates = set(record.negatives)
    elif record.exhaustive:
        candidates = {category.name for category in setting.vocabulary if category.thing or not things_only}
    else:
        return []
    present = {region.category for region in record.regions}
    return sorted(name for name in candidates - present - set(record.not_exhaustive) if name.strip())


def surely_empty(record: Record) -> bool:
    """Whether "there is nothing" is the truth about a photo, and not a gap in its annotation."""
    return record.exhaustive and not record.regions


def by_category(regions: Iterable[Region]) -> dict[str, list[Region]]:
    """Regions by category, categories by name."""
    groups: dict[str, list[Region]] = {}
    for region in regions:
        if (group := groups.get(region.category)) is None:
            groups[region.category] = [region]
        else:
            group.append(region)
    return {name: groups[name] for name in sorted(groups)}


def some(names: Iterable[str], setting: Setting, cap: int = CAP) -> list[str]:
    """The names to ask about: all in evaluation, at most `cap` by chance in training; in order."""
    ordered = sorted(names)
    if not setting.training or len(ordered) <= cap:
        return ordered
    return sorted(setting.rng.sample(ordered, cap))


def one_absent(record: Record, setting: Setting, things_only: bool, share: float = ABSENT_SHARE) -> list[str]:
    """One category that is certainly absent, in evaluation always and in training for a `share` of the photos; or none."""
    absent = absent_categories(record, setting, things_only)
    if not absent or (setting.training and setting.rng.random() >= share):
        return []
    return [setting.rng.choice(absent)]
