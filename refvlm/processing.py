"""`RefVLMProcessor`: photos, words and marks in, what the model eats out. The only place where pixels change frame.

A photo is scaled to fit a square and padded right and below (`vtinstruct.geometry.Letterbox`); a dialogue becomes token ids
with every `[VPT]` expanded to the prompt encoder's embeddings, and a mask of the tokens to learn: answers only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoProcessor, AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast, ProcessorMixin

from refvlm.batch import Batch, padded
from refvlm.config import RefVLMConfig
from refvlm.prompt_encoder import TOKENS
from refvlm.share import Share, share_of_mask, squares_of
from vtinstruct.dialogue import Parts, Prompt
from vtinstruct.geometry import Letterbox
from vtinstruct.prompts import prompt_mask
from vtinstruct.trp import IMAGE, SPECIAL_TOKENS, VPT, render_question
from vtinstruct.units import UNIT_KINDS

PAD, USER, ASSISTANT, END = "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"
MARKS = (*SPECIAL_TOKENS, VPT, IMAGE)  # in this order in every tokenizer
_PREFIX = f"{IMAGE}\n"
GREY = 128  # where a square shows no photo
GUARD = "\n"  # what is put before words so that their first space is seen
_CUT = re.compile("(" + "|".join(re.escape(token) for token in MARKS) + ")")


@dataclass(frozen=True)
class Encoded:
    """A dialogue's tokens: `ids`, which of them are to be learned, and the turn each assistant span answers.

    `answers` are (turn, start, stop): the ids of that turn's answer with its end token.
    """

    ids: NDArray[np.int64]
    learn: NDArray[np.bool_]
    answers: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Question:
    """What is to be answered: `photo` number of the batch, the (role, content) messages so far, the last of them the
    user's, and the prompts that its `[VPT]`s stand for."""

    photo: int
    messages: Sequence[tuple[str, str]]
    prompts: Sequence[Prompt] = ()


