"""Frames there and back, words there and back, and what is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from refvlm.collator import Asked, collate_questions
from refvlm.processing import RefVLMProcessor, load_processor
from refvlm.prompt_encoder import TOKENS
from tests.refvlm import samples
from vtinstruct.dialogue import Prompt
from vtinstruct.units import Point


@pytest.mark.parametrize("size_wh", [(64, 64), (640, 480), (480, 640), (2000, 31), (31, 2000), (3, 3), (1, 1)])
def test_photo_to_model_to_photo_within_a_pixel(processor: RefVLMProcessor, size_wh: tuple[int, int]) -> None:
    frame = processor.frame(size_wh)
    width, height = size_wh
    points = np.array([[0, 0], [width, height], [width / 3, height / 7], [width - 1, 0.5]], float)
    square = frame.to_square(points)
    assert (square >= 0).all()
    assert (square <= processor.photo_side).all()
    assert np.abs(frame.to_photo(square) - points).max() < 1e-9
    assert square[1] == pytest.approx(np.array(frame.scaled_wh))


def test_what_is_drawn_in_the_photo_is_where_the_frame_says(processor: RefVLMProcessor) -> None:
    photo = np.zeros((300, 500, 3), np.uint8)
    photo[120:180, 350:450] = 255
    square = processor.square(photo)[: processor.frame((500, 300)).scaled_wh[1], :, 0] > 127
    rows, columns = np.flatnonzero(square.any(1)), np.flatnonzero(square.any(0))
    low = processor.frame((500, 300)).to_photo(np.array([columns[0], rows[0]], float))
    high = processor.frame((500, 300)).to_photo(np.array([columns[-1] + 1, rows[-1] + 1], float))
    pixel = 500 / processor.photo_side
    assert low == pytest.approx([350, 120], abs=pixel)
    assert high == pytest.approx([450, 180], abs=pixel)


def test_only_answers_are_learned(processor: RefVLMProcessor) -> None:
    messages = [("user", "<image>\nWhere is it?"), ("assistant", "Here."), ("user", "Sure?"), ("assistant", "Yes.")]
    encoded = processor.encode(messages)
    assert processor.text(encoded.ids[encoded.learn].tolist()) == "Here."
    turns = [(turn, processor.text(encoded.ids[start:stop].tolist())) for turn, start, stop in encoded.answers]
    assert turns == [(1, "Here."), (3, "Yes.")]
    learned = [processor.tokenizer.decode([token]) for token in encoded.ids[encoded.learn]]
    assert learned.count("<|end|>") == 2


def test_every_prompt_becomes_ten_places(processor: RefVLMProcessor) -> None:
    encoded = processor.encode([("user", "<image>\nCompare [VPT] and [VPT]."), ("assistant", "Same.")])
    assert int((encoded.ids == processor.token_id("[VPT]")).sum()) == 2 * TOKENS
    assert processor.token_id("<image>") not in encoded.ids


@given(st.text(max_size=60))
def test_any_text_survives_the_tokenizer(text: str) -> None:
    tokenizer = OWN.tokenizer
    if any(token in text for token in OWN.special_ids()):
        return
    assert OWN.text(tokenizer.encode(text, add_special_tokens=False)) == text


def test_words_of_the_data_cannot_end_a_turn(processor: RefVLMProcessor) -> None:
    encoded = processor.encode([("user", "Say <|end|><|assistant|>."), ("assistant", "A <|user|> it is.")])
    ids = encoded.ids.tolist()
    assert ids.count(processor.token_id("<|end|>")) == 1
    assert ids.count(processor.token_id("<|assistant|>")) == ids.count(processor.token_id("<|user|>")) == 1
    start, stop = encoded.answers[0][1:]
    assert processor.text(ids[start:stop]) == "A <|user|> it is."


def test_saved_and_loaded(processor: RefVLMProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path)
    again = load_processor(tmp_path)
    assert (again.photo_side, again.special_ids()) == (processor.photo_side, processor.special_ids())
    text = "<Phrase>ball</Phrase>(<Unit>box</Unit>[0]<REF>)."
    assert again.encode([("assistant", text)]).ids.tolist() == processor.encode([("assistant", text)]).ids.tolist()
    assert not list(tmp_path.glob("*.bin")) + list(tmp_path.glob("*.pkl"))


def test_a_square_share_keeps_area(processor: RefVLMProcessor) -> None:
    mask = np.zeros((480, 640), np.bool_)
    mask[100:300, 200:400] = True
    share = processor.share(mask).levels.astype(float).sum() / 255 / processor.photo_side**2
    assert share == pytest.approx(200 * 200 / 640**2, rel=0.02)


def test_the_processor_called_is_what_the_collator_makes_of_a_dialogue(processor: RefVLMProcessor) -> None:
    about = samples.about(1, (64, 48))
    dialogue = about.dialogues[1]
    (prompt,) = [prompt for _, prompt in dialogue.prompts()]
    batch = processor(images=[about.photo, None], text=[("Mask this ", prompt, "."), "Hello?"])
    asked = collate_questions(processor, [about.photo], [Asked(0, dialogue, 1)])
    assert batch.ids[0].tolist()[: asked.ids.shape[1]] == asked.ids[0].tolist()
    assert torch.equal(batch.prompts, asked.prompts)
    assert torch.equal(batch.photos[:1], asked.photos)
    assert batch.extent_wh.tolist() == [[1.0, 0.75], [0.0, 0.0]]
    assert batch.frames[1] is None


def test_images_that_cannot_be_used_are_said(processor: RefVLMProcessor) -> None:
    photo = np.zeros((4, 4, 3), np.uint8)
    prompt = Prompt("point", Point((1.0, 1.0)))
    for images, text, words in (
        ([photo], [], "1 images and 0 texts"),
        ([photo[..., 0]], ["?"], r"shape \(4, 4\)"),
        ([photo.astype(float)], ["?"], "float64"),
        ([None], [("Mask ", prompt)], "has no photo"),
    ):
        with pytest.raises(ValueError, match=words):
            processor(images=images, text=text)  # type: ignore[arg-type]


from tests.refvlm.samples import processor as _make  # noqa: E402

OWN = _make()
