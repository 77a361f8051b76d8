"""Building a dataset: `choose` which sources, `build` with `Options`; deterministic, resumable, everything accounted for.

chosen = choose(["coco_instances:val2017=/data/coco"])
built = build(chosen, Options(tasks=("det", "seg")), Path("out"), Silent())
"""

from vtinstruct.build.choose import Chosen, choose
from vtinstruct.build.plan import Options, Plan, make_plan
from vtinstruct.build.run import BuildError, Built, Watcher, build, build_part, finish_parts

__all__ = [
    "BuildError", "Built", "Chosen", "Options", "Plan", "Watcher", "build", "build_part", "choose", "finish_parts",
    "make_plan",
]  # fmt: skip
