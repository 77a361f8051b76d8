"""What may be read of a checkpoint: safetensors and JSON, inside its own folder. A pickle is refused, and never opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class CheckpointError(Exception):
    """A checkpoint that cannot or must not be read; one line."""


def check_folder(folder: Path) -> None:
    """Raise `CheckpointError` unless a folder's weights are safetensors that stand in it, all of them.

    `transformers` would look for a pickle where it finds no safetensors, and opens whatever an index names.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder}: no config.json there; a folder that `save_pretrained` wrote is right")
    if (folder / INDEX).is_file():
        for name in _shards(folder / INDEX):
            if not name.endswith(".safetensors") or Path(name).name != name:
                raise CheckpointError(f"{folder / INDEX}: names {name!r:.80}; a .safetensors file beside it is right")
            if not (folder / name).is_file():
                raise CheckpointError(f"{folder}: {name} is missing, which {INDEX} names")
    elif not (folder / SINGLE).is_file():
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
        found = f"{pickles[0]} is a pickle and is not read; " if pickles else ""
        raise CheckpointError(f"{folder}: no {SINGLE} there; {found}weights as safetensors are right")
    if (folder / "adapter_model.bin").exists():
        raise CheckpointError(f"{folder}: adapter_model.bin is a pickle and is not read; safetensors are right")


def _shards(index: Path) -> set[str]:
    try:
        wire: Any = json.loads(index.read_text(encoding="utf-8"))
        names = wire["weight_map"].values()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{index}: no index of shards ({error}); an object with weight_map is right") from error
    odd = [name for name in names if not isinstance(name, str)]
    if odd or not names:
        raise CheckpointError(f"{index}: weight_map names {odd[:1] or 'nothing'}; file names are right")
    return set(names)
