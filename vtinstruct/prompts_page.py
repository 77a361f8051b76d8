"""`vtinstruct prompts`: a page of drawn prompts for a person to judge, each on its piece of the photo beside the region it was
drawn from. What a task asks with is drawn by `vtinstruct.prompts`; this only chooses regions and shows them.

Regions are chosen by size, from a few pixels to half a photo, and crowds among them, because that is where drawing goes
wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from jinja2 import Environment, PackageLoader, StrictUndefined

from vtinstruct.build.choose import Chosen
from vtinstruct.dialogue import PROMPT_KINDS, PromptKind, StoredPhoto
from vtinstruct.drawing import PROMPT_COLOUR, Mark, marks, photo_uri
from vtinstruct.geometry import rle_area, rle_box
from vtinstruct.manifest import DatasetError
from vtinstruct.photos import PhotoError, open_photo
from vtinstruct.prompts import TINY, PromptError, draw
from vtinstruct.record import Photo, Record, Region
from vtinstruct.units import Mask

MOST_READ = 400  # records of a split that regions are chosen from: enough of every size, and quick
MOST_BACKWARDS = 8  # photos of a size that may fail to open before a cell is given up
REGION_COLOUR = "#ffb000"
# COCO's own limits between small, medium and large, and two of ours at the ends where marks are hard to draw
SIZES = (("tiny", TINY), ("small", 32**2), ("medium", 96**2), ("large", 2**62))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A region that a prompt could be drawn from, its photo, and the folder the photo's path starts from."""

    root: Path
    source: str
    photo: Photo
    region: Region


@dataclass(frozen=True, slots=True)
class Cell:
    """One drawn prompt: a piece of the photo (`window_xywh`, photo pixels), the region's outline, the prompt's marks."""

    kind: str
    size: str
    words: str
    photo: str
    window_xywh: tuple[int, int, int, int]
    region: tuple[Mark, ...]
    prompt: tuple[Mark, ...]


def candidates(chosen: Iterable[Chosen]) -> dict[str, list[Candidate]]:
    """Regions with masks by size ("tiny" ... "large", "crowd"), each size in reading order. Raises `SourceError`."""
    found: dict[str, list[Candidate]] = {name: [] for name, _ in SIZES} | {"crowd": []}
    for choice in chosen:
        for split in choice.splits:
            opened = choice.source.open(choice.root, split)
            stop = min(len(opened), MOST_READ)
            for record in opened.records(0, stop, lambda drop: None):  # what is dropped is the build's to say
                for candidate in _of(choice.root, record):
                    found[size_of(candidate.region)].append(candidate)
    return found


def _of(root: Path, record: Record) -> Iterable[Candidate]:
    if record.photo is not None:
        for region in record.regions:
            if region.mask_rle is not None and rle_area(region.mask_rle):
                yield Candidate(root, record.source, record.photo, region)


def size_of(region: Region) -> str:
    """The name of a region's size; a crowd is one whatever its size."""
    if region.crowd or region.mask_rle is None:
        return "crowd"
    area = rle_area(region.mask_rle)
    return next(name for name, most in SIZES if area <= most)


def cells(by_size: dict[str, list[Candidate]], count: int, seed: int) -> list[Cell]:
    """`count` prompts: the kinds in turn, and for each kind the sizes in turn (those there are). Fewer when photos cannot
    be opened. Always the same for the same seed."""
    sizes = [name for name, found in by_size.items() if found]
    if not sizes:
        raise DatasetError("no region with a mask was found; a source with masks, such as coco_instances, is right")
    made: list[Cell] = []
    for place, kind in enumerate(PROMPT_KINDS):
        share = count // len(PROMPT_KINDS) + (place < count % len(PROMPT_KINDS))
        for number in range(share):
            size = sizes[number % len(sizes)]
            rng = Random(f"{seed}/{kind}/{number}")
            for candidate in rng.sample(by_size[size], min(MOST_BACKWARDS, len(by_size[size]))):
                cell = _cell(kind, size, candidate, rng)
                if cell is not None:
                    made.append(cell)
                    break
    return made


def _cell(kind: PromptKind, size: str, candidate: Candidate, rng: Random) -> Cell | None:
    photo, region = candidate.photo, candidate.region
    assert region.mask_rle is not None
    stored = StoredPhoto(photo.path, "", photo.size_wh, photo.id)
    try:
        picture = open_photo(candidate.root, stored)
        prompt = draw(kind, region, photo.size_wh, rng)
    except (PhotoError, PromptError):
        return None  # another candidate takes its place; the build is where losses are counted
    window = window_around(rle_box(region.mask_rle), photo.size_wh)
    x, y, width, height = window
    piece = picture.crop((x, y, x + width, y + height))
    words = f"{region.category or 'region'} of {rle_area(region.mask_rle):,} px, {candidate.source} {photo.id}"
    return Cell(
        kind, size, words, photo_uri(piece, 360), window,
        tuple(marks(Mask(region.mask_rle), "r", REGION_COLOUR, shown=max(width, height))),
        tuple(marks(prompt.mark, "p", PROMPT_COLOUR, prompt=True, shown=max(width, height))),
    )  # fmt: skip


def window_around(
    box_xyxy: tuple[float, float, float, float], size_wh: tuple[int, int], least: int = 24
) -> tuple[int, int, int, int]:
    """The piece of a photo (x, y, width, height) that shows a box with room around it: a square of one and a half times its
    longer side and at least `least` pixels, as far as the photo reaches."""
    x0, y0, x1, y1 = box_xyxy
    side = max(round(1.5 * max(x1 - x0, y1 - y0)), least)
    width, height = min(side, size_wh[0]), min(side, size_wh[1])
    x = min(max(round((x0 + x1 - width) / 2), 0), size_wh[0] - width)
    y = min(max(round((y0 + y1 - height) / 2), 0), size_wh[1] - height)
    return x, y, width, height


def write_page(chosen: Sequence[Chosen], out: Path, count: int = 60, seed: int = 0) -> int:
    """Write the page; returns how many prompts are on it. Raises `SourceError` or `DatasetError`, each one line."""
    by_size = candidates(chosen)
    made = cells(by_size, count, seed)
    if not made:
        raise DatasetError("none of the photos could be opened; photos below the source's folder are right")
    page = Environment(
        loader=PackageLoader("vtinstruct", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("prompts.html")
    regions = {name: len(found) for name, found in by_size.items()}
    text = page.render(cells=made, kinds=PROMPT_KINDS, regions=regions, seed=seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return len(made)
