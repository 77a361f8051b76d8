"""Writes the sample as COCO captions: `annotations/captions_{train,val}2017.json`, five sentences a photo."""

from pathlib import Path

from vtinstruct.sample._coco import FOLDER, Collected, image_row, place_photo
from vtinstruct.sample._shot import Shot


class CocoCaptions:
    """The captions of all scenes; the file has no categories."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._files = Collected(self._root, "captions", "captions", None)

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._files.images[shot.split].append(image_row(shot, place_photo(shot, self._root)))
        self._files.annotations[shot.split] += [
            {"image_id": shot.image_id, "id": 50_000_000 + 30 * shot.index + 4 * k, "caption": caption}
            for k, caption in enumerate(shot.scene.captions)
        ]

    def finish(self) -> tuple[str, ...]:
        """Write the annotation files."""
        return self._files.write()


WRITER = CocoCaptions
