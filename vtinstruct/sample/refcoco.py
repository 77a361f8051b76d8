"""Writes the sample as RefCOCO: `refer/refcoco/{instances.json,refs(unc).p}`; testA is people, testB everything else."""

from pathlib import Path
from typing import ClassVar

from vtinstruct.sample._refer import FOLDER, Referred, names_place, unc_split
from vtinstruct.sample._shot import Shot


class Refcoco:
    """Up to three expressions for every single thing; all of them, or (RefCOCO+) those that name no place."""

    folder = FOLDER
    dataset: ClassVar[str] = "refcoco"
    places: ClassVar[bool] = True

    def __init__(self, out: Path, seed: int) -> None:
        self._files = Referred(out / self.folder, self.dataset)

    def add(self, shot: Shot) -> None:
        """Take one scene, unless nothing is said of it."""
        split = unc_split(shot)
        wanted = [
            (k, expressions)
            for k, thing in shot.singles()
            if split not in ("testA", "testB") or (thing.category == "person") == (split == "testA")
            if (
                expressions := [
                    found
                    for found in shot.scene.expressions
                    if found.targets == (k,) and (self.places or not names_place(found.text))
                ]
            )
        ]
        if wanted:
            self._files.add_photo(shot)
        for k, expressions in wanted:
            self._files.add_ref(shot, split, (k,), expressions)

    def finish(self) -> tuple[str, ...]:
        """Write the files."""
        return self._files.write("refs(unc).p", ("train", "val", "testA", "testB"))


WRITER = Refcoco
