"""Official result files in their official layouts, scored as the official tools do: no dataset of ours is needed.

One file a layout; each offers a function that takes the paths and gives a `Table`, and the command of the same name
(`refvlm-bench coco | lvis | panoptic | miou | cityscapes-ap | depth | captions | vqa | textvqa | gqa | pope | rec | gcg | noc`).
What the official tools get wrong on broken input is refused or said in a note (`docs/metrics.md` has the list).
"""

from benchmarks.official._files import OfficialError
from benchmarks.official._table import Table
from benchmarks.official.captions import captions, captions_of_lines
from benchmarks.official.cityscapes_ap import cityscapes_ap
from benchmarks.official.coco import coco
from benchmarks.official.depth import depth
from benchmarks.official.gcg import gcg
from benchmarks.official.gqa import gqa
from benchmarks.official.lvis import lvis
from benchmarks.official.miou import miou
from benchmarks.official.noc import noc
from benchmarks.official.panoptic import panoptic
from benchmarks.official.pope import pope
from benchmarks.official.rec import rec
from benchmarks.official.textvqa import textvqa
from benchmarks.official.vqa import vqa

__all__ = [
    "OfficialError",
    "Table",
    "captions",
    "captions_of_lines",
    "cityscapes_ap",
    "coco",
    "depth",
    "gcg",
    "gqa",
    "lvis",
    "miou",
    "noc",
    "panoptic",
    "pope",
    "rec",
    "textvqa",
    "vqa",
]
