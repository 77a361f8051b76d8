"""A dataset whose shards were changed, with a manifest and a card that say so: as a program with a fault would build it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from vtinstruct.build.finish import write_card
from vtinstruct.manifest import content_hash, read_manifest


def sign(root: Path) -> None:
    """Make the manifest, the card and the other files around the shards those of the shards as they are."""
    manifest = read_manifest(root)

    def signed(file: Any) -> Any:
        content = (root / file.path).read_bytes()
        return replace(file, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))

    files, images = (tuple(map(signed, files)) for files in (manifest.files, manifest.images))
    content = content_hash(files, manifest.sources, images)
    write_card(root, replace(manifest, files=files, images=images, content_hash=content))
