"""Files that are still being written: their names, and how they appear whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_HOST = re.sub(r"[^\w-]", "", os.uname().nodename)


def partial(path: Path) -> Path:
    """Where to write what shall appear at `path` when it is whole: hidden, in the same folder, and this process's own, also
    among the machines of a cluster that share a disk."""
    return path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.part")


@contextmanager
def whole(path: Path) -> Generator[Path, None, None]:
    """The name to write a file under, which is put in the place of `path` at the end; what was there stays when writing fails.
    An `OSError` (a full disk) names `path`."""
    temporary = partial(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        if temporary.exists():
            temporary.unlink()
