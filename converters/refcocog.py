"""RefCOCOg: full phrases for one thing, written without a game.

`refs(umd).p` is the usual split by photos; `refs(google).p` an older one by objects without a public test part, here
as `google_<split>`: its train and val share photos.
"""

from __future__ import annotations

from converters._refer import Dataset, refer_source

SOURCE = refer_source(
    Dataset(
        name="refcocog",
        folder="refcocog",
        licence="CC-BY-4.0",
        splits={
            "train": ("refs(umd).p", "train"),
            "val": ("refs(umd).p", "val"),
            "test": ("refs(umd).p", "test"),
            "google_train": ("refs(google).p", "train"),
            "google_val": ("refs(google).p", "val"),
        },
    ),
    title="RefCOCOg",
    homepage="https://github.com/lichengunc/refer",
)
