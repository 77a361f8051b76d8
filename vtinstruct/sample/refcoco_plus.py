"""Writes the sample as RefCOCO+: `refer/refcoco+/{instances.json,refs(unc).p}`, no words for places."""

from typing import ClassVar

from vtinstruct.sample.refcoco import Refcoco


class RefcocoPlus(Refcoco):
    """The expressions that tell a thing by its looks alone."""

    dataset: ClassVar[str] = "refcoco+"
    places: ClassVar[bool] = False


WRITER = RefcocoPlus
