"""A folder that results go to: one command at a time writes there, and what it holds belongs together or says that it does not.

What says that a folder is finished (`results.json`, `report.html`, the digests of the kept answers) goes before the first
new row comes, and returns when all rows are there. So a command that is stopped leaves rows that nobody takes for a result, and
the next one does not take another model's rows for its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.kept import NAME
from benchmarks.results import ResultsError

NO_LOCKS = (
    errno.EBADF,
    errno.ENOLCK,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
)  # EBADF: NFS locks nothing that is open to read only
RESULTS, REPORT, ROWS = "results.json", "report.html", "rows"


@contextmanager
def claimed(out: Path) -> Generator[None, None, None]:
    """Make the folder, and keep it for this process. Raises `ResultsError` where it is a file or another command is at work
    in it; the lock is the system's own and ends with the process, however that ends. Where a disk knows no locks of folders
    (NFS), nobody is kept out."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ResultsError(f"{out}: is a file, or lies in one; a folder is right") from error
    handle = os.open(out, os.O_RDONLY)
    try:
        _lock(handle, out)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ResultsError(
            f"{out}: another command writes there; to wait for it, or another folder, is right"
        ) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def begin(out: Path) -> None:
    """Take away what says that the folder is finished, and what a killed command left half written."""
    left = [path for folder in (out, out / ROWS) for path in folder.glob(".*.part")]
    for path in (out / RESULTS, out / REPORT, out / ROWS / NAME, *left):
        path.unlink(missing_ok=True)
