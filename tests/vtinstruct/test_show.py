"""The page of `vtinstruct show`: what is drawn, what is escaped, and what it does in a browser."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import shapely
from PIL import Image

from tests.vtinstruct.dialogues import seg_dialogue
from vtinstruct import drawing
from vtinstruct.build import Options, build
from vtinstruct.build.progress import Silent
from vtinstruct.geometry import encode_mask
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.record import Expression
from vtinstruct.show import pick, show
from vtinstruct.units import Box, Depth, Keypoints, Mask, Point

HOSTILE = '<script>document.title="taken"</script> "quoted" \'and\' {{ 7*7 }} </script><img src=x onerror=alert(1)> &amp; é 😀'


class Tags(HTMLParser):
    """Counts a page's tags and keeps what would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [
            value for name, value in attrs if name in ("src", "href") and value and not value.startswith("data:")
        ]


def test_every_task_is_shown_and_nothing_is_fetched(small_dataset, tmp_path):
    shown = show(small_dataset, tmp_path / "page.html", per_task=3)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Tags(text)
    assert page.tags.count("article") == shown == 3 * len(read_manifest(small_dataset).tasks())
    assert page.fetched == []
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert {"rect", "path", "circle", "line", "figcaption"} <= set(page.tags)
    assert str(tmp_path) not in text
    before = text
    show(small_dataset, tmp_path / "again.html", per_task=3)
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == before


def test_rows_are_picked_evenly_over_the_splits(small_dataset):
    manifest = read_manifest(small_dataset)
    splits = manifest.splits("rec")
    picked = list(pick(small_dataset, manifest, "rec", splits, 2 * len(splits) + 1))
    assert len({sample.id for sample in picked}) == len(picked) == 2 * len(splits) + 1
    assert [sum(sample.split == split for sample in picked) for split in splits] == [3] + [2] * (len(splits) - 1)
    assert len(list(pick(small_dataset, manifest, "rec", ("train",), 10**6))) == sum(
        shard.rows for shard in manifest.shards("rec", "train")
    )


def test_text_of_the_data_stays_text(handmade, tmp_path):
    handmade.add(1, captions=(HOSTILE,), expressions=(Expression("1", HOSTILE.replace("\n", " "), ("1",)),))
    build(handmade.chosen(), Options(("caption", "rec")), tmp_path / "out", Silent())
    assert show(tmp_path / "out", tmp_path / "page.html") == 2
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Tags(text)
    assert page.tags.count("script") == 1
    assert page.tags.count("img") == 2  # the two photos
    assert "49" not in re.sub(r"data:image/[^\"]*", "", text).split("<main>")[1].split("<script>")[0]
    assert "&lt;script&gt;" in text


def test_a_photo_that_cannot_be_opened_is_said_on_its_card(handmade, tmp_path):
    handmade.add(1)
    build(handmade.chosen(), Options(("rec",)), tmp_path / "out", Silent())
    (handmade.root / "photos/1.png").unlink()
    show(tmp_path / "out", tmp_path / "page.html")
    assert "images/handmade/photos/1.png: photo: missing" in (tmp_path / "page.html").read_text()


def test_unknown_tasks_are_said(small_dataset, tmp_path):
    with pytest.raises(DatasetError, match="no task juggle; there are: caption, depth"):
        show(small_dataset, tmp_path / "page.html", tasks=["juggle"])
    assert not (tmp_path / "page.html").exists()


def test_long_answers_are_drawn_in_part(tmp_path):
    from vtinstruct.show import MOST_DRAWN, _Drawer

    sample = seg_dialogue(1, 3)
    triplet = sample.turns[1].parts[0]
    boxes = tuple(replace(reference, unit=Box((0.0, 0.0, 1.0, 1.0))) for reference in triplet.references)
    drawer = _Drawer(tmp_path, sample)
    said = drawer.say(replace(triplet, kind="box", references=boxes * MOST_DRAWN))
    assert len(said.chips) == len(drawer.marks) == MOST_DRAWN
    assert drawer.left_out == 2 * MOST_DRAWN


# --- drawing ---------------------------------------------------------------------------------------------------------


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def painted(path: str, size_wh: tuple[int, int]) -> np.ndarray:
    """An outline filled again, by the even-odd rule, at pixel middles."""
    inside = np.zeros(size_wh[::-1], bool)
    middles = np.stack(np.meshgrid(np.arange(size_wh[0]) + 0.5, np.arange(size_wh[1]) + 0.5), -1)
    for ring in re.findall(r"M([^Z]*)Z", path):
        polygon = shapely.Polygon([[float(value) for value in point.split()] for point in ring.split("L")])
        inside ^= shapely.contains_xy(polygon, middles[..., 0], middles[..., 1])
    return inside


def test_a_mask_is_drawn_where_it_is():
    mask = np.zeros((40, 60), bool)
    mask[10:30, 20:50] = True
    mask[14:26, 26:40] = False  # a hole
    mask[33:38, :] = True  # whole columns are never full here, whole rows are
    assert painted(drawing.outline(encode_mask(mask)), (60, 40)).tolist() == mask.tolist()


@pytest.mark.parametrize("columns", [(3, 4), (3, 5), (3, 9), (0, 12)])
def test_runs_over_several_columns_are_drawn_whole(columns: tuple[int, int]):
    mask = np.zeros((8, 12), bool)
    mask[:, columns[0] : columns[1]] = True
    mask[5:, max(columns[0] - 1, 0)] = True
    mask[:3, min(columns[1], 11)] = True
    assert painted(drawing.outline(encode_mask(mask)), (12, 8)).tolist() == mask.tolist()


