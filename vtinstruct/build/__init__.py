"""Building a dataset: `choose` which sources, `build` with `Options`; deterministic, resumable, everything accounted for.

chosen = choose(["coco_instances:val2017=/data/coco"])
built = build(chosen, Options(tasks=("det", "seg")), Path("out"), Silent())
"""

from vtinstruct.build.choose import Chosen, choose
from vtinstruct.build.plan import Options, Plan, make_plan
from vtinstruct.build.run import BuildError, Built, Watcher, build

__all__ = ["BuildError", "Built", "Chosen", "Options", "Plan", "Watcher", "build", "choose", "make_plan"]
