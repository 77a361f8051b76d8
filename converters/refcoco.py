"""RefCOCO: short phrases for one thing, from a two-player game; testA is people, testB everything else.

`refs(unc).p` is the usual split by photos; `refs(google).p` an older one by objects, here as `google_<split>`. The
file names no licence.
"""

from __future__ import annotations

from converters._refer import Dataset, refer_source

SOURCE = refer_source(
    Dataset(
        name="refcoco",
        folder="refcoco",
        licence="LicenseRef-RefCOCO",
        splits={
            "train": ("refs(unc).p", "train"),
            "val": ("refs(unc).p", "val"),
            "testA": ("refs(unc).p", "testA"),
            "testB": ("refs(unc).p", "testB"),
            "google_train": ("refs(google).p", "train"),
            "google_val": ("refs(google).p", "val"),
            "google_test": ("refs(google).p", "test"),
        },
    ),
    title="RefCOCO",
    homepage="https://github.com/lichengunc/refer",
)
