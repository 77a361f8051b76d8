"""`RefVLMProcessor`: photos, words and marks in, what the model eats out. The only place where pixels change frame.

A photo is scaled to fit a square and padded right and below (`vtinstruct.geometry.Letterbox`); a dialogue becomes token ids
with every `[VPT]` expanded to the prompt encoder's embeddings, and a mask of the tokens to learn: answers only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoProcessor, AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast, ProcessorMixin

from refvlm.config import RefVLMConfig
from refvlm.prompt_encoder import TOKENS
from vtinstruct.geometry import Letterbox
from vtinstruct.trp import IMAGE, SPECIAL_TOKENS, VPT
from vtinstruct.units import UNIT_KINDS

PAD, USER, ASSISTANT, END = "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"
MARKS = (*SPECIAL_TOKENS, VPT, IMAGE)  # in this order in every tokenizer
_PREFIX = f"{IMAGE}\n"
_CUT = re.compile("(" + "|".join(re.escape(token) for token in MARKS) + ")")


@dataclass(frozen=True)
class Encoded:
    """A dialogue's tokens: `ids`, which of them are to be learned, and the turn each assistant span answers.

    `answers` are (turn, start, stop): the ids of that turn's answer with its end token.
    """

    ids: NDArray[np.int64]
    learn: NDArray[np.bool_]
    answers: tuple[tuple[int, int, int], ...]


class RefVLMProcessor(ProcessorMixin):
    """A tokenizer with the TRP marks, and the square photos are put in (`photo_side` pixels)."""

    attributes = ["tokenizer"]  # noqa: RUF012  (read by ProcessorMixin)
    tokenizer_class = "AutoTokenizer"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, photo_side: int = 160, **kwargs: Any) -> None:
        super().__init__(tokenizer, **kwargs)
        self.photo_side = photo_side

    # --- photos -------------------------------------------------------------------------------------------------

    def frame(self, size_wh: tuple[int, int]) -> Letterbox:
        """Where a photo of that size stands in the square."""
        return Letterbox(size_wh, self.photo_side)

    def square(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A photo (H, W, 3) scaled into the square, (side, side, 3), padding grey."""
        frame = self.frame((photo.shape[1], photo.shape[0]))
        width, height = frame.scaled_wh
        if (width, height) != frame.size_wh:
            photo = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR))
        square = np.full((self.photo_side, self.photo_side, 3), 128, np.uint8)
        square[:height, :width] = photo
        return square

    def square_share(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """How much of every pixel of the square a mask (H, W) covers, (side, side), 0..255. A mask with any pixel keeps
        some weight however much its photo shrinks."""
        frame = self.frame((mask.shape[1], mask.shape[0]))
        width, height = frame.scaled_wh
        levels = mask.astype(np.uint8) * 255
        if (width, height) != frame.size_wh:
            levels = np.asarray(Image.fromarray(levels).resize((width, height), Image.Resampling.BOX))
            if mask.any() and not levels.any():  # smaller than 1/510 of one square pixel: keep the one it lies in
                row, column = np.argwhere(mask).mean(0)
                levels = np.zeros_like(levels)
                levels[int(row * height / mask.shape[0]), int(column * width / mask.shape[1])] = 1
        square = np.zeros((self.photo_side, self.photo_side), np.uint8)
        square[:height, :width] = levels
        return square

    def extent(self, size_wh: tuple[int, int]) -> tuple[float, float]:
        """The share of the square (width, height) that a photo of that size fills."""
        width, height = self.frame(size_wh).scaled_wh
        return width / self.photo_side, height / self.photo_side

    # --- words --------------------------------------------------------------------------------------------------

    def encode(self, messages: Sequence[tuple[str, str]]) -> Encoded:
        """Tokens of (role, content) messages. `<image>` is not among them: the photo's tokens stand before all."""
        ids: list[int] = []
        learn: list[bool] = []
        answers: list[tuple[int, int, int]] = []
        end = self.token_id(END)
        for turn, (role, content) in enumerate(messages):
            if role == "user":
                words = [self.token_id(USER), *self._words(content.removeprefix(_PREFIX)), self.token_id(ASSISTANT)]
                taught = False
            else:
                words, taught = [*self._words(content), end], True
                answers.append((turn, len(ids), len(ids) + len(words)))
            ids += words
            learn += [taught] * len(words)
        return Encoded(np.asarray(ids, np.int64), np.asarray(learn, np.bool_), tuple(answers))

    def _words(self, text: str) -> list[int]:
        """Only TRP's own marks are tokens of their own: words of the data that look like ours stay words."""
        found: list[int] = []
        for index, piece in enumerate(_CUT.split(text)):
            if index % 2:
                found += [self.token_id(piece)] * (TOKENS if piece == VPT else 1)
            elif piece:
                found += self.tokenizer.encode(piece, add_special_tokens=False, split_special_tokens=True)
        return found

    def token_id(self, token: str) -> int:
        """The id of a mark; every one of ours has exactly one."""
        return int(self.tokenizer.convert_tokens_to_ids(token))  # type: ignore[arg-type]

    def text(self, ids: Sequence[int]) -> str:
        """Generated ids as TRP text, up to and without the end token."""
        end = self.token_id(END)
        ids = list(ids)
        stop = ids.index(end) if end in ids else len(ids)
        return str(self.tokenizer.decode(ids[:stop], skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def special_ids(self) -> dict[str, Any]:
        """What the model must know of the tokenizer (`RefVLMConfig.special_ids`)."""
        found: dict[str, Any] = {token: self.token_id(token) for token in (*MARKS, PAD, USER, ASSISTANT, END)}
        found["units"] = {kind: self.tokenizer.encode(kind, add_special_tokens=False) for kind in UNIT_KINDS}
        return found


# Words with the space before them, "[0]" and runs of punctuation whole: TRP answers come out short.
_PIECES = r"\[\d+\]| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}\[]+|\s|\["


def learn_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerBase:
    """A byte-level BPE tokenizer of at most `size` tokens learned from `texts`, with our marks. Any text survives it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    specials = [PAD, USER, ASSISTANT, END, *MARKS]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces = (piece for text in texts for piece in _CUT.split(text)[::2])
    tokenizer.train_from_iterator((*(f"{kind}" for kind in UNIT_KINDS), *pieces), trainer)
    tokenizer.add_special_tokens(specials)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, clean_up_tokenization_spaces=False
    )


def load_processor(folder: Path) -> RefVLMProcessor:
    """The processor of a checkpoint folder. Reads JSON only."""
    found = RefVLMProcessor.from_pretrained(str(folder), local_files_only=True)
    assert isinstance(found, RefVLMProcessor)
    return found


AutoProcessor.register(RefVLMConfig, RefVLMProcessor)
_ = AutoTokenizer  # the class ProcessorMixin loads by name
