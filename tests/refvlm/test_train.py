"""A run in seconds: its recipe, its order, its losses, and what it does with bad numbers and bad photos."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from refvlm.ablations import ABLATIONS
from refvlm.collator import Seen, messages
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.predict import load_model
from refvlm.recipes import RECIPES, RecipeError, recipe
from refvlm.train import train
from refvlm.training.begin import build
from refvlm.training.engine import fastest_precision, optimizers
from refvlm.training.feed import NothingToLearn, orders
from refvlm.training.logbook import Progress
from tests.refvlm import samples
from tests.refvlm.samples import Made


def test_a_run_writes_losses_and_a_checkpoint(tmp_path: Path) -> None:
    told: list[Progress] = []
    train(replace(recipe("smoke"), steps=4), Made(), tmp_path / "out", told.append)
    lines = [json.loads(line) for line in (tmp_path / "out" / "losses.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2, 3]
    assert {"llm", "box.where", "mask.dice", "keypoint.oks", "depth.silog"} <= lines[0]["losses"].keys()
    assert lines[-1]["losses"] == told[-1].losses
    assert lines[-1]["photos"] < 8, "the unreadable photo must not be counted as seen"
    model, processor = load_model(tmp_path / "out")
    assert model.config.special_ids == processor.special_ids()


def test_the_same_seed_gives_the_same_losses_up_to_rounding(tmp_path: Path) -> None:
    runs: list[list[dict[str, float]]] = []
    for name in ("a", "b"):
        told: list[Progress] = []
        train(replace(recipe("smoke"), steps=3, precision="float32"), Made(), tmp_path / name, told.append)
        runs.append([progress.losses for progress in told])
    assert runs[0][0] == runs[1][0]
    for one, other in zip(*runs, strict=True):
        assert one == pytest.approx(other, rel=0.02)  # threads may add up in another order


def test_a_loss_that_is_not_finite_is_skipped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Progress] = []
    whole, calls = RefVLMForConditionalGeneration.forward, [0]

    def broken(self: RefVLMForConditionalGeneration, batch: object) -> object:
        calls[0] += 1
        output = whole(self, batch)  # type: ignore[arg-type]
        return replace(output, loss=output.loss * float("nan")) if calls[0] == 2 else output

    monkeypatch.setattr(RefVLMForConditionalGeneration, "forward", broken)
    model = train(replace(recipe("smoke"), steps=3), Made(), tmp_path / "out", told.append)
    assert [progress.skipped for progress in told] == [0, 1, 1]
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_a_batch_of_unreadable_photos_is_passed_over_and_counted(tmp_path: Path) -> None:
    told: list[Progress] = []
    chosen = replace(recipe("smoke"), photos=1, steps=10, save=5)
    train(chosen, Made(photos=6, broken=3), tmp_path / "out", told.append)
    wanted = [index for _, (index,) in zip(range(12), orders(6, 1, seed=0), strict=False)]
    before = [index == 3 for index in wanted]
    expected = [sum(before[: n + 1]) for n, broken in enumerate(before) if not broken]
    assert [progress.empty for progress in told] == expected
    assert told[-1].photos == 10
    assert expected[-1] > 0
    (tmp_path / "cut").mkdir()
    for name in ("run.json", "checkpoints"):
        (tmp_path / "out" / name).rename(tmp_path / "cut" / name)
    again: list[Progress] = []
    train(chosen, Made(photos=6, broken=3), tmp_path / "cut", again.append, resume=True)
    assert [progress.empty for progress in again] == [progress.empty for progress in told[5:]]


def test_nothing_to_learn_from_says_so_instead_of_waiting(tmp_path: Path) -> None:
    class Nothing(Made):
        def seen(self, index: int, rng: random.Random, quota: Mapping[str, float]) -> Seen | None:
            return None

    with pytest.raises(NothingToLearn, match="no photo"):
        train(recipe("smoke"), Nothing(), tmp_path / "out", lambda progress: None)


def test_every_epoch_has_every_photo_once() -> None:
    wanted = orders(7, 3, seed=5)
    found = [index for _ in range(7) for index in next(wanted)]
    assert all(sorted(found[start : start + 7]) == list(range(7)) for start in (0, 7, 14))
    assert found[:7] != found[7:14]


def test_precision_is_one_of_two() -> None:
    assert fastest_precision() in ("float32", "bfloat16")


def test_muon_learns_matrices_and_is_resumed_where_it_was(tmp_path: Path) -> None:
    chosen = replace(recipe("smoke"), optimizer="muon", steps=4, save=2)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    told: list[Progress] = []
    model = train(chosen, Made(), whole, told.append)
    muon, rest = optimizers(model, chosen)
    learned = [p for o in (muon, rest) for group in o.param_groups for p in group["params"]]
    assert len(learned) == len({id(p) for p in learned}) == len(list(model.parameters()))
    words = model.get_input_embeddings().weight
    assert all(p.ndim > 1 and p is not words for group in muon.param_groups for p in group["params"])
    memory = load_file(whole / "checkpoints" / "00000002" / "rank-0.safetensors")
    assert any(name.endswith("|momentum") for name in memory)
    assert any(name.endswith("|exp_avg") for name in memory)
    cut.mkdir()
    shutil.copy(whole / "run.json", cut)
    shutil.copytree(whole / "checkpoints", cut / "checkpoints")
    again: list[Progress] = []
    train(chosen, Made(), cut, again.append, resume=True)
    assert [progress.losses for progress in again] == [progress.losses for progress in told[2:]]


def test_an_optimizer_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="adamw or muon"):
        train(replace(recipe("smoke"), optimizer="adagrad"), Made(), tmp_path / "out", lambda _: None)


def test_planned_answers_are_spelled_in_few_tokens() -> None:
    model, processor = build(replace(recipe("smoke"), plan=True), Made())
    assert processor.plan
    seen = samples.about(1, (64, 48)).dialogues[0]
    plain, planned = (processor.encode(messages(seen, plan)).ids for plan in (False, True))
    assert len(planned) - len(plain) < 60
    assert model.config.special_ids == processor.special_ids()


@pytest.mark.parametrize("name", sorted(n for n in RECIPES | ABLATIONS if not recipe(n).llm))
def test_every_recipe_of_random_weights_builds(name: str) -> None:
    model, processor = build(recipe(name), Made())
    assert len(processor.tokenizer) == model.get_input_embeddings().weight.shape[0]


def test_settings_replace_fields_and_nothing_else_is_taken() -> None:
    found = recipe("tiny_cpu", {"photos": "2", "rate": "1e-4", "quota.rec": "9"})
    assert (found.photos, found.rate, found.quota["rec"]) == (2, 1e-4, 9)
    for settings in ({"photo": "2"}, {"photos": "two"}, {"config": "x"}, {"deepspeed": "true"}):
        with pytest.raises(RecipeError, match=next(iter(settings))):
            recipe("tiny_cpu", settings)
    with pytest.raises(RecipeError, match="tiny_cpu"):
        recipe("huge")
