"""Training: one loop that reads top to bottom. Its parts are in `refvlm.training`, one a file."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from refvlm.collator import Collator
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.recipes import Recipe
from refvlm.training.begin import begin
from refvlm.training.checkpoint import State, begin_run, newest, read_memory, save, write_checkpoint
from refvlm.training.engine import Engine, TorchEngine
from refvlm.training.feed import Fed, Store, feed
from refvlm.training.logbook import Logbook, Progress, Report, Say, Tally
from refvlm.training.ranks import Ranks, joined
from refvlm.training.schedule import Clock, is_due, rate_at, share_over
from refvlm.training.zero import ZeroEngine

SCORED = "scored"  # the checkpoint that held-out photos are answered with on the way
HOPELESS = 100  # batches in a row without a finite loss or gradient: the run will not recover
Judge = Callable[[Path, int], dict[str, float]]  # a checkpoint folder and the steps it has had, to held-out scores


def train(
    recipe: Recipe, store: Store, out: Path, report: Report, *, start: Path | None = None, resume: bool = False,
    judge: Judge | None = None, say: Say = print,
) -> RefVLMForConditionalGeneration:  # fmt: skip
    """Run a recipe on a store's photos; leaves the checkpoint and `losses.jsonl` in `out`.

    `start` is a checkpoint folder to begin from (random weights otherwise). `resume` goes on from the last checkpoint in
    `out` as if nothing had happened. `judge` scores held-out photos every `recipe.evaluate` steps and at the end. Raises
    `NothingToLearn`, `ResumeError`, `RecipeError`, `LossError`: one line each.
    """
    with joined(together=recipe.zero > 0) as ranks:
        recipe = begin_run(out, recipe, store, ranks, start, resume)
        found = newest(out)
        model, processor = begin(recipe, store, start, found, ranks)
        engine = ZeroEngine(model, recipe, ranks) if recipe.zero else TorchEngine(model, recipe, ranks)
        state = read_memory(found, engine, ranks) if found else State()
        kinds = {kind: type(model.decoder(kind)) for kind in model.decoders}
        collator = Collator(processor, kinds, store.load_depth, recipe.max_length, every_kind=ranks.world > 1)
        batches = feed(recipe, store, collator, ranks.rank, ranks.world, state.place)
        clock, begun = Clock(state.seconds), state.step
        with Logbook(out, begun, report, say, ranks.is_first) as log:
            while (share := ranks.of_first(share_over(recipe, state.step, clock.seconds))) < 1:
                with clock.stopped():
                    if is_due(state.step, recipe.save, begun):
                        write_checkpoint(out, state, engine, ranks)
                    if judge and is_due(state.step, recipe.evaluate):
                        save(engine, processor, out / SCORED, ranks)
                        if ranks.is_first:
                            log.scores(state.step, judge(out / SCORED, state.step))
                        ranks.wait()
                rate = rate_at(recipe, state.step, share)
                losses, norm = learn(engine, batches, state, recipe, ranks, rate)
                state.seconds = clock.seconds
                log.step(Progress(state.step, share, rate, losses, norm, state.photos, state.dialogues, state.skipped,
                                  state.empty, collator.too_long, state.seconds))  # fmt: skip
                state.step += 1
            save(engine, processor, out, ranks)
            shutil.rmtree(out / SCORED, ignore_errors=True)
            if judge and ranks.is_first:
                log.scores(state.step, judge(out, state.step))
        return engine.model.eval()


def learn(
    engine: Engine, batches: Iterator[Fed], state: State, recipe: Recipe, ranks: Ranks, rate: float
) -> tuple[dict[str, float], float | None]:
    """One step, counted in `state`; its losses and the gradients' norm, None when that was not finite and no step was
    taken. A batch whose loss is not finite on some rank is left out on all, and the next takes its place."""
    tally = Tally()
    while tally.batches < recipe.accumulate:
        fed = next(batches)
        tally.empty += fed.place - state.place - 1  # passed over: no photo of them could be used
        state.place = fed.place
        output = engine.forward(fed.batch.to(ranks.device), last=tally.batches + 1 == recipe.accumulate)
        if ranks.every(bool(torch.isfinite(output.loss))):
            engine.backward(output.loss)
            tally.add(fed.batch, output.losses)
        else:
            state.skip(HOPELESS)
    norm = engine.step(rate)
    losses, photos, dialogues, empty = tally.over(ranks)
    state.photos, state.dialogues = state.photos + photos, state.dialogues + dialogues
    state.empty += empty
    if math.isfinite(norm):
        state.in_a_row = 0
        return losses, norm
    state.skip(HOPELESS)
    return losses, None
