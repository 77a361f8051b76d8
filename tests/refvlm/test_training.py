"""The parts of a run: what learns and what stays, and that a run which was killed is the run that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from refvlm.batch import Batch
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.predict import load_model
from refvlm.recipes import RECIPES, Recipe, RecipeError, recipe, shrunk
from refvlm.train import train
from refvlm.training import evaluation
from refvlm.training.begin import begin
from refvlm.training.checkpoint import LossError, ResumeError, newest
from refvlm.training.engine import TorchEngine
from refvlm.training.evaluation import Held, Judge
from refvlm.training.freezing import part_of, parts_of
from refvlm.training.logbook import Progress, keep_until
from refvlm.training.lora import added_up
from refvlm.training.ranks import Ranks
from refvlm.training.zero import zero_settings
from tests.refvlm import samples
from tests.refvlm.samples import Made

ROOT = Path(__file__).parents[2]


def short(steps: int = 2, **changes: Any) -> Recipe:
    """The smallest run, without a clock."""
    return replace(recipe("smoke"), steps=steps, minutes=float("inf"), precision="float32", **changes)


def run(made: Recipe, out: Path, **how: Any) -> tuple[RefVLMForConditionalGeneration, list[Progress]]:
    told: list[Progress] = []
    return train(made, Made(24, broken=-1), out, told.append, say=lambda line: None, **how), told


def losses(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    return [line["losses"] for line in lines if "losses" in line]


def batch_of(made: Recipe, processor: Any, every_kind: bool = False) -> Batch:
    words = samples.collator(processor)
    words.every_kind = every_kind
    return words([samples.about(n, (64, 48)) for n in range(2)])


# --- every recipe ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_runs_two_steps_and_only_what_it_names_learns(name: str, tmp_path: Path) -> None:
    made = replace(shrunk(recipe(name)), steps=2, minutes=float("inf"), precision="float32", accumulate=1)
    before: Mapping[str, Tensor] = {
        name: value.clone() for name, value in begin(made, Made(24, -1), None, None, Ranks())[0].state_dict().items()
    }
    before = added_up(dict(before))
    _, told = run(made, tmp_path)
    assert [step.step for step in told] == [0, 1]
    after = load_model(tmp_path)[0].state_dict()
    learned = {part_of(key) for key, value in after.items() if not torch.equal(value, before[key])}
    assert learned == set(made.learns or parts_of(load_model(tmp_path)[0]))


def test_a_part_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no 'boxes'; known: box, dense"):
        run(short(learns=("boxes",)), tmp_path)


@pytest.mark.parametrize("settings", [{"precision": "fp8"}, {"zero": "1"}, {"photos": "0"}, {"recompute": "maybe"}])
def test_settings_that_cannot_be_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match=next(iter(settings))):
        recipe("smoke", settings)


# --- low-rank updates ------------------------------------------------------------------------------------------------


def test_low_rank_updates_are_added_up_in_the_checkpoint(tmp_path: Path) -> None:
    made = short(3, lora=4, rate=1e-2, recompute=True)
    model, _ = run(made, tmp_path)
    loaded, processor = load_model(tmp_path)
    assert not any("down" in name.split(".") for name, _ in loaded.named_parameters())
    batch = batch_of(made, processor)
    with torch.no_grad():
        torch.testing.assert_close(model(batch).logits, loaded(batch).logits, atol=1e-4, rtol=1e-4)
    start = begin(made, Made(24, -1), None, None, Ranks())[0].state_dict()
    bases = [name for name in start if name.endswith(".base.weight")]
    assert bases
    assert all(torch.equal(model.state_dict()[name], start[name]) for name in bases)
    assert any(model.state_dict()[name.replace("base.weight", "up")].any() for name in bases)


# --- losses and steps ------------------------------------------------------------------------------------------------


def test_a_loss_of_no_weight_teaches_nothing() -> None:
    made = short(weights={"box": 0.0, "mask.dice": 0.0})
    model, processor = begin(made, Made(), None, None, Ranks())
    output = model(batch_of(made, processor))
    unweighted = sum(float(v.detach()) * (0.5 if "." in k else 1) for k, v in output.losses.items() if k[:3] != "box")
    assert float(output.loss.detach()) == pytest.approx(unweighted - 0.5 * float(output.losses["mask.dice"].detach()))


def test_batches_of_a_step_are_averaged() -> None:
    norms: list[float] = []
    for accumulate in (1, 2):
        made = short(accumulate=accumulate)
        model, processor = begin(made, Made(), None, None, Ranks())
        model.eval()  # the same batch twice, batch norms not moving
        engine = TorchEngine(model, made, Ranks())
        for turn in range(accumulate):
            torch.manual_seed(0)
            engine.backward(engine.forward(batch_of(made, processor), last=turn + 1 == accumulate).loss)
        norms.append(engine.step(0.0))
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def test_nothing_of_a_kind_still_gives_every_weight_a_gradient() -> None:
    """Ranks that learn together must agree on which weights have one, whatever their photos show."""
    made = short()
    model, processor = begin(made, Made(), None, None, Ranks())
    words = samples.collator(processor)
    words.every_kind = True
    seen = samples.about(0, (64, 48))
    batch = words([replace(seen, dialogues=[seen.dialogues[5]])])  # words alone: no unit, no prompt
    assert all(len(refs.rows) == 0 for refs in batch.references.values())
    output = model(batch)
    output.loss.backward()
    assert {name for name, value in output.losses.items() if float(value.detach())} == {"llm"}
    behind = ("vision.vision", "dense")  # a ViT's last block is not read; maps come through the decoders
    without = [n for n, p in model.named_parameters() if p.grad is None and not n.startswith(behind)]
    assert without == []
    assert all(torch.isfinite(b.float()).all() for b in model.buffers())


def test_a_gradient_that_is_not_finite_takes_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = nn.utils.clip_grad_norm_, [0]

    def broken(parameters: Any, most: float) -> Tensor:
        calls[0] += 1
        return whole(parameters, most) * (float("inf") if calls[0] == 2 else 1)

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", broken)
    model, told = run(short(3), tmp_path)
    assert [step.skipped for step in told] == [0, 1, 1]
    assert [step.norm is None for step in told] == [False, True, False]
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_a_run_that_is_lost_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RefVLMForConditionalGeneration.forward
    monkeypatch.setattr(
        RefVLMForConditionalGeneration, "forward", lambda self, batch: replace(o := whole(self, batch), loss=o.loss * float("nan"))
    )  # fmt: skip
    monkeypatch.setattr("refvlm.train.HOPELESS", 3)
    with pytest.raises(LossError, match="3 times in a row at step 0"):
        run(short(), tmp_path)


# --- killed and resumed ----------------------------------------------------------------------------------------------

SETTINGS = {"steps": "9", "minutes": "inf", "precision": "float32", "save": "2", "accumulate": "2"}


def start_run(out: Path, settings: dict[str, str], *more: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, *launcher, "-m", "tests.refvlm.run_made", str(out), "smoke", json.dumps(settings), *more]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def kill_after(process: subprocess.Popen[str], line: str) -> None:
    """Kill a run and all its processes, as a machine that fails does, once it has said `line`."""
    assert process.stdout is not None
    said: list[str] = []
    for text in process.stdout:
        said.append(text)
        if text.strip() == line:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return
    pytest.fail("".join(said[-20:]))


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    made = recipe("smoke", SETTINGS)
    run(made, tmp_path / "whole")
    kill_after(start_run(tmp_path / "killed", SETTINGS), "step 6")
    found = newest(tmp_path / "killed")
    assert found is not None
    assert int(found.name) in (4, 6)
    (found.parent / "00000008.new").mkdir()  # killed while a checkpoint was written
    with pytest.raises(ResumeError, match="has a run"):
        run(made, tmp_path / "killed")
    with pytest.raises(ResumeError, match=r"rate=0\.002, not 0\.1"):
        run(replace(made, rate=0.1), tmp_path / "killed", resume=True)
    run(made, tmp_path / "killed", resume=True)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    whole, again = (load_model(tmp_path / name)[0].state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(again[name], value) for name, value in whole.items())
    assert not list(tmp_path.rglob("*.pt"))
    assert not list(tmp_path.rglob("*.bin"))


def test_a_run_is_not_resumed_on_other_data(tmp_path: Path) -> None:
    run(short(1), tmp_path)
    with pytest.raises(ResumeError, match="data=made 24, not made 6"):
        train(short(1), Made(), tmp_path, lambda step: None, resume=True)


# --- what is said ----------------------------------------------------------------------------------------------------


def test_lines_after_the_checkpoint_are_dropped_and_a_torn_one_too(tmp_path: Path) -> None:
    path = tmp_path / "losses.jsonl"
    path.write_text('{"step": 0}\n{"step": 1}\n{"step": 1, "scores": {}}\n{"step": 2}\n{"step": 3, "lo')
    keep_until(path, 2)
    assert path.read_text() == '{"step": 0}\n{"step": 1}\n{"step": 1, "scores": {}}\n'


def test_tensorboard_has_every_loss(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is an extra")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, told = run(short(2), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    for name, value in told[1].losses.items():
        assert events.Scalars(f"loss/{name}")[1].value == pytest.approx(value, rel=1e-5)


def test_a_scoring_command_that_fails_is_said_and_the_run_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    judge = Judge(Held(tmp_path / "nothing", ("val",)), tmp_path, said.append)
    assert judge(tmp_path, 3) == {}
    assert "no scores at 00000003 steps: refvlm:" in said[0]


def test_answers_of_all_splits_stand_in_one_file_and_are_scored_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def ran(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        numbers = {"suites": [{"suite": "rec", "numbers": {"Acc@.5": 0.5}}]}
        (tmp_path / "evaluation" / "00000003" / "results.json").write_text(json.dumps(numbers), encoding="utf-8")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(evaluation.subprocess, "run", ran)
    monkeypatch.setattr(evaluation.shutil, "which", lambda *_, **__: "refvlm-bench")
    judge = Judge(Held(tmp_path / "data", ("val", "test")), tmp_path, print)
    assert judge(tmp_path, 3) == {"rec/Acc@.5": 0.5}
    one, other, score = asked
    assert one[one.index("--split") + 1] == "val"
    assert other[other.index("--split") + 1] == "test"
    assert one[one.index("--out") + 1] == other[other.index("--out") + 1] == score[score.index("--predictions") + 1]
    assert [score[n + 1] for n, word in enumerate(score) if word == "--split"] == ["val", "test"]


# --- several processes -----------------------------------------------------------------------------------------------


def test_deepspeed_is_told_the_batch_size_once() -> None:
    said = zero_settings(replace(recipe("stage2"), precision="bfloat16"))
    assert said["train_micro_batch_size_per_gpu"] == 4
    assert said["gradient_accumulation_steps"] == 2
    assert "train_batch_size" not in said
    assert said["bf16"] == {"enabled": True}
    assert said["zero_optimization"]["stage"] == 2


def torchrun(port: int) -> tuple[str, ...]:
    return ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(port))


def finish(process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0, said[-3000:]


@pytest.mark.slow
def test_two_processes_learn_the_same_plain_and_by_zero_2_and_3(tmp_path: Path) -> None:
    found: dict[str, list[dict[str, float]]] = {}
    for n, zero in enumerate(("0", "2", "3")):
        out = tmp_path / zero
        finish(start_run(out, {**SETTINGS, "steps": "4", "zero": zero}, launcher=torchrun(29611 + n)))
        found[zero] = losses(out)
        seen = [[int(i) for i in Path(f"{out}.rank-{rank}").read_text().split()][:12] for rank in (0, 1)]
        assert sorted(seen[0] + seen[1]) == list(range(24)), "an epoch's photos, each on one rank"
        assert load_model(out)[0].config.recipe == "smoke"
    for zero in ("2", "3"):
        for one, other in zip(found["0"], found[zero], strict=True):
            assert one == pytest.approx(other, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("zero", ["0", "2", "3"])
def test_two_processes_that_are_killed_go_on_as_if_nothing_had_happened(zero: str, tmp_path: Path) -> None:
    settings, port = {**SETTINGS, "zero": zero, "steps": "7"}, 29621 + 3 * int(zero)
    finish(start_run(tmp_path / "whole", settings, launcher=torchrun(port)))
    kill_after(start_run(tmp_path / "killed", settings, launcher=torchrun(port + 1)), "step 5")
    finish(start_run(tmp_path / "killed", settings, "resume", launcher=torchrun(port + 2)))
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")


@pytest.mark.slow
def test_zero_in_bfloat16_learns(tmp_path: Path) -> None:
    settings = {**SETTINGS, "zero": "2", "steps": "8", "precision": "bfloat16", "recompute": "true"}
    finish(start_run(tmp_path / "run", settings, launcher=torchrun(29641)))
    found = losses(tmp_path / "run")
    assert found[-1]["llm"] < found[0]["llm"]
