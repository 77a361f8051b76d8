"""One small processor and model for all tests of `refvlm`: building them costs more than using them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from refvlm.collator import Collator
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.processing import RefVLMProcessor
from tests.refvlm import samples

# Tests run side by side: two threads each on two cores wait for one another most of the time.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """A training run flushes denormal floats in its whole process; the tests that come after it need them back."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def processor() -> RefVLMProcessor:
    return samples.processor()


@pytest.fixture(scope="session")
def collator(processor: RefVLMProcessor) -> Collator:
    return samples.collator(processor)


@pytest.fixture
def model(processor: RefVLMProcessor) -> RefVLMForConditionalGeneration:
    torch.manual_seed(0)
    return samples.model(processor).eval()


@pytest.fixture(scope="session")
def talker(processor: RefVLMProcessor, collator: Collator) -> RefVLMForConditionalGeneration:
    """The small model after enough steps to write triplets."""
    torch.manual_seed(0)
    model = samples.model(processor)
    batch = collator(
        [samples.about(1, (64, 48))]
    )  # one photo: what its dialogues look like is learned, no more is needed
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(45):
        loss = model(batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
