"""Which parts of the model learn.

A part is named after what holds its weights: "llm", "projector", "prompts", "vision" (encoder 1), "dense" (encoder 2), "neck"
(what makes the decoders' maps of it), and each decoder by its unit: "box", "mask", ...
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from refvlm.recipes import RecipeError


def part_of(name: str) -> str:
    """The part that a parameter or module of the model belongs to, by its dotted name."""
    first, _, rest = name.partition(".")
    if first == "decoders":
        return rest.partition(".")[0]
    if first == "dense":
        return "dense" if rest.partition(".")[0] == "backbone" else "neck"
    return first


def parts_of(model: nn.Module) -> list[str]:
    """Every part of a model that has weights, sorted."""
    return sorted({part_of(name) for name, _ in model.named_parameters()})


def let_learn(model: nn.Module, parts: Sequence[str]) -> None:
    """Weights of `parts` learn (empty: all), all others stay. Raises `RecipeError` for a part that the model has not."""
    known = parts_of(model)
    for part in parts:
        if part not in known:
            raise RecipeError(f"learns: the model has no {part!r}; known: {', '.join(known)}")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not parts or part_of(name) in parts)


def set_training(model: nn.Module) -> None:
    """Training mode, but for the layers whose part stays as it is: a batch norm there must not move, nor a dropout act.

    The blocks around them stay in training mode: `transformers` recomputes activations in no other.
    """
    model.train()
    learning = {part_of(name) for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name, module in model.named_modules():
        if name and not any(True for _ in module.children()) and part_of(name) not in learning:
            module.eval()
