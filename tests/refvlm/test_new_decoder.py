"""A newcomer adds a decoder by one file: the one CONTRIBUTING shows is put where decoders are found, and nowhere else."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import refvlm.decoders
from refvlm.collator import Collator, Seen
from refvlm.model import RefVLMForConditionalGeneration, decoder_class
from refvlm.processing import RefVLMProcessor
from refvlm.recipes import smoke_config
from tests.refvlm import samples
from vtinstruct import plugins
from vtinstruct.dialogue import Reference, Triplet
from vtinstruct.units import Point

SIZE = (64, 48)
PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[None]:
    """The page's file, found by its name."""
    (block,) = re.findall(r"^```python\n(\"\"\"Points.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    (tmp_path / "point.py").write_text(block, encoding="utf-8")
    refvlm.decoders.__path__.append(str(tmp_path))
    plugins.names.cache_clear()
    importlib.invalidate_caches()
    yield
    sys.modules.pop("refvlm.decoders.point", None)
    refvlm.decoders.__path__.remove(str(tmp_path))
    plugins.names.cache_clear()


@pytest.mark.usefixtures("newcomer")
def test_the_decoder_of_the_page_learns_and_answers_in_a_model(processor: RefVLMProcessor) -> None:
    torch.manual_seed(0)
    config = smoke_config(len(processor.tokenizer), processor.special_ids())
    config.decoders = {**(config.decoders or {}), "point": {}}
    model = RefVLMForConditionalGeneration(config)
    wanted = [Point((16.0, 12.0)), Point((48.0, 36.0))]
    points = Triplet("ball", "point", tuple(Reference(point) for point in wanted))
    about = samples.about(1, SIZE)
    seen = [Seen(about.photo, [samples.dialogue(1, ("Where?",), (points, "."), SIZE)])]
    batch = Collator(processor, {"point": decoder_class("point")}, samples.load_depth)(seen)
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=5e-3)
    for _ in range(60):
        output = model(batch)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert "point.where" in output.losses
    (answer,) = samples.answers(model.eval(), processor, seen, [(0, 0)])
    found = [unit.unit.point_xy for unit in answer.units if unit is not None and isinstance(unit.unit, Point)]
    assert len(found) == 2
    assert all(0 <= unit.score <= 1 for unit in answer.units if unit is not None)
    nearest = [min(abs(x - px) + abs(y - py) for px, py in found) for x, y in (point.point_xy for point in wanted)]
    assert max(nearest) < 12, (found, "points of the answer should be near those that were learned")


def test_without_the_file_the_name_is_unknown() -> None:
    with pytest.raises(plugins.UnknownPlugin, match=r"no 'point' in refvlm\.decoders; known: box"):
        decoder_class("point")
