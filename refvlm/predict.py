"""Answers of a checkpoint to a dataset's questions, as a predictions file (`vtinstruct.prediction`).

Every assistant turn is answered after the dialogue's own true history. A run that was stopped continues where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from refvlm.collator import Asked, collate_questions
from refvlm.data import Said, Shelf
from refvlm.decoders._contract import DepthMap, Found
from refvlm.generation import Answered
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.processing import RefVLMProcessor, load_processor
from vtinstruct.dialogue import Dialogue, Reference
from vtinstruct.photos import FOLDER, PhotoError
from vtinstruct.prediction import Header, Prediction, PredictionsWriter
from vtinstruct.units import Depth
from vtinstruct.version import VERSION


@dataclass(frozen=True)
class Wanted:
    """What to answer: a split, some tasks (none: all that have the split), at most `limit` dialogues of each task, how many
    questions at once and how long an answer may get."""

    split: str
    tasks: tuple[str, ...] = ()
    limit: int | None = None
    together: int = 64
    max_new_tokens: int = 256


@dataclass(frozen=True)
class Counts:
    """Of a run: questions there are, answered now, answered before, and left out because their photo is broken."""

    questions: int
    answered: int
    before: int
    lost: int


Question = tuple[Dialogue, int]  # and the turn to be answered


def load_model(checkpoint: Path) -> tuple[RefVLMForConditionalGeneration, RefVLMProcessor]:
    """A checkpoint for use. Reads safetensors and JSON only."""
    model = RefVLMForConditionalGeneration.from_pretrained(str(checkpoint), local_files_only=True, use_safetensors=True)
    return model.eval(), load_processor(checkpoint)


def predict(
    checkpoint: Path,
    data: Path,
    wanted: Wanted,
    out: Path,
    report: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> Counts:
    """Answer `wanted` of the dataset at `data` into `out`. `report` gets (done, all), `warn` one line per broken photo."""
    shelf = Shelf(data, lambda split: split == wanted.split, wanted.tasks)
    model, processor = load_model(checkpoint)
    torch.set_flush_denormal(True)
    header = Header(
        model=f"refvlm-{model.config.recipe or checkpoint.resolve().name}", dataset=shelf.manifest.content_hash,
        generation={"greedy": True, "max_new_tokens": wanted.max_new_tokens},
        versions={"vtinstruct": VERSION, "torch": torch.__version__, "transformers": transformers.__version__},
    )  # fmt: skip
    photos = photos_of(shelf, wanted.limit)
    total = sum(len(said) for said in photos)
    answered = before = lost = 0
    with PredictionsWriter(out, header) as writer:
        for group in batched(photos, wanted.together):
            pixels: list[NDArray[np.uint8] | None] = []
            asked: list[Asked] = []
            for said in group:
                questions = [q for place in said for q in questions_of(shelf.dialogue(place.place))]
                todo = [(d, turn) for d, turn in questions if (d.id, turn) not in writer.done]
                before += len(questions) - len(todo)
                try:
                    photo = todo[0][0].photo if todo else None
                    pixels.append(None if photo is None else shelf.photo(photo))
                    asked += [Asked(len(pixels) - 1, dialogue, turn) for dialogue, turn in todo]
                except PhotoError as error:
                    lost += len(todo)
                    warn(f"left out {len(todo)} questions: {error}")
            if asked:
                answer(model, processor, pixels, asked, wanted.max_new_tokens, writer)
            answered += len(asked)
            report(answered + before + lost, total)
    return Counts(answered + before + lost, answered, before, lost)


def answer(
    model: RefVLMForConditionalGeneration, processor: RefVLMProcessor, photos: Sequence[NDArray[np.uint8] | None],
    asked: Sequence[Asked], max_new_tokens: int, writer: PredictionsWriter,
) -> None:  # fmt: skip
    """Answer a batch of questions and write the answers."""
    batch = collate_questions(processor, photos, asked)
    for item, said in zip(asked, model.generate(batch, max_new_tokens), strict=True):
        writer.write(prediction(item, said, processor, writer.path))


def prediction(asked: Asked, said: Answered, processor: RefVLMProcessor, out: Path) -> Prediction:
    """An answer as the predictions file has it; depth maps are written beside the file."""
    references = tuple(
        _reference(found, f"{asked.dialogue.id}/{asked.turn}/{n}", out) for n, found in enumerate(said.units)
    )
    return Prediction(asked.dialogue.id, processor.text(said.ids), references, asked.turn)


def _reference(found: Found | None, name: str, out: Path) -> Reference:
    if found is None:
        return Reference(None)
    unit = found.unit
    return Reference(write_depth(unit, name, out) if isinstance(unit, DepthMap) else unit, found.score)


def write_depth(depth: DepthMap, name: str, out: Path) -> Depth:
    """A depth map as a 16-bit PNG below the predictions file's folder; the file is named by a hash, as ids hold anything."""
    farthest = float(depth.depth_m.max(initial=1.0))
    scale = 0.001 if farthest < 65 else farthest / 65_000
    path = f"{FOLDER}/{out.stem}/{hashlib.sha256(name.encode()).hexdigest()[:24]}.png"
    levels = np.clip(np.rint(depth.depth_m / scale), 0, 65_535).astype(np.uint16)
    (out.parent / path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(out.parent / path)
    return Depth(path, scale)


def questions_of(dialogue: Dialogue) -> list[Question]:
    """Every assistant turn of a dialogue, to be answered."""
    return [(dialogue, turn) for turn, said in enumerate(dialogue.turns) if said.role == "assistant"]


def photos_of(shelf: Shelf, limit: int | None) -> list[list[Said]]:
    """The dialogues to be answered, by photo; of every task the first `limit` in the order of the shards."""
    photos = shelf.by_photo()
    if limit is None:
        return photos
    chosen: set[tuple[int, int]] = set()
    count: dict[str, int] = {}
    for said in shelf.said:
        count[said.task] = count.get(said.task, 0) + 1
        if count[said.task] <= limit:
            chosen.add(said.place)
    return [kept for said in photos if (kept := [s for s in said if s.place in chosen])]


def batched(photos: Sequence[list[Said]], together: int) -> Iterator[list[list[Said]]]:
    """Photos in groups of about `together` dialogues; a photo with more is cut."""
    group: list[list[Said]] = []
    size = 0
    for said in photos:
        for start in range(0, len(said), together):
            part = said[start : start + together]
            if group and size + len(part) > together:
                yield group
                group, size = [], 0
            group.append(part)
            size += len(part)
    if group:
        yield group
