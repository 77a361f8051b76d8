"""gRefCOCO: expressions that mean one thing, several, or nothing in the photo. The file names no licence."""

from __future__ import annotations

from converters._refer import Dataset, refer_source

SOURCE = refer_source(
    Dataset(
        name="grefcoco",
        folder="grefcoco",
        licence="LicenseRef-gRefCOCO",
        splits={split: ("grefs(unc).json", split) for split in ("train", "val", "testA", "testB")},
    ),
    title="gRefCOCO",
    homepage="https://github.com/henghuiding/gRefCOCO",
)
