"""Other people's checkpoints, made here in small: every class a recipe names, sharded, tied, with tokens to be added, and
what is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, normalizers, trainers
from tokenizers.pre_tokenizers import ByteLevel, Metaspace
from transformers import (
    AutoConfig,
    AutoModel,
    AutoProcessor,
    CLIPConfig,
    CLIPModel,
    ConvNextConfig,
    ConvNextForImageClassification,
    DINOv3ConvNextConfig,
    DINOv3ConvNextModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    ResNetConfig,
    ResNetForImageClassification,
    SiglipConfig,
    SiglipModel,
)

from refvlm.checkpoints import INDEX, CheckpointError, check_folder
from refvlm.config import RefVLMConfig
from refvlm.configs import CLIP_PIXELS, reference_7b_config, shrunk
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.predict import load_model
from refvlm.pretrained import Checkpoints, from_checkpoints
from refvlm.processing import ASSISTANT, MARKS, USER, RefVLMProcessor
from refvlm.router import Router
from tests.refvlm import samples
from vtinstruct.columns import render_messages
from vtinstruct.trp import parse

SIZE = (64, 48)


def texts() -> list[str]:
    return [content for item in samples.about(0, SIZE).dialogues for content in render_messages(item)] * 3


def llama_tokenizer() -> PreTrainedTokenizerBase:
    """Like Llama's: pieces begin with a lower one eighth block for the space before a word, one put before the first."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    made.pre_tokenizer = Metaspace(prepend_scheme="first")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False)
    made.train_from_iterator([*texts(), *["box mask keypoint depth point USER: ASSISTANT:"] * 9], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def vicuna_tokenizer() -> PreTrainedTokenizerBase:
    """Like the file Vicuna ships: the space before the first word is put there by a normalizer, always."""
    tokenizer = llama_tokenizer()
    inner: Any = tokenizer.backend_tokenizer  # type: ignore[attr-defined]
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.pre_tokenizer = Metaspace(prepend_scheme="never", split=False)
    return tokenizer


def qwen_tokenizer() -> PreTrainedTokenizerBase:
    """Like Qwen's: bytes, and an end of text of its own."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<|endoftext|>", "<|im_end|>"], show_progress=False,
        initial_alphabet=ByteLevel.alphabet(),
    )  # fmt: skip
    made.train_from_iterator(texts(), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>")


TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
}  # fmt: skip
VIT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 56,
    "patch_size": 14,
}  # fmt: skip
STAGES: dict[str, Any] = {"hidden_sizes": [16, 16, 32, 32], "depths": [1, 1, 1, 1]}


def saved(model: PreTrainedModel, folder: Path, shard: str = "1GB") -> str:
    model.save_pretrained(folder, max_shard_size=shard)
    return str(folder)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checkpoint folders by name."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("shelf")
    llama, qwen = llama_tokenizer(), qwen_tokenizer()
    llama.save_pretrained(root / "llama")
    qwen.save_pretrained(root / "qwen")
    made = {
        # Vicuna's way: untied, sharded, a table just as long as the vocabulary, so that new marks need new rows.
        "llama": LlamaForCausalLM(LlamaConfig(vocab_size=len(llama), tie_word_embeddings=False, **TEXT)),
        # Qwen's way: tied, spare rows behind the vocabulary.
        "qwen": Qwen3ForCausalLM(Qwen3Config(vocab_size=len(qwen) + 64, head_dim=16, tie_word_embeddings=True, **TEXT)),
        "clip": CLIPModel(CLIPConfig(vision_config=VIT, text_config={**TEXT, "vocab_size": 50}, projection_dim=16)),
        "siglip": SiglipModel(SiglipConfig(vision_config=VIT, text_config={**TEXT, "vocab_size": 50})),
        "dinov3": DINOv3ViTModel(DINOv3ViTConfig(**VIT, num_register_tokens=4)),
        "convnext": ConvNextForImageClassification(ConvNextConfig(**STAGES)),
        "dinov3_convnext": DINOv3ConvNextModel(DINOv3ConvNextConfig(**STAGES)),
        "resnet": ResNetForImageClassification(ResNetConfig(**STAGES, embedding_size=16, layer_type="basic")),
    }
    found = {name: saved(model, root / name, "60KB" if name == "llama" else "1GB") for name, model in made.items()}
    (root / "clip" / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": CLIP_PIXELS[0], "image_std": CLIP_PIXELS[1], "crop_size": 56})
    )
    return found


def make(vocabulary: int, special_ids: dict[str, Any]) -> RefVLMConfig:
    """The 7B recipe's places, small."""
    return shrunk(reference_7b_config(vocabulary, special_ids), vocabulary)


@pytest.mark.parametrize(
    ("llm", "dense", "vision", "grid"),
    [
        ("llama", "convnext", "clip", 4),
        ("qwen", "dinov3_convnext", "siglip", 4),
        ("qwen", "resnet", "dinov3", 4),
        ("llama", "convnext", "", 4),
    ],
)
def test_every_weight_of_every_checkpoint_arrives(
    shelf: dict[str, str], llm: str, dense: str, vision: str, grid: int, tmp_path: Path
) -> None:
    model, processor = from_checkpoints(make, Checkpoints(shelf[llm], shelf[dense], shelf.get(vision, "")))
    arrived(model.llm, shelf[llm])
    arrived(model.dense.backbone, shelf[dense])
    if vision:
        assert model.vision is not None
        arrived(model.vision.vision, shelf[vision])
        assert (model.vision.side, model.vision.grid) == (56, grid)
    if vision == "clip":
        assert (model.config.vision_mean, model.config.vision_std) == CLIP_PIXELS
    batch = samples.collator(processor)([samples.about(n, SIZE) for n in range(2)])
    with torch.no_grad():
        torch.manual_seed(0)
        before = model.eval()(batch)
    assert torch.isfinite(before.loss)
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    processor.save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 3
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".json", ".safetensors", ".jinja")]
    again, words = load_model(tmp_path)
    with torch.no_grad():
        torch.manual_seed(0)
        after = again(samples.collator(words)([samples.about(n, SIZE) for n in range(2)]))
    assert torch.equal(before.logits, after.logits)
    assert all(torch.equal(before.losses[name], after.losses[name]) for name in before.losses)
    tied = llm == "qwen"
    assert (again.llm.get_input_embeddings().weight is again.llm.get_output_embeddings().weight) is tied


