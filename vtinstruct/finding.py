"""What a check of a dataset finds, one sentence each."""

from __future__ import annotations

import hashlib
import os
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


def wrong_bytes(root: Path, file: Shard | ImageFile) -> Finding | None:
    """What is wrong with a file's bytes; None when they are those of the manifest. Only then may it be read: Arrow's reader
    trusts what a file says of itself."""
    try:
        with (root / file.path).open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if size != file.bytes:
                text = f"has {size} bytes, the manifest says {file.bytes}; it was cut short, or is of another build"
                return Finding(file.path, "", text)
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return Finding(file.path, "", f"{error.strerror or error}; the manifest lists {file.rows} rows in it")
    if digest != file.sha256:
        return Finding(file.path, "", "its bytes are not those that were built (SHA-256 differs)")
    return None
