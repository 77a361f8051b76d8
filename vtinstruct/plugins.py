"""Plugins are found by file name: `converters/coco_instances.py` is the source `coco_instances`, and nothing else
lists it. Each plugin file offers one public name, given in `ROOMS`. Files whose name starts with `_` are furniture.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

# room -> the public name each of its files offers
ROOMS: dict[str, str] = {
    "converters": "SOURCE",
    "vtinstruct.tasks": "TASK",
    "vtinstruct.exports": "EXPORT",
    "vtinstruct.dialects": "DIALECT",
    "refvlm.decoders": "DECODER",
    "benchmarks.scorers": "SCORER",
    "benchmarks.models": "MODEL",
}


class UnknownPlugin(Exception):
    """A name that no file has; the message lists the known ones."""


@cache
def names(room: str) -> tuple[str, ...]:
    """The plugins of a room, sorted: the stems of its files that do not start with `_`."""
    spec = importlib.util.find_spec(room)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = {path.stem for folder in folders for path in Path(folder).glob("*.py")}
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load(room: str, name: str) -> Any:
    """The public object of plugin `name`; `UnknownPlugin` with the known names when there is none."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", name) or name not in names(room):
        raise UnknownPlugin(f"no {name!r} in {room}; known: {', '.join(names(room)) or 'none'}")
    return getattr(importlib.import_module(f"{room}.{name}"), ROOMS[room])
