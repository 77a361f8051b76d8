"""The original evaluators, imported only when somebody asks for them (`--engine official`) and by the tests.

They are no dependencies: lvis 0.5.3 wants OpenCV and matplotlib for drawings that no score needs, panopticapi-lite 0.2.0
pins an old numpy and states no licence. Both work installed with `pip install --no-deps`.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import warnings
from collections.abc import Generator
from types import ModuleType
from typing import Any

import numpy as np

LVIS = "lvis==0.5.3"
PANOPTIC = "panopticapi-lite==0.2.0"


class OriginalMissing(Exception):
    """An original evaluator that is not installed; one line that says how to get it."""


def lvis_api() -> Any:
    """The package `lvis` (lvis-dataset/lvis-api). Its drawing module is given empty stand-ins for OpenCV and matplotlib
    where these are not installed. Raises `OriginalMissing`."""
    drawing = ("cv2", "matplotlib", "matplotlib.pyplot", "matplotlib.patches")
    absent = [name for name in drawing if name not in sys.modules and not _importable(name)]
    for name in absent:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name])["Polygon"] = object
    try:
        return _load("lvis", LVIS)
    finally:
        for name in absent:
            del sys.modules[name]


def panoptic_api() -> Any:
    """The module `panopticapi.evaluation` (cocodataset/panopticapi). Raises `OriginalMissing`."""
    return _load("panopticapi.evaluation", PANOPTIC)


def _importable(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _load(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OriginalMissing(
            f"{name} cannot be imported ({error}); `pip install --no-deps {package}` is right"
        ) from error


@contextlib.contextmanager
def old_numpy() -> Generator[None, None, None]:
    """`np.float`, which lvis 0.5.3 still names, for the time it runs; its own warnings are not ours to show."""
    had = "float" in np.__dict__
    if not had:
        np.__dict__["float"] = float
    loggers = [logging.getLogger(name) for name in ("lvis.lvis", "lvis.results", "lvis.eval")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not had:
            del np.__dict__["float"]
