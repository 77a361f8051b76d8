"""Writes the sample as Panoptic Narrative Grounding: a narrative a scene, cut into utterances, nouns tied to segments.

COCO's panoptic annotation, which the original is laid over, is written by the writer of `coco_panoptic`, into this folder.
"""

from pathlib import Path
from typing import Any

from vtinstruct.sample._coco import YEAR
from vtinstruct.sample._shot import Shot, write_json
from vtinstruct.sample.coco_panoptic import CocoPanoptic
from vtinstruct.sample.drawing.thing import Thing
from vtinstruct.sample.drawing.wording import with_article


class _Panoptic(CocoPanoptic):
    folder = "png"

    def segments(self, shot: Shot) -> list[dict[str, Any]]:
        """The segments of the scene that was taken last: its things in order, then its stuff."""
        return self._files.annotations[shot.split][-1]["segments_info"]


class Png:
    """One narrative a scene with a thing."""

    folder = _Panoptic.folder

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._panoptic = _Panoptic(out, seed)
        self._rows: dict[str, list[dict[str, Any]]] = {"train": [], "val": []}

    def add(self, shot: Shot) -> None:
        """Take one scene."""
        self._panoptic.add(shot)
        ids = [str(row["id"]) for row in self._panoptic.segments(shot)][: len(shot.scene.things)]
        if not ids:
            return
        pieces: list[tuple[str, list[str]]] = [("In this picture I can see", [])]
        for position, (thing, id_) in enumerate(zip(shot.scene.things, ids, strict=True)):
            if position:
                pieces.append(("and", []))
            pieces.append((with_article(_said(thing)), [id_]))
        if len(ids) > 1:
            pieces += [(". There are", []), ("things", ids), (f"on a {shot.scene.place}.", [])]
        segments = [
            {"utterance": words, "segment_ids": named, "plural": len(named) > 1, "noun": bool(named)}
            for words, named in pieces
        ]
        caption = " ".join(words for words, _ in pieces).replace(" .", ".")
        row = {"annotator_id": 0, "image_id": str(shot.image_id), "caption": caption, "segments": segments}
        self._rows[shot.split].append(row)

    def finish(self) -> tuple[str, ...]:
        """Write the narratives and the panoptic annotation."""
        self._panoptic.finish()
        splits = tuple(split for split in ("train", "val") if self._rows[split])
        for split in splits:
            write_json(self._root / "annotations" / f"png_coco_{YEAR[split]}.json", self._rows[split])
        return tuple(YEAR[split] for split in splits)


def _said(thing: Thing) -> str:
    return f"group of {thing.category}s" if thing.crowd else f"{thing.colour} {thing.category}"


WRITER = Png
