"""Small hand-made dialogues about random photos, for the tests of `refvlm`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

import numpy as np
from numpy.typing import NDArray

from refvlm.collator import Asked, Collator, Seen, collate_questions
from refvlm.generation import Answered
from refvlm.model import RefVLMForConditionalGeneration, decoder_class
from refvlm.processing import RefVLMProcessor, learn_tokenizer
from refvlm.recipes import smoke_config
from vtinstruct.columns import render_messages
from vtinstruct.dialogue import Dialogue, Evaluation, Parts, Prompt, Provenance, Reference, StoredPhoto, Triplet, Turn
from vtinstruct.geometry import encode_mask
from vtinstruct.units import Box, Depth, Keypoints, Mask, Unit

DEPTH = Depth("images/made/depth.png", 0.001)


def dialogue(n: int, question: Parts, answer: Parts, size_wh: tuple[int, int] | None, task: str = "det") -> Dialogue:
    """One question and its answer."""
    photo = None if size_wh is None else StoredPhoto(f"images/made/{n}.png", f"{n:064d}", size_wh, f"made:{n}")
    origin = Provenance("made", "", str(n), "1", 0, "")
    turns = (Turn("user", question), Turn("assistant", answer))
    return Dialogue(f"made/train/{n}/{task}/0", task, "made", "train", "CC0-1.0", photo, turns, Evaluation(), origin)


def box(rng: Random, size_wh: tuple[int, int]) -> Box:
    """A box of at least a quarter of the photo a side."""
    x, y = rng.uniform(0, 0.6) * size_wh[0], rng.uniform(0, 0.6) * size_wh[1]
    return Box((x, y, x + 0.4 * size_wh[0], y + 0.4 * size_wh[1]))


def mask(rng: Random, size_wh: tuple[int, int]) -> Mask:
    """A box's pixels."""
    inside = np.zeros(size_wh[::-1], np.bool_)
    x0, y0, x1, y1 = (int(value) for value in box(rng, size_wh).box_xyxy)
    inside[y0:y1, x0:x1] = True
    return Mask(encode_mask(inside))


def pose(rng: Random, size_wh: tuple[int, int]) -> Keypoints:
    """Seventeen joints anywhere in a box, some hidden, some unlabelled."""
    x0, y0, x1, y1 = box(rng, size_wh).box_xyxy
    return Keypoints(tuple((rng.uniform(x0, x1), rng.uniform(y0, y1), rng.choice((0, 1, 2, 2))) for _ in range(17)))


def triplet(concept: str, *units: Unit) -> Triplet:
    """A triplet of the units' own kind."""
    kinds = {Box: "box", Mask: "mask", Keypoints: "keypoint", Depth: "depth"}
    return Triplet(concept, kinds[type(units[0])], tuple(Reference(unit) for unit in units))  # type: ignore[arg-type]


def about(n: int, size_wh: tuple[int, int]) -> Seen:
    """A photo and dialogues with every unit, mixed units, a prompt, no reference, and a triplet without any."""
    rng = Random(n)
    photo = np.random.default_rng(n).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    boxes = [box(rng, size_wh) for _ in range(3)]
    prompt = Prompt("box", box(rng, size_wh))
    said: list[tuple[Parts, Parts]] = [
        (("Box everything.",), (triplet("ball", *boxes), ", ", triplet("cup", box(rng, size_wh)), ".")),
        (("Mask this ", prompt, "."), (triplet("the red ball", mask(rng, size_wh)), ".")),
        (("Poses?",), (triplet("person", pose(rng, size_wh), pose(rng, size_wh)), ".")),
        (("How far?",), (triplet("depth", DEPTH), ".")),
        (("All of it.",), ("A ", triplet("ball", boxes[0]), " cut out ", triplet("ball", mask(rng, size_wh)), ".")),
        (("Say something.",), ("A ball and a cup.",)),
        (("Any star?",), ("None: ", Triplet("star", "box"), ".")),
    ]
    return Seen(photo, [dialogue(100 * n + k, q, a, size_wh, f"task{k}") for k, (q, a) in enumerate(said)])


def load_depth(depth: Depth) -> NDArray[np.float32]:
    """The one depth map there is, with a missing corner."""
    assert depth == DEPTH
    metres = np.full((48, 64), 2.0, np.float32)
    metres[:, 32:], metres[:5, :5] = 4.0, 0.0
    return metres


def processor() -> RefVLMProcessor:
    """A processor whose tokenizer knows the words above."""
    seen = about(0, (64, 48))
    words = [content for item in seen.dialogues for content in render_messages(item)]
    return RefVLMProcessor(learn_tokenizer(words * 3, 500), photo_side=64)


def model(own: RefVLMProcessor) -> RefVLMForConditionalGeneration:
    """The smallest model that has every part, random weights."""
    return RefVLMForConditionalGeneration(smoke_config(len(own.tokenizer), own.special_ids()))


def collator(own: RefVLMProcessor) -> Collator:
    """For the model above."""
    kinds = ("box", "mask", "keypoint", "depth")
    return Collator(own, {kind: decoder_class(kind) for kind in kinds}, load_depth)


def answers(
    own: RefVLMForConditionalGeneration,
    words: RefVLMProcessor,
    photos: list[Seen],
    which: list[tuple[int, int]],
    length: int = 24,
) -> list[Answered]:
    """Answers to dialogue d of photo p for every (p, d)."""
    used = sorted({p for p, _ in which})
    pixels = [photos[p].photo for p in used]
    asked = [Asked(used.index(p), photos[p].dialogues[d], 1) for p, d in which]
    return own.generate(collate_questions(words, pixels, asked), max_new_tokens=length)


class Made:
    """A store of photos as above, of which number `broken` cannot be read."""

    def __init__(self, photos: int = 6, broken: int = 3) -> None:
        self._photos, self._broken = photos, broken
        self.fingerprint = f"made {photos}"

    load_depth = staticmethod(load_depth)

    def __len__(self) -> int:
        return self._photos

    def texts(self) -> Iterator[str]:
        for dialogue in about(0, (64, 48)).dialogues:
            yield from render_messages(dialogue)

    def seen(self, index: int, rng: Random, quota: Mapping[str, float]) -> Seen | None:
        return None if index == self._broken else about(index, (64, 48))