def arrived(part: Any, folder: str) -> None:
    """Every tensor of a sub-model that its checkpoint holds is equal to it (a longer table: in the rows it had)."""
    theirs: dict[str, torch.Tensor] = {}
    for path in Path(folder).glob("*.safetensors"):
        theirs |= load_file(path)
    equal = 0
    for name, ours in part.state_dict().items():
        match = [key for key in theirs if f".{key}".endswith(f".{name}") or f".{name}".endswith(f".{key}")]
        rows = slice(None if "embed_tokens" not in name and "lm_head" not in name else 300)  # then come the marks
        equal += any(theirs[key][rows].equal(ours[rows]) if ours.ndim else theirs[key].equal(ours) for key in match)
    missing = len(part.state_dict()) - equal
    # A backbone's norms of its four maps are in no checkpoint; a tied head is in none either.
    assert missing <= 8, f"{missing} of {len(part.state_dict())} tensors of {folder} did not arrive"


@pytest.mark.parametrize("llm", ["llama", "qwen"])
def test_marks_are_single_tokens_with_a_meaning_and_words_stay_words(shelf: dict[str, str], llm: str) -> None:
    model, processor = from_checkpoints(make, Checkpoints(shelf[llm]))
    rows = model.llm.get_input_embeddings().weight
    ids = [processor.token_id(mark) for mark in (*MARKS, USER, ASSISTANT)]
    assert len(set(ids)) == len(ids)
    assert max(ids) < len(rows)
    assert rows[ids].abs().sum(-1).min() > 0
    tokenizer = processor.tokenizer
    assert processor.end_id == tokenizer.eos_token_id != tokenizer.convert_tokens_to_ids("<|end|>")
    alike = tokenizer.encode("here", add_special_tokens=False)
    assert torch.allclose(rows[processor.token_id("<REF>")], rows[alike].mean(0))
    head = model.llm.get_output_embeddings().weight
    assert torch.allclose(head[processor.token_id("<REF>")], head[alike].mean(0))
    end = tokenizer.eos_token
    encoded = processor.encode([("user", f"Say {end} and <s>."), ("assistant", f"No {end} here.")])
    assert encoded.ids.tolist().count(processor.end_id) == 1, "words of the data must not end a turn"


TRP = [
    "<Phrase>ball</Phrase>(<Unit>box</Unit>[0]<REF>[1]<REF>) and <Phrase>a red cup</Phrase>(<Unit>mask</Unit>[0]<REF>).",
    "  two spaces, <Phrase>ball</Phrase>(<Unit>keypoint</Unit>) ",
    "<Task>\nUnit decode (False).\n</Task>\nNo.",
    "naïve 日本 \n line <Phrase>x</Phrase>(<Unit>depth</Unit>[0]<REF>)",
]


