"""What a check of a dataset finds, one sentence each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from vtinstruct.manifest import ImageFile, Shard


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: the file (relative to the dataset), the sample's id where there is one, and one sentence."""

    path: str
    id: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.path, self.id, self.text) if part)


def wrong_bytes(root: Path, file: Shard | ImageFile) -> tuple[Finding, ...]:
    """Whether a file's bytes are those of the manifest."""
    try:
        with (root / file.path).open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return (Finding(file.path, "", f"{error.strerror or error}; the manifest lists {file.rows} rows in it"),)
    if digest != file.sha256:
        return (Finding(file.path, "", "its bytes are not those that were built (SHA-256 differs)"),)
    return ()