class RefVLMProcessor(ProcessorMixin):
    """A tokenizer with the TRP marks, the square photos are put in (`photo_side` pixels), and whether answers are taught,
    and so written, with TRP's plan block in front (`plan`).

    `processor(images=[photo], text=["Where is the dog?"])` is a `Batch` for `model.generate`; `text(ids)` reads an answer.
    """

    attributes = ["tokenizer"]  # noqa: RUF012  (read by ProcessorMixin)
    tokenizer_class = "AutoTokenizer"

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, photo_side: int = 160, plan: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(tokenizer, **kwargs)
        self.photo_side, self.plan = photo_side, plan
        # Some tokenizers (Llama's) make no difference between a text that begins with a space and one that does not.
        texts = ["a", " a"]
        self.eats_spaces = any(self._plain(ids) != text for ids, text in zip(self._pieces(texts), texts, strict=True))

    # --- questions ----------------------------------------------------------------------------------------------

    def __call__(  # type: ignore[override]  (one way in: what the model eats)
        self, images: Sequence[NDArray[np.uint8] | Image.Image | None], text: Sequence[str | Parts]
    ) -> Batch:
        """One question about each photo (None: a question without a photo). A question is a string, or parts with
        `Prompt`s among them. Raises `ValueError` when there are not as many texts as images."""
        if len(images) != len(text):
            raise ValueError(f"{len(images)} images and {len(text)} texts; one text an image is right")
        photos = [None if image is None else as_rgb(image) for image in images]
        parts = [(said,) if isinstance(said, str) else said for said in text]
        return self.questions(
            photos,
            [
                Question(n, [("user", render_question(said))], [p for p in said if isinstance(p, Prompt)])
                for n, said in enumerate(parts)
            ],
        )

    def questions(self, photos: Sequence[NDArray[np.uint8] | None], asked: Sequence[Question]) -> Batch:
        """A batch for generation: one row per question, nothing to be learned."""
        frames = [None if photo is None else self.frame((photo.shape[1], photo.shape[0])) for photo in photos]
        rows = [self.encode(question.messages).ids for question in asked]
        shares: list[Share] = []
        owner: list[int] = []
        for question in asked:
            frame = frames[question.photo]
            if question.prompts and frame is None:
                raise ValueError(f"question {question.messages[-1][1]!r:.60} marks places of a photo, and has no photo")
            for prompt in question.prompts if frame else ():
                shares.append(self.prompt_share(prompt, frame.size_wh))  # type: ignore[union-attr]
                owner.append(question.photo)
        ids = padded(rows, self.pad_id)
        index = torch.arange(ids.shape[1])
        return Batch(
            photos=self.squares(photos),
            extent_wh=self.extents(frames),
            owner=torch.tensor([question.photo for question in asked], dtype=torch.long),
            ids=ids,
            segments=(index < torch.tensor([len(row) for row in rows])[:, None]).long(),
            places=index.expand(len(rows), -1),
            labels=torch.full_like(ids, -100),
            prompts=torch.from_numpy(squares_of(shares, self.photo_side)),
            prompt_owner=torch.tensor(owner, dtype=torch.long),
            references={},
            frames=tuple(frames),
        )

    # --- photos -------------------------------------------------------------------------------------------------

    def frame(self, size_wh: tuple[int, int]) -> Letterbox:
        """Where a photo of that size stands in the square."""
        return Letterbox(size_wh, self.photo_side)

    def square(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A photo (H, W, 3) scaled into the square, (side, side, 3), padding grey."""
        return self.squares([photo])[0].numpy()

    def share(self, mask: NDArray[np.bool_]) -> Share:
        """How much of every pixel of the square a mask (H, W) of a photo of that size covers."""
        return share_of_mask(mask, self.frame((mask.shape[1], mask.shape[0])))

    def squares(self, photos: Sequence[NDArray[np.uint8] | None]) -> Tensor:
        """Photos as one tensor (P, side, side, 3) uint8; grey where there is none."""
        # NumPy asks the system for large pages, torch does not; a third of the time of touching fresh memory.
        found = torch.from_numpy(np.empty((len(photos), self.photo_side, self.photo_side, 3), np.uint8))
        for square, photo in zip(found, photos, strict=True):
            width = height = 0
            if photo is not None:
                frame = self.frame((photo.shape[1], photo.shape[0]))
                width, height = frame.scaled_wh
                square[:height, :width] = _scaled(photo, frame)
            square[height:] = GREY
            square[:height, width:] = GREY
        return found

    def extents(self, frames: Sequence[Letterbox | None]) -> Tensor:
        """The share of the square (width, height) that each photo fills, (P, 2); (0, 0) where there is none."""
        sizes = [(0, 0) if frame is None else frame.scaled_wh for frame in frames]
        return torch.tensor(sizes, dtype=torch.float32).reshape(-1, 2) / self.photo_side

    def prompt_share(self, prompt: Prompt, size_wh: tuple[int, int]) -> Share:
        """How much of the square's pixels a prompt covers."""
        return self.share(prompt_mask(prompt, size_wh))

    # --- words --------------------------------------------------------------------------------------------------

    def encode(self, messages: Sequence[tuple[str, str]]) -> Encoded:
        """Tokens of (role, content) messages. `<image>` is not among them: the photo's tokens stand before all."""
        ids: list[int] = []
        learn: list[bool] = []
        answers: list[tuple[int, int, int]] = []
        end = self.end_id
        said = self._words([content.removeprefix(_PREFIX) if role == "user" else content for role, content in messages])
        for turn, ((role, _), words) in enumerate(zip(messages, said, strict=True)):
            taught = role != "user"
            if role == "user":
                words = [self.token_id(USER), *words, self.token_id(ASSISTANT)]
            else:
                words.append(end)
                answers.append((turn, len(ids), len(ids) + len(words)))
            ids += words
            learn += [taught] * len(words)
        return Encoded(np.asarray(ids, np.int64), np.asarray(learn, np.bool_), tuple(answers))

    def _words(self, texts: Sequence[str]) -> list[list[int]]:
        """Only TRP's own marks are tokens of their own: words of the data that look like ours stay words."""
        cuts = [_CUT.split(text) for text in texts]
        plain = iter(self._encode([piece for cut in cuts for piece in cut[::2] if piece]))
        found: list[list[int]] = []
        for cut in cuts:
            found.append([])
            for index, piece in enumerate(cut):
                if index % 2:
                    found[-1] += [self.token_id(piece)] * (TOKENS if piece == VPT else 1)
                elif piece:
                    found[-1] += next(plain)
        return found

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Words as tokens, with the spaces they have: no more, no less."""
        if not self.eats_spaces:
            return self._pieces(texts)
        guard, *found = self._pieces([GUARD, *(GUARD + text for text in texts)])
        return [
            ids[len(guard) :] if ids[: len(guard)] == guard else self._pieces([text])[0]
            for text, ids in zip(texts, found, strict=True)
        ]

    def _pieces(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        return list(self.tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def _decode(self, ids: list[int]) -> str:
        if not self.eats_spaces:
            return self._plain(ids)
        return self._plain([*self._pieces([GUARD])[0], *ids]).removeprefix(GUARD)

    def _plain(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def token_id(self, token: str) -> int:
        """The id of a mark; every one of ours has exactly one."""
        return int(self.tokenizer.convert_tokens_to_ids(token))  # type: ignore[arg-type]

    @property
    def end_id(self) -> int:
        """The id that ends an answer: the tokenizer's own end of text, which a pretrained LLM already knows."""
        return int(self.tokenizer.eos_token_id)

    @property
    def pad_id(self) -> int:
        """The id that fills rows up: the tokenizer's own, or else `end_id`."""
        pad = self.tokenizer.pad_token_id
        return self.end_id if pad is None else int(pad)

    def text(self, ids: Sequence[int]) -> str:
        """Generated ids as TRP text, up to and without the end token; inverse of how `encode` made them.

        Words between marks are decoded by themselves, as they were encoded.
        """
        marks = {self.token_id(token): token for token in (*MARKS, USER, ASSISTANT)}
        found: list[str] = []
        for mark, run in groupby(takewhile(self.end_id.__ne__, ids), marks.get):
            words = list(run)
            found.append(mark * len(words) if mark else self._decode(words))
        return "".join(found)

    def special_ids(self) -> dict[str, Any]:
        """What the model must know of the tokenizer (`RefVLMConfig.special_ids`)."""
        found: dict[str, Any] = {token: self.token_id(token) for token in (*MARKS, USER, ASSISTANT)}
        found |= {END: self.end_id, PAD: self.pad_id}
        return found | {"units": dict(zip(UNIT_KINDS, self._encode(UNIT_KINDS), strict=True))}


def _scaled(photo: NDArray[np.uint8], frame: Letterbox) -> Tensor:
    """A photo (H, W, 3) as its frame scales it. Pillow's bilinear filter, by torch: four times as fast, and at most one of
    256 levels away."""
    pixels = torch.from_numpy(np.require(photo, requirements="W"))
    if frame.scaled_wh == frame.size_wh:
        return pixels
    # The axis of one before the permutation: torch then sees that colours lie together, and takes a third of the time.
    planes = pixels[None].permute(0, 3, 1, 2)
    found = F.interpolate(planes, frame.scaled_wh[::-1], mode="bilinear", antialias=True, align_corners=False)
    return found[0].permute(1, 2, 0)


def as_rgb(image: NDArray[np.uint8] | Image.Image) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) uint8. Raises `ValueError` for an array of another shape or type."""
    found = np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
    if found.ndim != 3 or found.shape[2] != 3 or found.dtype != np.uint8 or 0 in found.shape:
        raise ValueError(f"an image of shape {found.shape} and type {found.dtype}; (height, width, 3) uint8 is right")
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
