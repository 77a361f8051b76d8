"""The page of drawn prompts: all kinds and sizes, the same for the same seed, and every mark where it belongs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from vtinstruct.build import choose
from vtinstruct.cli import app
from vtinstruct.dialogue import PROMPT_KINDS
from vtinstruct.geometry import encode_mask
from vtinstruct.manifest import DatasetError
from vtinstruct.prompts_page import candidates, cells, size_of, window_around, write_page
from vtinstruct.record import Region


def region(mask: np.ndarray, crowd: bool = False) -> Region:
    return Region("1", "dog", 18, mask_rle=encode_mask(mask), crowd=crowd)


def test_sixty_prompts_of_all_kinds_and_sizes(small_sample: Path, tmp_path: Path) -> None:
    chosen = choose([f"coco_instances={small_sample / 'coco'}"])
    made = cells(candidates(chosen), 60, 3)
    assert [cell.kind for cell in made] == [kind for kind in PROMPT_KINDS for _ in range(15)]
    assert {cell.size for cell in made} >= {"small", "medium"}
    assert made == cells(candidates(chosen), 60, 3)
    assert made != cells(candidates(chosen), 60, 4)
    for cell in made:
        x, y, width, height = cell.window_xywh
        for mark in (*cell.prompt, *cell.region):
            assert x <= mark.x <= x + width
            assert y <= mark.y <= y + height
    done = CliRunner().invoke(
        app, ["prompts", f"coco_instances={small_sample / 'coco'}", "--out", str(tmp_path / "a.html")]
    )
    assert done.stdout == f"60 prompts: {tmp_path / 'a.html'}\n"
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.count("<article") == 60
    assert "http" not in text.replace("http-equiv", "")


def test_regions_have_a_size() -> None:
    photo = np.zeros((200, 300), bool)
    sizes = []
    for side in (3, 4, 32, 33, 96, 97):
        mask = photo.copy()
        mask[:side, :side] = True
        sizes.append(size_of(region(mask)))
    assert sizes == ["tiny", "small", "small", "medium", "medium", "large"]
    assert size_of(region(mask, crowd=True)) == "crowd"


@pytest.mark.parametrize(
    ("box", "size", "window"),
    [
        ((50, 40, 70, 50), (640, 480), (45, 30, 30, 30)),
        ((0, 0, 2, 2), (640, 480), (0, 0, 24, 24)),  # a corner: room on two sides only
        ((630, 470, 640, 480), (640, 480), (616, 456, 24, 24)),
        ((0, 0, 20, 10), (20, 10), (0, 0, 20, 10)),  # smaller than the least piece
        ((0, 100, 640, 300), (640, 480), (0, 0, 640, 480)),
    ],
)
def test_the_piece_of_the_photo_holds_the_box(box, size, window) -> None:
    assert window_around(box, size) == window


def test_a_source_without_masks_or_photos_is_said(small_sample: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no region with a mask"):
        write_page(choose([f"coco_captions={small_sample / 'coco'}"]), tmp_path / "a.html")
    shutil.copytree(small_sample / "coco", tmp_path / "coco")
    for photo in (tmp_path / "coco").rglob("*.jpg"):
        photo.write_bytes(b"")
    with pytest.raises(DatasetError, match="none of the photos could be opened"):
        write_page(choose([f"coco_instances={tmp_path / 'coco'}"]), tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


PROBE = """
window.addEventListener("load", () => {
  const found = [...document.querySelectorAll("figure")].map((figure) => {
    const [image, svg] = [figure.querySelector("img"), figure.querySelector("svg")];
    const [a, b] = [image, svg].map((part) => part.getBoundingClientRect());
    const marks = [...svg.querySelectorAll("path:not(.region), rect:not(.halo), circle")].length;
    return [image.naturalWidth > 0, Math.abs(a.width - b.width) + Math.abs(a.height - b.height) < 1, marks];
  });
  const told = document.createElement("pre"); told.id = "told"; told.textContent = JSON.stringify(found);
  document.body.append(told);
});
"""


def test_real_regions_in_a_browser(shared_data, tmp_path: Path, browse) -> None:
    chosen = choose([f"coco_instances={shared_data('coco_tiny')}"])
    assert write_page(chosen, tmp_path / "page.html", 20) == 20
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert {"tiny", "small", "medium", "large", "crowd"} == set(re.findall(r'data-size="(\w+)"', page))
    page = page.replace("script-src", "").replace(
        "style-src 'unsafe-inline'", "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    )
    (tmp_path / "page.html").write_text(page, encoding="utf-8")  # the page itself allows no script at all
    told = json.loads(re.search(r'<pre id="told">(.*?)</pre>', browse(tmp_path / "page.html", PROBE), re.DOTALL)[1])
    assert told == [[True, True, 1]] * 20
