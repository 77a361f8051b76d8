"""Writes the sample as RefCOCOg: `refer/refcocog/{instances.json,refs(umd).p}`, one full phrase for a thing."""

from pathlib import Path

from vtinstruct.sample._refer import FOLDER, Referred, umd_split
from vtinstruct.sample._shot import Shot


class Refcocog:
    """The longest expression of every single thing."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._files = Referred(out / self.folder, "refcocog")

    def add(self, shot: Shot) -> None:
        """Take one scene, unless nothing is said of it."""
        said = {
            k: max((found for found in shot.scene.expressions if found.targets == (k,)), key=lambda one: len(one.text))
            for k, _ in shot.singles()
            if any(found.targets == (k,) for found in shot.scene.expressions)
        }
        if said:
            self._files.add_photo(shot)
        for k, expression in said.items():
            self._files.add_ref(shot, umd_split(shot), (k,), [expression])

    def finish(self) -> tuple[str, ...]:
        """Write the files."""
        return self._files.write("refs(umd).p", ("train", "val", "test"))


WRITER = Refcocog
