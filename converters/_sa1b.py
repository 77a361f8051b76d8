"""SA-1B's photos as they are downloaded: a thousand tars (`sa_000020.tar`), or folders of these names they were unpacked to.

Which photo is in which is not written down anywhere, so all that are there are looked through once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from converters._coco_layout import names_in
from vtinstruct.containers import ContainerError, members
from vtinstruct.source import SourceError

SHARD = re.compile(r"sa_\d{6}(\.tar)?")


def shard_photos(root: Path, folders: Sequence[str], wanted: Collection[str]) -> dict[str, tuple[str, str]]:
    """Where the photos called `wanted` are, of those in shards below `folders`: (folder, name there), relative to the
    root, a tar being a folder too. Raises `SourceError` at a tar that cannot be read."""
    found: dict[str, tuple[str, str]] = {}
    for folder in folders:
        for shard in names_in(root / folder):
            match = SHARD.fullmatch(shard)
            if match is None:
                continue
            place = f"{folder}/{shard}".lstrip("/")
            try:
                names = list(members(root / place)) if match[1] else names_in(root / place)
            except ContainerError as error:
                raise SourceError(f"{root / place}: {error.detail}") from error
            for name in names:
                if (bare := name.rpartition("/")[2]) in wanted:
                    found.setdefault(bare, (place, name))
    return found
