"""Task 18, `gcg_mask`: a photo -> a caption whose phrases carry their masks (PNG, OpenPSG, GranD).

In training every grounded caption is a dialogue; in evaluation a photo is asked about once, and all its captions are
references.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtinstruct.dialogue import Dialogue
from vtinstruct.record import Record
from vtinstruct.task import Setting, Task
from vtinstruct.tasks._shared import of_a_photo
from vtinstruct.tasks._spans import grounded_captions


@of_a_photo
def make(record: Record, setting: Setting) -> Iterator[Dialogue]:
    """One dialogue per caption that points at something, or one per photo in evaluation."""
    return grounded_captions(record, setting, "mask")


TASK = Task(
    name="gcg_mask",
    number=18,
    inputs="image",
    outputs="caption with masks",
    units=("mask",),
    prompts=(),
    needs=frozenset({"image", "grounded_caption_masks"}),
    make=make,
)
