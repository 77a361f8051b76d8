"""One small processor and model for all tests of `refvlm`: building them costs more than using them."""

from __future__ import annotations

import pytest
import torch

from refvlm.collator import Collator
from refvlm.model import RefVLMForConditionalGeneration
from refvlm.processing import RefVLMProcessor
from tests.refvlm import samples


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
