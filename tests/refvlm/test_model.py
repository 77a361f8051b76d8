"""The whole model: packing changes nothing, batches say what their members say alone, everything is saved."""

from __future__ import annotations

import torch

from refvlm.batch import Batch
from refvlm.collator import Collator, Seen
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.processing import RefVLMProcessor
from tests.refvlm import samples

SIZE = (64, 48)


def states_of(model: RefVLMForConditionalGeneration, batch: Batch) -> torch.Tensor:
    """The LLM's states (R, T, D) of a packed batch."""
    sights = model.see(batch.photos, batch.extent_wh)
    return model.read(batch, sights, model.embed(batch, sights))


@torch.no_grad()
def test_packing_changes_the_cost_and_not_the_result(model: RefVLMForConditionalGeneration, collator: Collator) -> None:
    photos = [samples.about(1, SIZE), samples.about(2, (48, 64))]
    packed = collator(photos)
    states = states_of(model, packed)
    for row, item in enumerate(photos):
        start = 0
        for dialogue in item.dialogues:
            alone = collator([Seen(item.photo, [dialogue])])
            one = states_of(model, alone)[0]
            assert torch.allclose(one, states[row, start : start + len(one)], atol=2e-5)
            start += len(one)


@torch.no_grad()
def test_dialogues_attend_as_in_plain_causal_attention(
    model: RefVLMForConditionalGeneration, collator: Collator
) -> None:
    """The packed batch against the LLM's own attention over one photo and one dialogue, with no mask of ours."""
    seen = [samples.about(1, SIZE), samples.about(2, (48, 64))]
    packed = collator(seen)
    states = states_of(model, packed)
    for row in range(2):
        alone = model.see(packed.photos[row : row + 1], packed.extent_wh[row : row + 1])
        words = model.embed(packed, model.see(packed.photos, packed.extent_wh))[row]
        raster = alone.prompt_map.shape[-2] * alone.prompt_map.shape[-1]
        for number in range(1, int(packed.segments[row].max()) + 1):
            mine = packed.segments[row] == number
            plain = model.llm.get_decoder()(
                inputs_embeds=torch.cat((alone.tokens[0], words[mine]))[None],
                position_ids=torch.cat((alone.token_places, packed.places[row][mine] + raster))[None],
            ).last_hidden_state[0, alone.tokens.shape[1] :]
            assert torch.allclose(states[row][mine], plain, atol=2e-5)


def test_every_loss_is_finite_and_every_part_learns(model: RefVLMForConditionalGeneration, collator: Collator) -> None:
    output = model.train()(collator([samples.about(n, SIZE) for n in range(3)]))
    assert {name.split(".")[0] for name in output.losses} == {"llm", "box", "mask", "keypoint", "depth"}
    assert all(torch.isfinite(value) for value in output.losses.values())
    output.loss.backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # encoder 1 is read at its last layer but one, so the last one and what follows it learn nothing
    idle = [name for name in idle if not name.startswith("vision.vision.")]
    assert not idle, idle


def test_batches_without_references_and_without_photos(
    model: RefVLMForConditionalGeneration, collator: Collator
) -> None:
    words = Seen(samples.about(1, SIZE).photo, [samples.about(1, SIZE).dialogues[5]])
    chat = Seen(None, [samples.dialogue(7, ("Hello?",), ("Hello.",), None)])
    output = model.train()(collator([words, chat, samples.about(2, SIZE)]))
    assert torch.isfinite(output.loss)
    assert set(model(collator([words, chat])).losses) == {"llm"}


def test_references_are_as_many_as_the_text_says_and_scores_are_probabilities(
    talker: RefVLMForConditionalGeneration, processor: RefVLMProcessor
) -> None:
    photos = [samples.about(n, SIZE) for n in range(2)]
    for answer in samples.answers(talker, processor, photos, [(p, d) for p in range(2) for d in range(7)]):
        assert len(answer.units) == answer.ids.count(processor.token_id("<REF>"))
        assert all(unit is None or 0 <= unit.score <= 1 for unit in answer.units)
