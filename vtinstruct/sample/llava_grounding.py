"""Writes the sample as LLaVA-Grounding: grounded answers and visual prompts on the VQA photos of train2014."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtinstruct.sample._asking import keyed, taken
from vtinstruct.sample._coco import LICENCES, image_row, info, instance_row, thing_categories
from vtinstruct.sample._shot import Shot, scattered, write_json
from vtinstruct.sample._tied import tied_caption
from vtinstruct.sample._vqa import FOLDER, place_photo

FILES = {
    "train": ("grounded_visual_chat_data", "instances_train2017_gvc"),
    "train_visual_prompt": ("llava_instruct_150k_visual_prompt", "instances_train2014_filter"),
}


class LlavaGrounding:
    """A grounded description and a question about one thing for every scene that is for training."""

    folder = FOLDER

    def __init__(self, out: Path, seed: int) -> None:
        self._root = out / self.folder
        self._images: list[Any] = []
        self._annotations: list[Any] = []
        self._rows: dict[str, list[Any]] = {split: [] for split in FILES}

    def add(self, shot: Shot) -> None:
        """Take one scene that has a single thing."""
        text, phrases = tied_caption(shot)
        if not taken(shot) or shot.split != "train" or not phrases:
            return
        name = place_photo(shot, self._root)
        self._images.append(image_row(shot, name))
        self._annotations += [instance_row(shot, k) for k in range(len(shot.scene.things))]
        head = {"id": f"{shot.image_id:012d}", "image": f"{shot.image_id:012d}.jpg"}
        answer, at = "", 0
        for phrase in phrases:
            answer += f"{text[at : phrase.start]}<g_s> {text[phrase.start : phrase.stop]} <g_e> <seg>"
            at = phrase.stop
        asked = [
            {"from": "human", "value": "<image>\nDescribe this image in detail. (with grounding)"},
            {"from": "gpt", "value": answer + text[at:]},
        ]
        meant = [[shot.annotation_id(phrase.target)] for phrase in phrases]
        self._rows["train"].append({**head, "conversations": asked, "gd_ls": meant})
        target = keyed(shot, "visual prompt").choice(phrases).target
        thing = shot.scene.things[target]
        pointed = [
            {"from": "human", "value": "<image>\nWhat color is the object <obj> here?"},
            {"from": "gpt", "value": f"It is {thing.colour}."},
            {"from": "human", "value": "And what is it?"},
            {"from": "gpt", "value": f"A {thing.category}."},
        ]
        prompts = [[shot.annotation_id(target)], None]
        self._rows["train_visual_prompt"].append({**head, "conversations": pointed, "q_gd_ls": prompts})

    def finish(self) -> tuple[str, ...]:
        """Write conversations and instances of both splits."""
        if not self._images:
            return ()
        instances = {
            "info": info("LLaVA-Grounding"),
            "licenses": LICENCES,
            "images": self._images,
            "annotations": scattered(self._annotations, "llava grounding"),
            "categories": thing_categories(),
        }
        for split, (talk, things) in FILES.items():
            write_json(self._root / "llava" / "annotations" / f"{talk}.json", self._rows[split])
            write_json(self._root / "coco" / "annotations" / f"{things}.json", instances)
        return tuple(FILES)


WRITER = LlavaGrounding
