"""What makes a benchmark: a versioned table of suites.

A suite is one task judged by one scorer, with one primary number. It is scored apart for every source that feeds the task,
because classes and difficulty differ. A suite's `version` rises when its numbers would change for the same predictions;
results of different versions are never ranked together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.scorer import Metric, Scorer
from vtinstruct import plugins

ROOM = "benchmarks.scorers"

LVIS = ("lvis",)  # annotated class by class: what is not annotated need not be absent
GENERALISED = ("grefcoco",)  # expressions of several regions, or of none
SEMANTIC = ("ade20k", "pascal_context")  # every pixel has a class, nothing is told apart


class SuiteError(Exception):
    """A suite that does not exist, or names what its scorer does not have; one line."""


@dataclass(frozen=True, slots=True)
class Suite:
    """`task` "" means every task at once (and all sources together). `comparable` says which published numbers the
    primary one may be put beside, and on which data; "" when there are none. `only` names the sources whose annotation
    the scorer's rules were made for, `without` those it would judge wrongly; empty: every source."""

    name: str
    version: int
    task: str
    scorer: str
    primary: str
    title: str
    comparable: str = ""
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def takes(self, task: str, source: str) -> bool:
        """Whether samples of a task from a source are this suite's."""
        return self.task in ("", task) and source not in self.without and (not self.only or source in self.only)

    @property
    def sources(self) -> str:
        """Which sources it is for, in words."""
        if self.only:
            return ", ".join(self.only)
        return f"all but {', '.join(self.without)}" if self.without else "all"

    def load(self) -> Scorer:
        """The scorer, by its file name."""
        found: Scorer = plugins.load(ROOM, self.scorer)
        return found

    def metric(self) -> Metric:
        """The primary metric's own entry."""
        for metric in self.load().metrics:
            if metric.name == self.primary:
                return metric
        raise SuiteError(f"suite {self.name}: scorer {self.scorer} has no number {self.primary!r}")


ASKED_OF_TEN = ("vqav2", "okvqa", "vqax", "vqae")  # sources with the answers of several people