@pytest.mark.parametrize("text", TRP)
@pytest.mark.parametrize("make_tokenizer", [llama_tokenizer, vicuna_tokenizer, qwen_tokenizer])
def test_an_answer_read_back_is_the_answer_that_was_written(make_tokenizer: Any, text: str) -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT, *MARKS]})
    processor = RefVLMProcessor(tokenizer, 64)
    encoded = processor.encode([("assistant", text)])
    assert processor.text(encoded.ids.tolist()) == text
    routes = Router.from_ids(processor.special_ids()).read(encoded.ids.tolist())
    kinds = [triplet.kind for triplet in parse(text).triplets() for _ in triplet.references]
    assert [route.kind for route in routes] == kinds


def test_a_model_of_checkpoints_learns_saves_and_answers_through_the_auto_classes(
    shelf: dict[str, str], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model, processor = from_checkpoints(make, Checkpoints(shelf["qwen"], shelf["convnext"], shelf["clip"]))
    batch = samples.collator(processor)([samples.about(n, SIZE) for n in range(2)])
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=5e-3)
    losses = []
    for _ in range(12):
        loss = model(batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), RefVLMConfig)
    again, words = AutoModel.from_pretrained(tmp_path).eval(), AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(again, RefVLMForConditionalGeneration)
    assert isinstance(words, RefVLMProcessor)
    photos = [samples.about(n, SIZE).photo for n in range(2)]
    questions = ["Box everything.", "Say something."]
    ours = model.eval().generate(processor(images=photos, text=questions), max_new_tokens=12)
    theirs = again.generate(words(images=photos, text=questions), max_new_tokens=12)
    assert [answer.ids for answer in ours] == [answer.ids for answer in theirs]


class Bomb:
    """Runs a command when unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.proof,)


@pytest.fixture
def ours(processor: RefVLMProcessor, tmp_path: Path) -> Path:
    """A sound checkpoint of our own, sharded."""
    samples.model(processor).save_pretrained(tmp_path / "ours", max_shard_size="100KB")
    processor.save_pretrained(tmp_path / "ours")
    return tmp_path / "ours"


def test_a_pickle_is_refused_and_never_opened(ours: Path, shelf: dict[str, str], tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    for path in [*ours.glob("*.safetensors"), ours / INDEX]:
        path.unlink()
    (ours / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(proof)))
    for read in (load_model, lambda folder: AutoModel.from_pretrained(folder)):
        with pytest.raises(CheckpointError, match=r"pytorch_model\.bin is a pickle"):
            read(ours)
    with pytest.raises(CheckpointError, match="pickle"):
        from_checkpoints(make, Checkpoints(llm=str(ours)))
    with pytest.raises(CheckpointError, match="never read"):
        RefVLMForConditionalGeneration.from_pretrained(ours, use_safetensors=False)
    assert not proof.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "../elsewhere.safetensors", "gone.safetensors"])
def test_an_index_cannot_name_a_pickle_or_a_file_elsewhere(ours: Path, tmp_path: Path, name: str) -> None:
    wire = json.loads((ours / INDEX).read_text())
    wire["weight_map"][next(iter(wire["weight_map"]))] = name
    (ours / INDEX).write_text(json.dumps(wire))
    proof = tmp_path / "proof"
    for path in (ours / "pytorch_model.bin", tmp_path / "elsewhere.safetensors"):
        path.write_bytes(pickle.dumps(Bomb(proof)))
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_model(ours)
    assert not proof.exists()


@pytest.mark.parametrize("wire", ["{", "[]", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', '{"weight_map": {}}'])
def test_a_broken_index_is_said_in_one_line(ours: Path, wire: str) -> None:
    (ours / INDEX).write_text(wire)
    with pytest.raises(CheckpointError, match=INDEX):
        check_folder(ours)


def test_what_is_no_checkpoint_is_said_in_one_line(shelf: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = [
        (Checkpoints(llm=str(tmp_path / "empty")), "no config.json"),
        (Checkpoints(llm=str(tmp_path / "nowhere")), "no such folder"),
        (Checkpoints(llm=shelf["convnext"]), "no AutoModelForCausalLM"),
        (Checkpoints(llm=shelf["qwen"], dense=shelf["clip"]), "a clip is no backbone"),
        (Checkpoints(llm=shelf["qwen"], vision=shelf["resnet"]), "no patches"),
        (Checkpoints(), "no LLM and no tokenizer"),
    ]
    for checkpoints, words in cases:
        with pytest.raises(CheckpointError, match=words) as caught:
            from_checkpoints(make, checkpoints)
        assert "\n" not in str(caught.value)
