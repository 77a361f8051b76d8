"""RefCOCO+: like RefCOCO, but words for places were forbidden in the game. The file names no licence."""

from __future__ import annotations

from converters._refer import Dataset, refer_source

SOURCE = refer_source(
    Dataset(
        name="refcoco_plus",
        folder="refcoco+",
        licence="LicenseRef-RefCOCO",
        splits={split: ("refs(unc).p", split) for split in ("train", "val", "testA", "testB")},
    ),
    title="RefCOCO+",
    homepage="https://github.com/lichengunc/refer",
)
