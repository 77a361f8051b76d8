"""Feeding a model: a `torch` DataLoader over the shards, against one file a sample, in the same run.

Both sides start from the same photos (640 x 480 JPEG files), dialogues and masks (five to answer, one as the question's
mark), and end in a batch with the photo in a square, the six masks in the same square, the tokens and what is to be learned.

* ours: memory-mapped Arrow shards, `refvlm`'s own shelf and collator. Masks stay run lengths, from which the collator takes
  the part of the square where each mask is; the photo is scaled as bytes; normalising is the model's.
* per sample, pickle: a pickle a sample that holds the conversation and six dense masks (H, W) uint8.
* per sample, JSON: a JSON file a sample that holds the conversation and six COCO run lengths, decoded by pycocotools.

Both peers then do what grounded-LLaVA-style training code does with a mask: make it a picture of three channels, paste it
into a square, hand it to the vision tower's image processor (here transformers' `CLIPImageProcessor`: resize, rescale,
normalise, as for a photo) and keep one channel of the floats. Tokens are made by the same tokenizer on all sides.

The clock is processor time of one process without workers; samples a second and the ratios are in `extra_info`.
"""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPImageProcessor

from refvlm.collator import Collator, Seen, messages
from refvlm.data import Shelf
from refvlm.decoders.mask import DECODER as MASK_DECODER
from refvlm.processing import RefVLMProcessor, learn_tokenizer
from tests.benchmarks.made import dialogue, write_dataset
from tests.perf.outlines import SIZE_WH, outline
from vtinstruct.dialogue import Dialogue, Prompt, Reference, Triplet
from vtinstruct.geometry import decode_rle, polygons_to_rle
from vtinstruct.units import Mask, Rle

pytestmark = [pytest.mark.perf, pytest.mark.benchmark(timer=time.process_time)]
SAMPLES, BATCH, MASKS = 16, 8, 5


def blob(rng: np.random.Generator) -> Rle:
    """The mask of an outline."""
    return polygons_to_rle([outline(rng)], SIZE_WH)


def photo(rng: np.random.Generator) -> Image.Image:
    """Soft shapes and some noise: compresses to about 60 kB, as photos do."""
    coarse = Image.fromarray(rng.integers(0, 255, (30, 40, 3), np.uint8)).resize(SIZE_WH, Image.Resampling.BICUBIC)
    return Image.fromarray(np.clip(np.asarray(coarse) + rng.normal(0, 6, (480, 640, 3)), 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Dialogue]]:
    """The dataset, and beside it `pickle/<n>.pkl` and `json/<n>.json` of the same samples."""
    root, rng = tmp_path_factory.mktemp("loading"), np.random.default_rng(0)
    made: list[Dialogue] = []
    for number in range(SAMPLES):
        found = tuple(Reference(Mask(blob(rng)), None, "dog", 18, f"{number}-{i}") for i in range(MASKS))
        question = ("Segment every dog but ", Prompt("mask", Mask(blob(rng))), ".")
        answer = [Triplet("dog", "mask", found), "."]
        made.append(dialogue(f"hand/train/{number}/seg/0", "seg", answer, SIZE_WH, question=question))
    write_dataset(root / "dataset", made, photos=False)
    for number, one in enumerate(made):
        assert one.photo is not None
        path = root / "dataset" / one.photo.path
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(rng).save(path, quality=90)
        rles = [mark.mask_rle for _, prompt in one.prompts() if isinstance(mark := prompt.mark, Mask)]
        rles += [unit.mask_rle for _, _, reference in one.references() if isinstance(unit := reference.unit, Mask)]
        wire: dict[str, Any] = {"image": str(path), "conversation": messages(one)}
        for folder in ("pickle", "json"):
            (root / folder).mkdir(exist_ok=True)
        dense = [decode_rle(rle).astype(np.uint8) for rle in rles]
        (root / "pickle" / f"{number}.pkl").write_bytes(pickle.dumps({**wire, "masks": dense}))
        counts = [{"size": list(rle.size_hw), "counts": rle.counts.decode()} for rle in rles]
        (root / "json" / f"{number}.json").write_text(json.dumps({**wire, "masks": counts}))
    return root, made


