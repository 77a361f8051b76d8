"""`vtinstruct show`: one self-contained page on which a person can judge a dataset. Photos with everything that the words
point at, drawn and tied to them by colour; no network, no server, and every word of the data escaped."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (pyarrow ships no types)

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from vtinstruct.columns import render_messages
from vtinstruct.dialogue import Dialogue, Prompt, Triplet
from vtinstruct.drawing import PROMPT_COLOUR, Mark, colour, depth_uri, marks, photo_uri
from vtinstruct.manifest import DatasetError, Manifest, read_manifest
from vtinstruct.photos import PhotoError, open_photo, read_depth, read_inverse_depth
from vtinstruct.rows import dialogue_from_row
from vtinstruct.shards import open_batches
from vtinstruct.units import Depth

MOST_DRAWN = 80  # references of one answer; a page is not made better by the rest
TARGET_PAGE = "show.html"


@dataclass(frozen=True, slots=True)
class Chip:
    """A small coloured label in the words: `key` of its marks, its colour, its text."""

    key: str
    colour: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of an utterance: plain `text`, or a phrase with the chips of its references, or a prompt's chip."""

    kind: str  # "text", "phrase", "prompt"
    text: str = ""
    unit: str = ""
    chips: tuple[Chip, ...] = ()


@dataclass(frozen=True, slots=True)
class DepthView:
    """A depth map in colours and its range in metres (none of a relative map), or what was wrong with its file."""

    image: str = ""
    near: str = ""
    far: str = ""
    fault: str = ""


