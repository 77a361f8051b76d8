"""`RefVLMForConditionalGeneration`: sees photos, reads and writes TRP, decodes every `<REF>` it writes.

    photo -> encoder 2 -> maps -------------------------------+-> decoders[unit] -> boxes, masks, poses, depth
          -> encoder 1 (or a map) -> projector -+             |      ^ hidden state of <REF>, by the unit written
    marks -> prompt encoder -> projector -------+-> LLM ------+------+-> words

Paper: REF-VLM (arXiv 2503.07413), sections 3.1 to 3.3.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoBackbone, AutoModel, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from refvlm import generation
from refvlm.attention import NAME, layout
from refvlm.batch import Batch
from refvlm.checkpoints import CheckpointError, check_folder
from refvlm.config import RefVLMConfig
from refvlm.decoders._contract import Decoder
from refvlm.decoders._locator import heat_targets
from refvlm.prompt_encoder import PromptEncoder
from refvlm.vision import DenseEncoder, Maps, Pixels, TokenEncoder, valid_cells
from vtinstruct.plugins import load


@dataclass(frozen=True)
class Output:
    """`loss` is the weighted sum of `losses`, every part by name ("llm", "box.giou", ...); `logits` (L, vocabulary) of the L
    learned positions only, in row-major order."""

    loss: Tensor
    losses: dict[str, Tensor]
    logits: Tensor


@dataclass(frozen=True)
class Sights:
    """A batch's photos as the model sees them: maps for the decoders, tokens (P, n, D) for the LLM, which of them show
    the photo, their places (n,) in the raster, and the map (P, C, g, g) that prompts are pooled from."""

    maps: Maps
    tokens: Tensor
    token_valid: Tensor
    token_places: Tensor
    prompt_map: Tensor


class RefVLMForConditionalGeneration(PreTrainedModel):
    """See the module. Built from a config alone (random weights) or by `from_pretrained` (safetensors only)."""

    config: RefVLMConfig
    config_class = RefVLMConfig
    main_input_name = "batch"
    _supports_sdpa = True
    input_modalities = ["image", "text"]  # noqa: RUF012  (read by transformers)

    def __init__(self, config: RefVLMConfig, llm: Any = None, dense: Any = None, vision: Any = None) -> None:
        """`llm`, `dense` and `vision` are ready sub-models to be used instead of new ones with random weights."""
        super().__init__(config)
        self.dense = DenseEncoder(
            dense or _new(AutoBackbone, config.dense_config, out_features=STAGES),
            Pixels(config.dense_mean, config.dense_std),
            config.neck_width,
            config.pixel_width,
            tokens=config.vision_config is None,
        )
        seen = config.neck_width
        self.vision: TokenEncoder | None = None
        if config.vision_config is not None:
            self.vision = TokenEncoder(
                vision or _new(AutoModel, config.vision_config),
                Pixels(config.vision_mean, config.vision_std),
                config.vision_side,
                config.vision_layer,
            )
            seen = int(config.vision_config.hidden_size)  # type: ignore[union-attr]
        self.llm = llm or _new(AutoModelForCausalLM, config.text_config)
        self.llm.set_attn_implementation(NAME)
        width = config.hidden_size
        self.projector = nn.Sequential(nn.Linear(seen, width), nn.GELU(), nn.Linear(width, width))
        self.prompts = PromptEncoder(seen, told=config.prompt_geometry)
        self.decoders = nn.ModuleDict(
            {
                kind: _new_decoder(kind, settings, width, config.neck_width, config.pixel_width)
                for kind, settings in (config.decoders or {}).items()
            }
        )
        self.post_init()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **settings: Any) -> Any:
        """A model from a folder that `save_pretrained` wrote, or from the Hub: safetensors only. Raises `CheckpointError`."""
        if settings.pop("use_safetensors", True) is False:
            raise CheckpointError("use_safetensors=False asks for a pickle, which is never read")
        folder = Path(pretrained_model_name_or_path)
        if folder.exists() or settings.get("local_files_only"):
            check_folder(folder / settings.get("subfolder", ""))
        return super().from_pretrained(pretrained_model_name_or_path, *args, use_safetensors=True, **settings)

    def _init_weights(self, module: nn.Module) -> None:
        # Parts built from transformers classes initialise themselves; ours are torch's own layers with torch's own
        # initialisation, which their constructors have done.
        return None

    def get_input_embeddings(self) -> nn.Module:
        return self.llm.get_input_embeddings()

    # --- seeing -------------------------------------------------------------------------------------------------

    def see(self, photos: Tensor, extent_wh: Tensor) -> Sights:
        """Photos (P, S, S, 3) uint8 -> everything that is computed once per photo."""
        maps = self.dense(photos, extent_wh)
        prompt_map = maps.tokens if self.vision is None else self.vision(photos)  # (P, C, g, g)
        return self.sights(maps, prompt_map, self.projector(prompt_map.flatten(2).transpose(1, 2)))

    @staticmethod
    def sights(maps: Maps, prompt_map: Tensor, tokens: Tensor) -> Sights:
        """Of the projected cells `tokens` (P, g*g, D), those that some photo of the batch fills: the others cost nothing."""
        extent_wh = maps.extent_wh
        valid = (valid_cells(extent_wh, *prompt_map.shape[-2:]) & (extent_wh[:, :1, None] > 0)).flatten(1)
        used = valid.any(0)
        return Sights(maps, tokens[:, used], valid[:, used], used.nonzero()[:, 0], prompt_map)

    def embed(self, batch: Batch, sights: Sights) -> Tensor:
        """Token embeddings (R, T, D), with the prompt encoder's in place of the `[VPT]`s."""
        found = self.get_input_embeddings()(batch.ids)
        masks = batch.prompts.float() / 255  # (V, S, S), the share of each pixel that is marked
        marks = self.prompts(masks, sights.prompt_map, batch.prompt_owner, batch.extent_wh)  # (V, 10, C)
        marks = self.projector(marks).flatten(0, 1).to(found.dtype)  # (V * 10, D)
        slots = batch.ids == self.config.special_ids["[VPT]"]  # type: ignore[index]  # (R, T)
        return found.masked_scatter(slots[..., None], marks)

    # --- learning -----------------------------------------------------------------------------------------------

    def forward(self, batch: Batch) -> Output:
        """Losses of a training batch; see `Batch` for shapes."""
        sights = self.see(batch.photos, batch.extent_wh)
        hidden = self.read(batch, sights, self.embed(batch, sights))  # (R, T, D)
        words, logits = self.word_loss(batch, hidden)
        losses = {"llm": words}
        if self.config.naming:
            losses |= self.naming_loss(batch, sights)
        for kind in batch.references:
            losses |= self.unit_losses(kind, batch, sights, hidden)
        loss = torch.stack([self.weight_of(name) * value.float() for name, value in losses.items()]).sum()
        return Output(loss, losses, logits)

    def word_loss(self, batch: Batch, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross entropy of the words to be said, from the states (R, T, D), and their logits (L, vocabulary)."""
        learned = batch.labels >= 0  # (R, T), L of them
        logits = self.llm.get_output_embeddings()(hidden[learned]).float()  # (L, vocabulary)
        count = learned.sum().clamp(min=1)
        return F.cross_entropy(logits, batch.labels[learned], reduction="sum") / count, logits

    def unit_losses(self, kind: str, batch: Batch, sights: Sights, hidden: Tensor) -> dict[str, Tensor]:
        """The losses of a decoder, by full name ("box.giou"), from the states (R, T, D) of its references."""
        decoder, refs = self.decoder(kind), batch.references[kind]
        queries = hidden[refs.rows, refs.columns]  # (N, D)
        outputs = decoder(queries, sights.maps.pick(batch.owner[refs.rows]))
        parts = decoder.loss(outputs, refs.targets, refs.groups)
        return {f"{kind}.{name}": value for name, value in parts.items()}

    def weight_of(self, name: str) -> float:
        """The weight of a loss ("llm", "box.giou"): its own, its unit's, or that of all units."""
        unit, _, part = name.partition(".")
        given = self.config.loss_weights or {}
        return float(given.get(name, given.get(unit, self.config.unit_weight if part else 1.0)))

    def naming_loss(self, batch: Batch, sights: Sights) -> dict[str, Tensor]:
        """A photo's token in the middle of a thing should already say its name through the LLM's own output head.

        Ties encoder 1's tokens to words from the first step: without it the LLM learns to read a photo many times later.
        """
        height, width = sights.prompt_map.shape[-2:]
        llm: Any = self.llm
        logits = llm.get_output_embeddings()(llm.get_decoder().norm(sights.tokens)).float()  # (P, n, vocabulary)
        whole = logits.logsumexp(-1)  # (P, n)
        total, count = logits.new_zeros(()), 0
        for refs in batch.references.values():
            if "corners" not in refs.targets:
                continue
            owner = batch.owner[refs.rows]  # (N,)
            aims = heat_targets(refs.targets["corners"], batch.extent_wh[owner], height, width)  # (N, g*g)
            aims = aims[:, sights.token_places]  # (N, n)
            known = refs.words >= 0  # (N, W)
            cells = torch.arange(aims.shape[1], device=owner.device)[None, :, None]  # (1, n, 1)
            # Only the words that are names, and only of their own photo: (N, n, W).
            said = logits[owner[:, None, None], cells, refs.words.clamp(min=0)[:, None]] - whole[owner, :, None]
            names = (aims[..., None] * said).sum(1) * known  # (N, W): mean log-probability where the thing is
            total = total - (names.sum(1) / known.sum(1).clamp(min=1)).sum()
            count += len(owner)
        return {"naming": self.config.naming * total / max(count, 1)}

    def read(self, batch: Batch, sights: Sights, embedded: Tensor) -> Tensor:
        """Hidden states (R, T, D) of packed rows `embedded` (R, T, D): a token sees its photo and the earlier tokens of its own
        dialogue."""
        words = embedded.flatten(0, 1)  # (R * T, D)
        photo = sights.tokens.flatten(0, 1).to(words.dtype)  # (P * n, D)
        plan = layout(batch.segments, batch.owner, sights.token_valid)
        order = torch.cat([block.source.flatten() for block in plan.blocks] or [batch.ids.new_zeros(0)])  # (K,)
        raster = sights.prompt_map.shape[-2] * sights.prompt_map.shape[-1]
        seen = sights.token_places.repeat(len(sights.tokens))  # (P * n,)
        places = torch.cat((seen, batch.places.flatten()[order] + raster))  # (P * n + K,)
        states = self.llm.get_decoder()(
            inputs_embeds=torch.cat((photo, words.index_select(0, order)))[None],
            attention_mask=words.new_zeros(1, 1, 1, 1),  # four axes: ours already, so that none is made
            position_ids=places[None],
            use_cache=False,
            layout=plan,
        )
        return states.last_hidden_state[0].index_select(0, plan.found.flatten()).view(*batch.ids.shape, -1)

    # --- answering ----------------------------------------------------------------------------------------------

    def generate(self, batch: Batch, max_new_tokens: int = 256) -> list[generation.Answered]:
        """Greedy answers to a batch of questions (`RefVLMProcessor`), every `<REF>` decoded; see `refvlm.generation`."""
        return generation.generate(self, batch, max_new_tokens)

    def decoder(self, kind: str) -> Decoder:
        """The decoder of a unit kind."""
        found: Any = self.decoders[kind]
        return found


def decoder_class(name: str) -> type[Decoder]:
    """The class that `refvlm/decoders/<name>.py` offers."""
    return load("refvlm.decoders", name)


def _new_decoder(kind: str, settings: dict[str, Any], query_width: int, width: int, pixel_width: int) -> Decoder:
    settings = dict(settings)
    found = decoder_class(settings.pop("file", kind))
    if found.kind != kind:
        raise ValueError(f"config.decoders[{kind!r}] names a decoder of {found.kind}; one of {kind} is right")
    return found(query_width, width, pixel_width, **settings)


STAGES = ["stage1", "stage2", "stage3", "stage4"]  # strides 4, 8, 16, 32


def _new(auto: Any, config: Any, **settings: Any) -> Any:
    """A sub-model with random weights, in the precision that is the default now (a sub-config may remember another); code
    that comes with a checkpoint is never run."""
    own: PreTrainedConfig = copy.deepcopy(config)
    for name, value in settings.items():
        setattr(own, name, value)
    own.dtype = torch.get_default_dtype()
    return auto.from_config(own, trust_remote_code=False)


AutoModel.register(RefVLMConfig, RefVLMForConditionalGeneration)
