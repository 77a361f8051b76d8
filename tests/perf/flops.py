"""Floating-point operations of a training step of the 7B recipe, by part: `python -m tests.perf.flops`.

One photo of 512 pixels, a row of 2,048 tokens (the recipe's length), and as many references as a full row of the sample's
dialogues has. LLM, encoders and neck are counted on the meta device; the decoders are small enough to run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from refvlm.configs import reference_7b_config
from refvlm.decoders._contract import Decoder
from refvlm.model import RefVLMForConditionalGeneration, decoder_class
from refvlm.vision import Maps

LENGTH = 2048
REFERENCES = {"box": 20, "mask": 20, "keypoint": 4, "depth": 2}
VICUNA = 32_000


def counted(work: Callable[[], Tensor], learns: bool = True) -> float:
    """Operations of a forward pass, and of the backward pass where it `learns`."""
    with FlopCounterMode(display=False) as counter:
        found = work()
        if learns:
            found.float().square().sum().backward()
    return float(counter.get_total_flops())


def flops() -> dict[str, float]:
    """By part. The encoders stay as they are in every stage, so they have no backward pass; all else learns (stage 2)."""
    with torch.device("meta"):
        model = RefVLMForConditionalGeneration(reference_7b_config(VICUNA, {}))
        photos = torch.zeros(1, 512, 512, 3, dtype=torch.uint8)
        words = torch.zeros(1, LENGTH, 4096, requires_grad=True)
        cells, marks = torch.zeros(1, 576, 1024), torch.zeros(4, 10, 1024)
        extent, mask = torch.ones(1, 2), torch.zeros(1, 1, LENGTH, LENGTH)
    llm: Any = model.llm
    vision: Any = model.vision
    pixels = model.dense.normal(photos)
    with torch.no_grad():
        features = [part.detach() for part in model.dense.backbone(pixels).feature_maps]

    def speak() -> Tensor:
        states = llm.get_decoder()(inputs_embeds=words, attention_mask=mask, use_cache=False).last_hidden_state
        return llm.get_output_embeddings()(states)

    found = {
        "language model": counted(speak),
        "encoder 1": counted(lambda: vision(photos), learns=False),
        "encoder 2": counted(lambda: model.dense.backbone(pixels).feature_maps[-1], learns=False),
        "neck": counted(lambda: _all(model.dense.neck(pixels, features, extent))),
        "projector": counted(lambda: model.projector(cells)),
        "prompts": counted(lambda: model.projector(marks)),
    }
    return found | {kind: decoder_flops(model, kind, many) for kind, many in REFERENCES.items()}


def decoder_flops(model: RefVLMForConditionalGeneration, kind: str, many: int) -> float:
    """Forward, matching, losses and backward of one decoder, into the maps and the LLM's states."""
    settings = (model.config.decoders or {})[kind]
    decoder: Decoder = decoder_class(kind)(4096, 256, 64, **settings)
    sides = {"tokens": (256, 32), "coarse": (256, 64), "fine": (256, 128), "pixels": (64, 256)}
    made = {name: torch.randn(1, c, s, s, requires_grad=True) for name, (c, s) in sides.items()}
    view = Maps(**made, extent_wh=torch.ones(1, 2)).pick(torch.zeros(many, dtype=torch.long))
    states = torch.randn(many, 4096, requires_grad=True)
    targets = _targets(kind, many)
    groups = torch.arange(many) // 2

    def work() -> Tensor:
        return torch.stack(list(decoder.loss(decoder(states, view), targets, groups).values())).sum()

    return counted(work)


def _targets(kind: str, many: int) -> dict[str, Tensor]:
    corners = torch.tensor([[0.2, 0.2, 0.6, 0.7]]).repeat(many, 1)
    joints = torch.full((many, 17, 2), 0.4)
    return {
        "box": {"corners": corners},
        "mask": {"corners": corners, "masks": torch.ones(many, 512, 512, dtype=torch.uint8)},
        "keypoint": {
            "corners": corners, "joints": joints, "visible": torch.full((many, 17), 2), "count": torch.full((many,), 17),
        },
        "depth": {"depth_m": torch.full((many, 512, 512), 2.0), "relative": torch.zeros(many, dtype=torch.bool)},
    }[kind]  # fmt: skip


def _all(maps: Maps) -> Tensor:
    return torch.cat([part.flatten() for part in (maps.coarse, maps.fine, maps.pixels)])


def main() -> None:
    found = flops()
    llm = found["language model"]
    print("| part | TFLOP a step | of the language model |\n|---|---|---|")
    for name, value in found.items():
        print(f"| {name} | {value / 1e12:.3f} | {100 * value / llm:.2f} % |")
    ours = sum(value for name, value in found.items() if name not in ("language model", "encoder 1", "encoder 2"))
    print(f"| **TRP, router and decoders, neck and projector** | {ours / 1e12:.3f} | **{100 * ours / llm:.2f} %** |")


if __name__ == "__main__":
    main()
