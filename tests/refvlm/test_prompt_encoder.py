"""Prompts as the published code failed them: cells that leak, prompts that vanish, masks that look alike, NaN when empty."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from refvlm.processing import RefVLMProcessor
from refvlm.prompt_encoder import PromptEncoder
from refvlm.share import squares_of
from vtinstruct.dialogue import Prompt
from vtinstruct.prompts import prompt_mask
from vtinstruct.units import Point

SIDE, GRID = 96, 7  # a grid that does not divide the square, and ninths that do not meet its cells


def encode(
    masks: torch.Tensor, extent: tuple[float, float] = (1.0, 1.0), dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    torch.manual_seed(0)
    encoder = PromptEncoder(16).to(dtype)
    features = torch.rand(1, 16, GRID, GRID).to(dtype) + 1
    owner = torch.zeros(len(masks), dtype=torch.long)
    return encoder(masks.to(dtype), features, owner, torch.tensor([extent])).detach()


@pytest.mark.parametrize("extent", [(1.0, 1.0), (1.0, 0.75), (0.5, 1.0)])
@pytest.mark.parametrize("ninth", range(9))
def test_a_prompt_inside_one_ninth_lights_that_cell_and_no_other(ninth: int, extent: tuple[float, float]) -> None:
    row, column = divmod(ninth, 3)
    width, height = SIDE * extent[0] / 3, SIDE * extent[1] / 3
    mask = torch.zeros(1, SIDE, SIDE)
    mask[0, round(row * height) : round((row + 1) * height), round(column * width) : round((column + 1) * width)] = 1
    cells = encode(mask, extent)[0, :9].abs().sum(-1)
    assert cells[ninth] > 0
    assert torch.count_nonzero(cells) == 1


def test_the_geometry_token_tells_masks_apart() -> None:
    masks = torch.zeros(4, SIDE, SIDE)
    masks[0, 10:20, 10:20] = masks[1, 10:20, 11:21] = masks[2, 10:20, 10:21] = 1
    masks[3, 10:20, 10:20] = masks[0, 10:20, 10:20]
    masks[3, 15, 15] = 0  # the same box, one pixel less
    tokens = encode(masks)[:, 9]
    apart = torch.cdist(tokens, tokens) + torch.eye(4)
    assert float(apart.min()) > 1e-6


def test_a_point_on_a_large_photo_does_not_vanish(processor: RefVLMProcessor) -> None:
    size_wh = (2048, 1536)
    point = prompt_mask(Prompt("point", Point((1901.5, 33.2))), size_wh)
    three = np.zeros(size_wh[::-1], np.bool_)
    three[700, 1000:1003] = True  # three pixels: a hundredth of one pixel of the square
    for mask in (point, three):
        square = torch.from_numpy(squares_of([processor.share(mask)], processor.photo_side)).float() / 255
        assert float(square.sum()) > 0
        tokens = encode(square, (1.0, 0.75))
        assert (tokens[0, :9].abs().sum(-1) > 0).any()
        assert float(tokens[0, 9].abs().sum()) > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_an_empty_mask_is_finite_and_silent(dtype: torch.dtype) -> None:
    tokens = encode(torch.zeros(2, SIDE, SIDE), dtype=dtype)
    assert torch.isfinite(tokens).all()
    assert not tokens.any()


def test_pooling_is_the_mean_below_the_mask() -> None:
    mask = torch.zeros(1, 8, 8)
    mask[0, :2, :2] = 1  # a quarter of grid cell (0, 0), inside ninth (0, 0)
    features = torch.arange(4.0).reshape(1, 1, 2, 2)
    weights = PromptEncoder.cell_weights(mask, (2, 2), torch.ones(1, 2))
    assert weights.sum() == pytest.approx(4 / 64)
    cells = PromptEncoder(1)(mask, features + 5, torch.zeros(1, dtype=torch.long), torch.ones(1, 2)).detach()
    assert cells[0, 0, 0] == pytest.approx(5.0)


def test_an_encoder_that_is_not_told_the_geometry_gives_cells_alone() -> None:
    mask = torch.zeros(1, 16, 16)
    mask[0, 2:6, 3:9] = 1
    features, owner, extent = torch.randn(1, 8, 4, 4), torch.zeros(1, dtype=torch.long), torch.ones(1, 2)
    torch.manual_seed(0)
    told = PromptEncoder(8)
    silent = PromptEncoder(8, told=False)
    assert told(mask, features, owner, extent)[0, -1].abs().sum() > 0
    assert silent(mask, features, owner, extent)[0, -1].abs().sum() == 0
    assert torch.equal(silent(mask, features, owner, extent)[:, :-1], told(mask, features, owner, extent)[:, :-1])