@dataclass(slots=True)
class Card:
    """One dialogue, ready for the page."""

    id: str
    task: str
    split: str
    source: str
    licence: str
    turns: list[tuple[str, list[Said], str]]  # role, pieces, TRP text
    photo: int = -1  # index into the page's photos
    size_wh: tuple[int, int] = (0, 0)
    fault: str = ""
    marks: list[Mark] = field(default_factory=list[Mark])
    depths: list[DepthView] = field(default_factory=list[DepthView])
    left_out: int = 0
    notes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def show(
    root: Path,
    out: Path,
    per_task: int = 6,
    tasks: Sequence[str] = (),
    splits: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the page for the dataset at `root` to `out`: `per_task` dialogues of every task, spread over its splits.

    Returns the number of dialogues shown. Raises `DatasetError`; a photo that cannot be opened is said on its card.
    """
    manifest = read_manifest(root)
    wanted = [task for task in manifest.tasks() if not tasks or task in tasks]
    if unknown := sorted(set(tasks) - set(manifest.tasks())):
        raise DatasetError(f"{root}: no task {', '.join(unknown)}; there are: {', '.join(manifest.tasks())}")
    album = _Album(root)
    cards: list[Card] = []
    for number, task in enumerate(wanted):
        chosen = [split for split in manifest.splits(task) if not splits or split in splits]
        cards.extend(album.card(sample) for sample in pick(root, manifest, task, chosen, per_task))
        if progress is not None:
            progress(number + 1, len(wanted))
    page = Environment(
        loader=PackageLoader("vtinstruct", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template(TARGET_PAGE)
    text = page.render(
        manifest=manifest, cards=cards, photos=album.photos, tasks=wanted,
        sources=sorted({card.source for card in cards}), splits=sorted({card.split for card in cards}),
    )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return len(cards)


def pick(root: Path, manifest: Manifest, task: str, splits: Sequence[str], count: int) -> Iterator[Dialogue]:
    """`count` dialogues of a task, as evenly as they go over its splits and over each split's rows; always the same."""
    for number, split in enumerate(splits):
        share = count // len(splits) + (number < count % len(splits))
        shards = manifest.shards(task, split)
        rows = sum(shard.rows for shard in shards)
        wanted = sorted({place * rows // share for place in range(share)}) if share else []
        before = 0
        for shard in shards:
            for batch in open_batches(root / shard.path):
                for place in wanted:
                    if before <= place < before + batch.num_rows:
                        yield dialogue_from_row(batch.slice(place - before, 1).to_pylist()[0])
                before += batch.num_rows


class _Album:
    """The page's photos, each held once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, int] = {}
        self.photos: list[str] = []

    def card(self, sample: Dialogue) -> Card:
        drawer = _Drawer(self._root, sample)
        turns = [
            (turn.role, [drawer.say(part) for part in turn.parts], text)
            for turn, text in zip(sample.turns, render_messages(sample), strict=True)
        ]
        card = Card(sample.id, sample.task, sample.split, sample.source, sample.licence, turns)
        card.marks = sorted(drawer.marks, key=_from_below)
        card.depths, card.left_out, card.notes = drawer.depths, drawer.left_out, _notes(sample)
        if sample.photo is not None:
            card.size_wh = sample.photo.size_wh
            try:
                if sample.photo.path not in self._known:
                    self.photos.append(photo_uri(open_photo(self._root, sample.photo)))
                    self._known[sample.photo.path] = len(self.photos) - 1
                card.photo = self._known[sample.photo.path]
            except PhotoError as error:
                card.fault = f"{sample.photo.path}: {error.reason}: {error.detail}"
        return card


def _from_below(mark: Mark) -> tuple[bool, int, float]:
    # a person's marks on top, then what is small above what is large: so all of it can be pointed at
    order = ("path", "rect", "line", "circle").index(mark.shape)
    return mark.colour == PROMPT_COLOUR, order, -mark.width * mark.height


class _Drawer:
    """Goes through a dialogue's parts, collects the marks, and says each part with its chips."""

    def __init__(self, root: Path, sample: Dialogue) -> None:
        self._root, self._size = root, sample.photo.size_wh if sample.photo else None
        self.marks: list[Mark] = []
        self.depths: list[DepthView] = []
        self.left_out = self._count = self._prompts = 0

    def say(self, part: str | Prompt | Triplet) -> Said:
        match part:
            case str():
                return Said("text", part)
            case Prompt():
                self._prompts += 1
                key = f"p{self._prompts}"
                self.marks.extend(marks(part.mark, key, PROMPT_COLOUR, prompt=True))
                return Said("prompt", part.kind, chips=(Chip(key, PROMPT_COLOUR, part.kind),))
            case Triplet():
                return self._phrase(part)

    def _phrase(self, triplet: Triplet) -> Said:
        chips: list[Chip] = []
        for index, reference in enumerate(triplet.references):
            if self._count >= MOST_DRAWN:
                self.left_out += 1
                continue
            key, paint = f"r{self._count}", colour(self._count)
            self._count += 1
            chips.append(Chip(key, paint, str(index)))
            if isinstance(reference.unit, Depth):
                self.depths.append(self._depth(reference.unit))
            elif reference.unit is not None:
                self.marks.extend(marks(reference.unit, key, paint))
        return Said("phrase", triplet.concept, triplet.kind, tuple(chips))

    def _depth(self, depth: Depth) -> DepthView:
        try:
            if depth.frame == "metres":
                image, near, far = depth_uri(read_depth(self._root, depth, self._size))
                return DepthView(image, f"{near:.2f} m", f"{far:.2f} m")
            inverse, known = read_inverse_depth(self._root, depth, self._size)
            behind = np.where(known, inverse.max() - inverse + 1, 0)  # the frame allows any shift: 1 for the nearest
            return DepthView(depth_uri(behind.astype(np.float32))[0], "near", "far")
        except PhotoError as error:
            return DepthView(fault=f"{depth.path}: {error.reason}: {error.detail}")


def _notes(sample: Dialogue) -> list[tuple[str, str]]:
    """What scoring knows beside the answer, for the curious."""
    asked, origin = sample.evaluation, sample.provenance
    lists = {
        "asked about": asked.concepts, "all references": asked.references, "accepted answers": asked.answers,
        "known to be absent": asked.negatives, "not exhaustive": asked.not_exhaustive,
    }  # fmt: skip
    notes = [(name, " | ".join(values)) for name, values in lists.items() if values]
    if asked.ignore:
        notes.append(("ignored when scored", f"{len(asked.ignore)} regions"))
    where = f"{origin.file}, row {origin.row}, converter {origin.converter_version}"
    return [*notes, ("from", where), ("wording", origin.template or "the source's own")]
