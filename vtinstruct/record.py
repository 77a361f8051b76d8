"""`Record`: one annotated photo, the form every source ends in and every task starts from.

Frames: absolute pixel edges of the photo as stored (never turned by EXIF), metres for depth. Nothing here knows a
file format; `converters/<source>.py` turns official annotation files into records, `vtinstruct/tasks/<task>.py`
turns records into dialogues by the *facts* a record offers (`facts`). The prose is in `docs/record.md`.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal, get_args

from vtinstruct.units import Depth, Rle
from vtinstruct.values import value

Fact = Literal[
    "image",  # a photo at all (chat may come without)
    "boxes",  # regions with a box and a category
    "masks",  # regions with a mask and a category
    "keypoints",  # regions with a labelled pose
    "stuff",  # regions that are stuff (sky, grass), with masks
    "segments_all",  # every pixel belongs to one region or to void: panoptic or semantic labelling
    "captions",  # sentences about the whole photo
    "expressions",  # phrases that name regions, or nothing
    "expression_masks",  # ... whose regions have masks
    "region_captions",  # free sentences about one region
    "grounded_captions",  # captions whose phrases are tied to regions
    "grounded_caption_masks",  # ... whose regions have masks
    "questions",  # questions with answers
    "reasons",  # questions whose answers carry an explanation
    "region_questions",  # questions that point at regions ([region] in the words)
    "grounded_answers",  # answers that point at regions
    "point_answers",  # answers that point at positions
    "chats",  # ready conversations of several turns
    "region_chats",  # ready conversations about marked regions
    "depth",  # a depth map, in metres or relative (`Depth.frame`)
]
FACTS: tuple[Fact, ...] = get_args(Fact)


@value
class Photo:
    """A picture file: `path` relative to the source's root (forward slashes), `size_wh` in pixels as stored.

    `id` is the photo's identity across sources: `coco:57870` is the same photo in train2014, train2017, RefCOCO,
    LVIS and Visual Genome, and leakage is looked for by it.
    """

    path: str
    size_wh: tuple[int, int]
    id: str


@value
class Category:
    """One name of a source's vocabulary. `id` is the source's own (COCO's have holes); `thing` False means stuff.

    `frequency` is LVIS's r, c or f; `keypoints` the names of the skeleton's points where the category has one.
    """

    id: int
    name: str
    thing: bool = True
    supercategory: str = ""
    synonyms: tuple[str, ...] = ()
    frequency: str = ""
    keypoints: tuple[str, ...] = ()


@value
class Region:
    """One annotated part of a photo: an instance, a stuff segment, or a described box.

    `id` is the source's annotation id as text, unique in its record. `area` is the source's own number (COCO's is
    the polygon's area, not the mask's; official AP needs it to the last digit). `crowd` regions are groups: scored
    as "ignore", never asked for as instances. `mask_rle` is the union of all polygon parts.
    """

    id: str
    category: str = ""
    category_id: int = -1
    box_xyxy: tuple[float, float, float, float] | None = None
    mask_rle: Rle | None = None
    keypoints_xyv: tuple[tuple[float, float, int], ...] = ()
    area: float | None = None
    crowd: bool = False
    thing: bool = True
    attributes: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()

    @property
    def posed(self) -> bool:
        """Whether at least one keypoint is labelled (COCO: `num_keypoints > 0`)."""
        return any(v > 0 for _, _, v in self.keypoints_xyv)


@value
class Expression:
    """Words that name regions of one photo; no `region_ids` says: nothing here matches (gRefCOCO's no-target)."""

    id: str
    text: str
    region_ids: tuple[str, ...]


@value
class Span:
    """Characters `start:stop` of a text and the regions (or positions) they speak of."""

    start: int
    stop: int
    region_ids: tuple[str, ...] = ()
    points_xy: tuple[tuple[float, float], ...] = ()


@value
class GroundedText:
    """A text some of whose phrases are tied to regions; spans are in order and do not overlap."""

    text: str
    spans: tuple[Span, ...] = ()


@value
class Question:
    """A question about the photo. `answers[0]` is the one to teach; the rest are for scoring (VQA has ten).

    Spans of `question` and `answer` tie words to regions; `choices` are multiple-choice options (VCR, Visual7W),
    `reason` an explanation, `kind` the source's own question type, `evidence_ids` regions the answer rests on.
    """

    id: str
    question: GroundedText
    answers: tuple[GroundedText, ...]
    reason: GroundedText | None = None
    choices: tuple[GroundedText, ...] = ()
    kind: str = ""
    evidence_ids: tuple[str, ...] = ()
    points_xy: tuple[tuple[float, float], ...] = ()


@value
class ChatTurn:
    """One utterance of a ready conversation."""

    role: Literal["user", "assistant"]
    words: GroundedText


@value
class Chat:
    """A ready conversation as the source has it."""

    id: str
    turns: tuple[ChatTurn, ...]
    kind: str = ""


@value
class Origin:
    """Where a record was read: the file relative to the source's root, and the row in it, as the file names it."""

    file: str
    row: str


@value
class Record:
    """One annotated photo of one split of one source. `id` is unique in (source, split) and stable between reads.

    `negatives` are categories known to be absent, `not_exhaustive` those of which more may be there than is
    annotated (LVIS); a source that annotates its whole vocabulary exhaustively sets `exhaustive`.
    """

    id: str
    source: str
    split: str
    licence: str
    origin: Origin
    photo: Photo | None
    regions: tuple[Region, ...] = ()
    captions: tuple[str, ...] = ()
    expressions: tuple[Expression, ...] = ()
    grounded_captions: tuple[GroundedText, ...] = ()
    questions: tuple[Question, ...] = ()
    chats: tuple[Chat, ...] = ()
    depth: Depth | None = None
    negatives: tuple[str, ...] = ()
    not_exhaustive: tuple[str, ...] = ()
    exhaustive: bool = False

    def region(self, region_id: str) -> Region:
        """The region of that id; `KeyError` when the record has none."""
        for region in self.regions:
            if region.id == region_id:
                return region
        raise KeyError(f"record {self.id} of {self.source} has no region {region_id!r}")


@value
class Drop:
    """Something left out or repaired, and why: the unit of the ledger. One line for a person:

    `<file>: <row>: <reason>`. `reason` is a short stable class to count by ("polygon: not finite"), `detail` says what
    was found and what would be right. `repaired` True means kept after a mend (a box clipped to its photo). `looked_for`:
    the photos below the root that were not there; a build that is run again looks whether they have come.
    """

    source: str
    split: str
    file: str
    row: str
    reason: str
    detail: str = ""
    repaired: bool = False
    task: str = ""
    looked_for: tuple[str, ...] = field(default=(), compare=False)
