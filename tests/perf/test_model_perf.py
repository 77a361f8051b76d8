"""Grouped matching, the training step and generation, each against its plain peer in the same run.

Ratios are in `extra_info`; nothing is asserted about them but that both sides did the same work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from refvlm.collator import Asked, Seen, collate_questions
from refvlm.matching import group_pairs, match
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.recipes import recipe
from tests.refvlm import samples

pytestmark = pytest.mark.perf


def seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """The fastest of some rounds, after one to warm up."""
    work()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def test_matching_against_one_matrix_over_everything(benchmark: pytest.FixtureRequest) -> None:
    groups = torch.arange(64 * 20).repeat_interleave(4)
    n = len(groups)
    predictions, wanted = torch.rand(n, 4), torch.rand(n, 4)

    def ours() -> torch.Tensor:
        i, j = group_pairs(groups)
        return match((predictions[i] - wanted[j]).abs().sum(-1), groups)

    def whole_matrix() -> torch.Tensor:
        costs = torch.cdist(predictions, wanted, p=1).numpy()
        found = torch.arange(n)
        for start in range(0, n, 4):
            rows, columns = linear_sum_assignment(costs[start : start + 4, start : start + 4])
            found[start + torch.from_numpy(rows)] = start + torch.from_numpy(columns)
        return found

    assert torch.equal(ours(), whole_matrix())
    grown = []
    for factor in (1, 10, 100):
        some = torch.arange(64 * factor).repeat_interleave(4)
        costs = torch.rand(len(group_pairs(some)[0]))
        grown.append(seconds(lambda c=costs, g=some: match(c, g)))
    benchmark.extra_info["times_as_fast"] = seconds(whole_matrix) / seconds(ours)  # type: ignore[attr-defined]
    benchmark.extra_info["cost_of_10_and_100_times_the_groups"] = [cost / grown[0] for cost in grown[1:]]  # type: ignore[attr-defined]
    benchmark(ours)  # type: ignore[operator]


@pytest.fixture(scope="module")
def tiny() -> RefVLMForConditionalGeneration:
    own = samples.processor()
    return RefVLMForConditionalGeneration(recipe("tiny_cpu").config(len(own.tokenizer), own.special_ids()))


@pytest.mark.parametrize("name", ["tiny_cpu", "smollm"])
def test_training_step_against_the_bare_language_model(name: str, benchmark: pytest.FixtureRequest) -> None:
    """Forward and backward of everything, beside those of the LLM alone on as many tokens with a loss on the same ones, and
    beside LLM and encoder without marks, router and decoders. The sizes of the recipes, random weights."""
    own = samples.processor()
    model = RefVLMForConditionalGeneration(recipe(name).config(len(own.tokenizer), own.special_ids())).train()
    own.photo_side = model.config.photo_side
    batch = samples.collator(own)([samples.about(n, (64, 48)) for n in range(4)])
    llm: Any = model.llm
    photo = model.see(batch.photos, batch.extent_wh).tokens.shape[1]
    learned = batch.labels >= 0

    def words() -> torch.Tensor:
        return model.get_input_embeddings()(batch.ids)

    def answer(inputs: torch.Tensor) -> None:
        states = llm.get_decoder()(inputs_embeds=inputs, use_cache=False).last_hidden_state[:, photo:]
        logits = llm.get_output_embeddings()(states[learned])
        torch.nn.functional.cross_entropy(logits, batch.labels[learned]).backward()

    def whole() -> None:
        model.zero_grad()
        model(batch).loss.backward()

    def alone() -> None:
        model.zero_grad()
        answer(torch.cat((words()[:, :1].expand(-1, photo, -1), words()), 1))

    def seeing() -> None:
        model.zero_grad()
        answer(torch.cat((model.see(batch.photos, batch.extent_wh).tokens, words()), 1))

    step, bare, sighted = seconds(whole), seconds(alone), seconds(seeing)
    info = benchmark.extra_info  # type: ignore[attr-defined]
    info["times_the_bare_model"], info["times_model_and_encoder"] = step / bare, step / sighted
    info["tokens"] = (photo + batch.ids.shape[1]) * len(batch.ids)
    benchmark.pedantic(whole, rounds=1)  # type: ignore[attr-defined]


def test_generation_of_eight_against_one_by_one(
    tiny: RefVLMForConditionalGeneration, benchmark: pytest.FixtureRequest
) -> None:
    own = samples.processor()
    own.photo_side = 160
    seen = [samples.about(n, (64, 48)) for n in range(8)]
    tiny.eval()

    def answer(items: list[Seen]) -> list[list[int]]:
        photos = [item.photo for item in items]
        asked = [Asked(n, item.dialogues[0], 1) for n, item in enumerate(items)]
        return [said.ids for said in tiny.generate(collate_questions(own, photos, asked), 32)]

    def one_by_one() -> list[list[int]]:
        return [ids for item in seen for ids in answer([item])]

    assert answer(seen) == one_by_one()
    benchmark.extra_info["times_as_fast"] = seconds(one_by_one) / seconds(lambda: answer(seen))  # type: ignore[attr-defined]
    benchmark(answer, seen)  # type: ignore[operator]