@pytest.fixture(scope="module")
def processors(samples) -> Callable[[int], RefVLMProcessor]:
    words = [content for one in samples[1] for _, content in messages(one)]
    tokenizer = learn_tokenizer(words, 600)
    return lambda side: RefVLMProcessor(tokenizer, side)


class Shards(Dataset):
    """Rows and photos of the shards."""

    def __init__(self, root: Path) -> None:
        self.shelf = Shelf(root, lambda split: True)

    def __len__(self) -> int:
        return len(self.shelf.said)

    def __getitem__(self, index: int) -> Seen:
        found = self.shelf.dialogue(self.shelf.said[index].place)
        assert found.photo is not None
        return Seen(self.shelf.photo(found.photo), [found])


class PerSample(Dataset):
    """A file a sample; masks as three-channel pictures through the image processor."""

    def __init__(self, folder: Path, processor: RefVLMProcessor) -> None:
        self.paths = sorted(folder.iterdir(), key=lambda path: int(path.stem))
        self.words, side = processor, processor.photo_side
        self.pictures = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = self.paths[index]
        if path.suffix == ".pkl":
            wire = pickle.loads(path.read_bytes())
            masks = wire["masks"]
        else:
            wire = json.loads(path.read_text())
            masks = [coco_mask.decode(rle) for rle in wire["masks"]]
        encoded = self.words.encode([tuple(message) for message in wire["conversation"]])
        seen = self.square(Image.open(wire["image"]).convert("RGB"))
        found = [self.square(Image.fromarray(np.stack([mask * 255] * 3, -1)))[0] > 0 for mask in masks]
        return {
            "photo": seen, "prompts": torch.stack(found[:1]), "masks": torch.stack(found[1:]),
            "ids": torch.from_numpy(encoded.ids), "learn": torch.from_numpy(encoded.learn),
        }  # fmt: skip

    def square(self, picture: Image.Image) -> torch.Tensor:
        side = max(picture.size)
        square = Image.new("RGB", (side, side), (122, 116, 104) if picture.mode == "RGB" else 0)
        square.paste(picture, (0, 0))
        return self.pictures.preprocess(square, return_tensors="pt")["pixel_values"][0]


def drained(loader: DataLoader) -> int:
    return sum(1 for _ in loader)


def rate(loader: DataLoader) -> float:
    """Samples a second of processor time."""
    began = time.process_time()
    assert drained(loader) == SAMPLES // BATCH
    return SAMPLES / (time.process_time() - began)


@pytest.mark.parametrize("side", [336, 512, 1024])
def test_feeding_a_model(benchmark, samples, processors, side):
    root, _ = samples
    processor = processors(side)
    shards = Shards(root / "dataset")
    collator = Collator(processor, {"mask": MASK_DECODER}, shards.shelf.load_depth)
    loader = DataLoader(shards, BATCH, collate_fn=collator)
    peers = {
        name: rate(DataLoader(PerSample(root / name, processor), BATCH, collate_fn=list)) for name in ("pickle", "json")
    }
    batch, sample = next(iter(loader)), PerSample(root / "json", processor)[0]
    assert batch.photos.shape == (BATCH, side, side, 3)
    assert batch.references["mask"].targets["masks"].shape == (BATCH * MASKS, side, side)
    assert len(batch.prompts) == BATCH
    assert sample["masks"].shape == (MASKS, side, side)
    ours, theirs = batch.references["mask"].targets["masks"][:MASKS].numpy() > 0, sample["masks"].numpy()
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.9  # the same masks in the same square
    assert sample["ids"].tolist() == batch.ids[0, : len(sample["ids"])].tolist()
    assert benchmark.pedantic(drained, (loader,), rounds=3, warmup_rounds=1) == SAMPLES // BATCH
    began = time.process_time()
    for said in shards.shelf.said:
        shown = shards.shelf.dialogue(said.place).photo
        assert shown is not None
        shards.shelf.photo(shown)
    benchmark.extra_info["rows_and_photos_alone_per_second"] = round(SAMPLES / (time.process_time() - began), 1)
    found = SAMPLES / benchmark.stats.stats.min
    benchmark.extra_info["samples_per_second"] = round(found, 1)
    for name, other in peers.items():
        benchmark.extra_info[f"{name}_samples_per_second"] = round(other, 2)
        benchmark.extra_info[f"times_{name}"] = round(found / other, 1)
