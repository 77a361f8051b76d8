"""Writes the sample as gRefCOCO: `refer/grefcoco/{instances.json,grefs(unc).json}`: one, several or no targets."""

from pathlib import Path

from vtinstruct.sample._refer import FOLDER, Referred, unc_split
from vtinstruct.sample._shot import Shot


class Grefcoco:
    """Every expression of the scenes, those that match nothing included."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._files = Referred(out / self.folder, "grefcoco")

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._files.add_photo(shot)
        for targets in sorted({expression.targets for expression in shot.scene.expressions}):
            expressions = [found for found in shot.scene.expressions if found.targets == targets]
            self._files.add_group_ref(shot, unc_split(shot), targets, expressions)

    def finish(self) -> tuple[str, ...]:
        """Write the files."""
        return self._files.write("grefs(unc).json", ("train", "val", "testA", "testB"))


WRITER = Grefcoco