def test_round_masks_stay_round_and_empty_ones_empty():
    ys, xs = np.mgrid[:240, :320]
    disc = (xs - 150) ** 2 + (ys - 110) ** 2 < 80**2
    path = drawing.outline(encode_mask(disc))
    again = painted(path, (320, 240))
    assert (again & disc).sum() / (again | disc).sum() > 0.97
    assert path.count("L") < 60  # not one corner a pixel
    assert drawing.outline(encode_mask(np.zeros((4, 5), bool))) == ""


def test_a_mask_of_one_pixel_in_a_large_photo_is_to_be_seen():
    mask = np.zeros((3000, 4000), bool)
    mask[1234, 3210] = True
    assert drawing.outline(encode_mask(mask)).startswith("M")


def test_depth_goes_from_near_to_far_and_missing_is_clear():
    metres = np.array([[0.0, 1.0, 3.0], [2.0, 0.0, 1.5]], np.float32)
    uri, near, far = drawing.depth_uri(metres)
    rgba = np.asarray(opened(uri))
    assert (near, far) == (1.0, 3.0)
    assert (rgba[..., 3] > 0).tolist() == (metres > 0).tolist()
    brightness = rgba[..., :3].sum(axis=2)
    assert brightness[0, 1] > brightness[1, 2] > brightness[1, 0] > brightness[0, 2]
    assert drawing.depth_uri(np.zeros((2, 2), np.float32))[1:] == (0.0, 0.0)


def test_marks_of_every_unit():
    pose = Keypoints(tuple((float(i), 1.0, (0, 1, 2)[i % 3]) for i in range(17)))
    shapes = {
        "box": [mark.shape for mark in drawing.marks(Box((1.0, 2.0, 4.0, 8.0)), "r0", "#ffffff")],
        "point": [mark.shape for mark in drawing.marks(Point((1.0, 2.0)), "r0", "#ffffff")],
        "mask": [mark.shape for mark in drawing.marks(Mask(encode_mask(np.ones((2, 2)))), "r0", "#ffffff")],
        "depth": list(drawing.marks(Depth("a.png", 1.0), "r0", "#ffffff")),
    }
    assert shapes == {"box": ["rect"], "point": ["circle"], "mask": ["path"], "depth": []}
    drawn = list(drawing.marks(pose, "r0", "#ffffff"))
    labelled = [point for point in pose.keypoints_xyv if point[2]]
    assert [mark.x for mark in drawn if mark.shape == "circle"] == [x for x, _, _ in labelled]
    for mark in drawn:
        if mark.shape == "line":  # only between points that are labelled
            assert {mark.x, mark.x2} <= {x for x, _, _ in labelled}


# --- in a browser ----------------------------------------------------------------------------------------------------

PROBE = """
const found = {title: document.title, loaded: [], shown: []};
const select = document.querySelector("[data-filter=task]");
const visible = () => [...document.querySelectorAll("article.card")].filter((card) => !card.hidden).length;
found.shown.push(visible());
select.value = "rec"; select.dispatchEvent(new Event("input"));
found.shown.push(visible());
const words = document.querySelector("[data-filter=words]");
words.value = "no such words anywhere"; words.dispatchEvent(new Event("input"));
found.shown.push(visible());
found.empty = !document.querySelector(".empty").hidden;
words.value = ""; select.value = ""; words.dispatchEvent(new Event("input"));
const card = document.querySelector('article[data-task="det"]');
const phrase = card.querySelector(".phrase");
phrase.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
found.lit = [...card.querySelectorAll("svg .on")].map((part) => part.dataset.key);
found.keys = phrase.dataset.key.trim().split(" ");
card.dispatchEvent(new PointerEvent("pointerleave"));
found.dark = card.querySelectorAll(".on").length;
const figure = card.querySelector("figure");
const [image, svg] = [figure.querySelector("img"), figure.querySelector("svg")].map((part) => part.getBoundingClientRect());
found.aligned = Math.abs(image.width - svg.width) < 1 && Math.abs(image.height - svg.height) < 1;
window.addEventListener("load", () => {
  found.loaded = [...document.querySelectorAll("figure img")].map((image) => image.complete && image.naturalWidth > 0);
  const told = document.createElement("pre"); told.id = "told"; told.textContent = JSON.stringify(found);
  document.body.append(told);
});
"""


def test_in_a_browser(small_dataset, tmp_path, browse):
    total = show(small_dataset, tmp_path / "page.html", per_task=3)
    dom = browse(tmp_path / "page.html", PROBE)
    told = json.loads(re.search(r'<pre id="told">(.*?)</pre>', dom, re.DOTALL)[1].replace("&amp;", "&"))
    assert told["shown"] == [total, 3, 0]
    assert told["empty"]
    assert told["lit"]
    assert set(told["lit"]) == set(told["keys"])
    assert told["dark"] == 0
    assert told["aligned"]
    assert told["loaded"]
    assert all(told["loaded"])


def test_hostile_text_does_nothing_in_a_browser(handmade, tmp_path, browse):
    handmade.add(1, captions=(HOSTILE,), expressions=(Expression("1", HOSTILE, ("1",)),))
    build(handmade.chosen(), Options(("caption", "rec")), tmp_path / "out", Silent())
    show(tmp_path / "out", tmp_path / "page.html")
    dom = browse(tmp_path / "page.html")
    assert "<title>2 dialogues, VT-Instruct</title>" in dom
    assert "&lt;script&gt;document.title" in dom