SUITES: tuple[Suite, ...] = (
    Suite("det", 1, "det", "ap_box", "AP", "Detection", "COCO box AP, on coco_instances val2017", without=LVIS),
    Suite("det_lvis", 1, "det", "lvis_box", "AP", "Detection, LVIS", "LVIS box AP, on lvis v1_val", only=LVIS),
    Suite("seg_lvis", 1, "seg", "lvis_mask", "AP", "Instance segmentation, LVIS", "LVIS mask AP, on lvis v1_val", only=LVIS),
    Suite("cond_det", 1, "cond_det", "ap_box", "AP", "Detection by name", without=LVIS),
    Suite("cond_det_lvis", 1, "cond_det", "lvis_box", "AP", "Detection by name, LVIS", only=LVIS),
    Suite("seg", 1, "seg", "ap_mask", "AP", "Instance segmentation", "COCO mask AP, on coco_instances val2017",
          without=(*LVIS, *SEMANTIC)),
    Suite("seg_sem", 1, "seg", "miou", "mIoU", "Semantic segmentation", "ADE20K, Pascal Context mIoU, on their val splits",
          only=SEMANTIC),
    Suite("cond_seg", 1, "cond_seg", "miou", "mIoU", "Segmentation by name"),
    Suite("panoptic", 1, "panoptic", "pq", "PQ", "Panoptic segmentation", "COCO PQ, on coco_panoptic val2017; Cityscapes PQ",
          without=SEMANTIC),
    Suite("panoptic_sem", 1, "panoptic", "miou", "mIoU", "Panoptic masks as classes",
          "mIoU of coco_panoptic, cityscapes, ade20k, on their val splits"),
    Suite("keypoints", 1, "keypoints", "ap_keypoint", "AP", "Keypoints", "COCO keypoint AP, on coco_keypoints val2017"),
    Suite("keypoints_pck", 1, "keypoints", "pck", "PCK@0.2[bbox]", "Joints near their place"),
    Suite("region_keypoints", 1, "region_keypoints", "ap_keypoint", "AP", "Keypoints of a marked person"),
    Suite("region_keypoints_pck", 1, "region_keypoints", "pck", "PCK@0.2[bbox]", "Joints of a marked person",
          "PCK with ground-truth boxes"),
    Suite("rec", 1, "rec", "rec", "Acc@.5", "Referring comprehension", "RefCOCO/+/g Acc@0.5, on their official splits"),
    Suite("res", 1, "res", "res", "cIoU", "Referring segmentation", "RefCOCO/+/g oIoU, on their official splits",
          without=GENERALISED),
    Suite("gres", 1, "res", "gres", "gIoU", "Generalised referring segmentation",
          "gRefCOCO gIoU, cIoU, N-acc, T-acc, by the numbers that end in [script]", only=GENERALISED),
    Suite("absent", 1, "absent", "absent", "accuracy", "Saying that nothing is there", without=GENERALISED),
    Suite("grec", 1, "absent", "absent", "F1=1@.5[script]", "Generalised referring comprehension",
          "GREC's definition; asked of as many absent as present expressions, so not its test sets", only=GENERALISED),
    Suite("interactive_seg", 1, "interactive_seg", "interactive", "mIoU", "Interactive segmentation",
          "mIoU after one prompt, with the same prompts"),
    Suite("interactive_det", 1, "interactive_det", "interactive", "IoU@.5", "Boxes of what is marked"),
    Suite("count", 1, "count", "count", "exact", "Counting"),
    Suite("grounded_vqa_box", 1, "grounded_vqa_box", "grounded", "F1", "Boxes that answers rest on"),
    Suite("grounded_vqa_point", 1, "grounded_vqa_point", "grounded", "F1", "Points that answers rest on"),
    Suite("mixed", 1, "mixed", "mixed", "F1@.5", "Boxes, masks and keypoints at once"),
    Suite("depth", 1, "depth", "depth", "d1[none,80m,none]", "Depth",
          "NYUv2 by the numbers in [eigen_nyu,10m,none], KITTI by those in [garg,80m,none]"),
    Suite("caption", 1, "caption", "captions", "CIDEr-D", "Captions", "COCO captions CIDEr-D, on the Karpathy test split"),
    Suite("reg_box", 1, "reg_box", "captions", "CIDEr-D", "Referring expression generation",
          "RefCOCOg CIDEr-D, on its validation split"),
    Suite("reg_region", 1, "reg_region", "captions", "CIDEr-D", "Marked regions in words"),
    Suite("region_caption", 1, "region_caption", "captions", "CIDEr-D", "Region captions",
          "Visual Genome region captions CIDEr-D"),
    Suite("gcg_mask", 1, "gcg_mask", "gcg", "mIoU", "Captions with masks", "GLaMM GCG, by the numbers that end in [script]"),
    Suite("gcg_box", 1, "gcg_box", "gcg", "mIoU", "Captions with boxes"),
    Suite("vqa", 1, "vqa", "vqa", "accuracy", "Visual question answering", "VQAv2 and OK-VQA accuracy, on their val splits",
          only=ASKED_OF_TEN),
    Suite("vqa_exact", 1, "vqa", "vqa", "exact", "Visual question answering, one answer",
          "GQA accuracy on testdev_balanced and CLEVR accuracy on val, by `verbatim`", without=(*ASKED_OF_TEN, "pope")),
    Suite("pope", 1, "vqa", "pope", "accuracy", "Objects that are not there", "POPE, by the numbers that end in [script]",
          only=("pope",)),
    Suite("vqa_reasoning", 1, "vqa_reasoning", "vqa", "exact", "Answers that have reasons"),
    Suite("reasons", 1, "vqa_reasoning", "captions", "CIDEr-D", "Reasons of answers", "VQA-X CIDEr-D, on its test split"),
    Suite("vqa_point", 1, "vqa_point", "vqa", "exact", "Questions about a point", "PointQA accuracy"),
    Suite("vqa_box", 1, "vqa_box", "vqa", "exact", "Questions about boxes", "VCR Q -> A accuracy, on its val split"),
    Suite("chat", 1, "chat", "captions", "ROUGE-L", "Last answer of a conversation"),
    Suite("region_chat", 1, "region_chat", "captions", "ROUGE-L", "Last answer about marked regions"),
    Suite("trp", 1, "", "trp", "parse_rate", "TRP validity"),
)  # fmt: skip


def suites_for(tasks: Sequence[str], names: Sequence[str] = ()) -> tuple[Suite, ...]:
    """The suites that these tasks feed, in table order; only those named, when names are given. Raises `SuiteError` on a
    name that no suite has."""
    unknown = sorted(set(names) - {suite.name for suite in SUITES})
    if unknown:
        known = ", ".join(suite.name for suite in SUITES)
        raise SuiteError(f"no suite {', '.join(map(repr, unknown))}; known: {known}")
    return tuple(s for s in SUITES if (not s.task or s.task in tasks) and (not names or s.name in names))


def suite_named(name: str) -> Suite:
    """The suite of a name. Raises `SuiteError`."""
    (found,) = suites_for([suite.task for suite in SUITES], [name])
    return found


def suite_of(name: str, task: str) -> Suite:
    """The suite that a result says it is of. Raises `SuiteError`."""
    found = suite_named(name)
    if found.task != task:
        raise SuiteError(
            f"suite {name!r} is of task {found.task!r}, not {task!r:.60}; results of `refvlm-bench score` are right"
        )
    return found
