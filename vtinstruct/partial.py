"""The names of files that are still being written."""

from __future__ import annotations

import os
import re
from pathlib import Path

_HOST = re.sub(r"[^\w-]", "", os.uname().nodename)


def partial(path: Path) -> Path:
    """Where to write what shall appear at `path` when it is whole: hidden, in the same folder, and this process's own, also
    among the machines of a cluster that share a disk."""
    return path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.part")
