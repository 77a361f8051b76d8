"""Grouped matching, the training step and generation, each against its plain peer in the same run.

Ratios are in `extra_info`; nothing is asserted about them but that both sides did the same work.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from refvlm.attention import NAME
from refvlm.collator import Asked, Collator, Seen, collate_questions
from refvlm.data import DatasetStore
from refvlm.matching import group_pairs, match
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.recipes import TINY_QUOTA, recipe
from refvlm.training.begin import begin
from refvlm.training.engine import fastest_precision
from refvlm.training.feed import feed
from refvlm.training.ranks import Ranks
from tests.perf.flops import LENGTH, flops
from tests.perf.step_parts import ENCODERS, step_by_part
from tests.refvlm import samples

pytestmark = pytest.mark.perf
torch.set_num_threads(1)  # processor time is what is compared; threads that wait for one another use it up


def seconds(
    work: Callable[[], object], rounds: int = 3, clock: Callable[[], float] = time.perf_counter, warm: bool = True
) -> float:
    """The fastest of some rounds, after one to `warm` up."""
    if warm:
        work()
    found = []
    for _ in range(rounds):
        start = clock()
        work()
        found.append(clock() - start)
    return min(found)


def test_matching_against_one_matrix_over_everything(benchmark: pytest.FixtureRequest) -> None:
    groups = torch.arange(64 * 20).repeat_interleave(4)
    n = len(groups)
    predictions, wanted = torch.rand(n, 4), torch.rand(n, 4)

    def ours() -> torch.Tensor:
        i, j = group_pairs(groups)
        return match((predictions[i] - wanted[j]).square().sum(-1), groups)  # L1 would have ties

    def whole_matrix() -> torch.Tensor:
        costs = torch.cdist(predictions, wanted).square().numpy()
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
        grown.append(seconds(lambda c=costs, g=some: match(c, g), 5, time.process_time))
    plain, grouped = (seconds(work, 5, time.process_time) for work in (whole_matrix, ours))
    benchmark.extra_info["times_as_fast"] = plain / grouped  # type: ignore[attr-defined]
    benchmark.extra_info["cost_of_10_and_100_times_the_groups"] = [cost / grown[0] for cost in grown[1:]]  # type: ignore[attr-defined]
    benchmark(ours)  # type: ignore[operator]


@pytest.fixture(scope="module")
def tiny() -> RefVLMForConditionalGeneration:
    own = samples.processor()
    return RefVLMForConditionalGeneration(recipe("tiny_cpu").config(len(own.tokenizer), own.special_ids()))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> DatasetStore:
    """What the tiny recipe learns from, of a few scenes."""
    folder = tmp_path_factory.mktemp("scenes")
    tasks = ",".join(TINY_QUOTA)
    for words in (
        [
            "sample",
            folder / "sample",
            "--scenes",
            24,
            "--only",
            "coco_instances,coco_keypoints,coco_captions,refcoco,nyuv2",
        ],
        ["build", folder / "sample", "--out", folder / "dataset", "--tasks", tasks],
    ):
        subprocess.run(
            [sys.executable, "-c", "from vtinstruct.cli import main; main()", *map(str, words)],
            check=True,
            capture_output=True,
        )
    return DatasetStore(folder / "dataset")


@pytest.mark.parametrize("name", ["tiny_cpu", "smollm"])
def test_training_step_against_the_bare_language_model(
    name: str, scenes: DatasetStore, benchmark: pytest.FixtureRequest
) -> None:
    """A recipe's own step (its sizes, quotas and packing, random weights) by part, beside forward and backward of the LLM alone
    on as many tokens in as many rows, by its own attention, with a loss on the same ones. Seconds of processor time."""
    torch.set_flush_denormal(True)
    made = replace(recipe(name), llm="", vocabulary=1000, photos=4 if name == "tiny_cpu" else 2)
    half = fastest_precision() == "bfloat16"  # as the recipes do; on both sides
    model, processor = begin(made, scenes, None, None, Ranks())
    kinds = {kind: type(model.decoder(kind)) for kind in model.decoders}
    batch = next(feed(made, scenes, Collator(processor, kinds, scenes.load_depth, made.max_length))).batch
    llm: Any = model.llm
    photo = model.see(batch.photos, batch.extent_wh).tokens.shape[1]

    torch.manual_seed(0)
    whole = float(model(batch).loss.detach())
    torch.manual_seed(0)
    assert step_by_part(model, batch)[0] == pytest.approx(whole, rel=1e-4)

    def alone() -> None:
        words = model.get_input_embeddings()(batch.ids)
        inputs = torch.cat((words[:, :1].expand(-1, photo, -1), words), 1)  # (R, n + T, D)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            states = llm.get_decoder()(inputs_embeds=inputs, use_cache=False).last_hidden_state[:, photo:]
            loss = model.word_loss(batch, states)[0]
        loss.backward()

    parts: dict[str, float] = {}
    bare = math.inf
    for _ in range(12 if name == "tiny_cpu" else 2):  # in turn: what else the machine does slows both
        model.zero_grad()
        for part, spent in step_by_part(model, batch, half)[1].items():
            parts[part] = min(parts.get(part, math.inf), spent)
        llm.set_attn_implementation("sdpa")
        bare = min(bare, seconds(alone, 1, time.process_time, warm=False))
        llm.set_attn_implementation(NAME)
    language = parts["language model"] + parts["words"]
    encoders = sum(parts.get(part, 0.0) for part in ENCODERS)
    step, neck = sum(parts.values()), parts["neck"]
    info = benchmark.extra_info  # type: ignore[attr-defined]
    info["tokens"] = (photo + batch.ids.shape[1]) * len(batch.ids)
    info["references"] = {kind: len(refs.rows) for kind, refs in batch.references.items()}
    info["milliseconds"] = {part: round(1000 * spent, 1) for part, spent in parts.items()} | {
        "bare": round(1000 * bare, 1)
    }
    for peer, spent in (("bare", bare), ("our_own_language_model", language)):
        info[f"times_{peer}"] = {
            "whole step": round(step / spent, 3),
            "without encoders": round((step - encoders) / spent, 3),
            "without encoders and neck": round((step - encoders - neck) / spent, 3),
        }
    benchmark.pedantic(lambda: model(batch).loss.backward(), rounds=1)  # type: ignore[attr-defined]


def test_operations_of_the_7b_recipe(benchmark: pytest.FixtureRequest) -> None:
    """Counted, so it can be asserted: TRP, router and decoders, neck and projector cost less than 30 % of the LLM."""
    found = flops()
    llm = found.pop("language model")
    assert llm > 6 * 6.7e9 * LENGTH  # two operations a weight and token forward, four backward
    assert 0 < sum(value for part, value in found.items() if part not in ENCODERS) < 0.3 * llm
    info = benchmark.extra_info  # type: ignore[attr-defined]
    info["share_of_the_language_model"] = {part: value / llm for part, value in found.items()}
    benchmark.pedantic(lambda: None, rounds=1)  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", [32, 128])
def test_generation_of_eight_against_one_by_one(
    words: int, tiny: RefVLMForConditionalGeneration, benchmark: pytest.FixtureRequest
) -> None:
    own = samples.processor()
    own.photo_side = 160
    seen = [samples.about(n, (64, 48)) for n in range(8)]
    tiny.eval()

    def answer(items: list[Seen]) -> list[list[int]]:
        photos = [item.photo for item in items]
        asked = [Asked(n, item.dialogues[0], 1) for n, item in enumerate(items)]
        return [said.ids for said in tiny.generate(collate_questions(own, photos, asked), words)]

    def one_by_one() -> list[list[int]]:
        return [ids for item in seen for ids in answer([item])]

    assert answer(seen) == one_by_one()
    single, batched = (seconds(work, 5, time.process_time) for work in (one_by_one, lambda: answer(seen)))
    benchmark.extra_info["times_as_fast"] = single / batched  # type: ignore[attr-defined]
    benchmark(answer, seen)  # type: ignore[operator]
