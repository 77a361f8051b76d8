"""Official result files in their official layouts, scored as the official tools do: no dataset of ours is needed.

One file a layout; each offers a function that takes the paths and gives a `Table`, and the command of the same name
(`refvlm-bench coco | lvis | panoptic | miou | depth`). What the official tools get wrong on broken input is refused or said in a
note (`docs/metrics.md` has the list).
"""

from benchmarks.official._files import OfficialError
from benchmarks.official._table import Table
from benchmarks.official.coco import coco
from benchmarks.official.depth import depth
from benchmarks.official.lvis import lvis
from benchmarks.official.miou import miou
from benchmarks.official.panoptic import panoptic

__all__ = ["OfficialError", "Table", "coco", "depth", "lvis", "miou", "panoptic"]
