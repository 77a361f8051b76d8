"""The three pages in headless Chromium: no error, every image decoded, nothing asked of a network, headings that sort, and
hostile words that stay words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.dataset import open_dataset
from tests.benchmarks.made import (
    coco_dialogues,
    dialogue,
    made_coco,
    prediction_of,
    vocabulary_of,
    write_dataset,
    write_predictions,
)
from tests.benchmarks.perturbed import perturbed
from tests.benchmarks.road import bench, score
from vtinstruct.dialogue import Evaluation, Triplet

EVIL = "<img src=x onerror=\"document.title='taken'\">"

WATCH = """<head><script>
window.problems = [];
addEventListener("error", (event) => problems.push(event.message || event.target.outerHTML), true);
addEventListener("securitypolicyviolation", (event) => problems.push(event.blockedURI + " " + event.violatedDirective));
</script>"""

PROBE = """
const found = {tables: [], words: []};
for (const table of document.querySelectorAll("table")) {
  for (const head of table.querySelectorAll("th[data-sort=number]")) {
    const values = () => [...table.tBodies[0].rows].map((row) => row.cells[head.cellIndex].dataset.value);
    head.click(); const down = values(); head.click(); const up = values();
    found.tables.push({heading: head.textContent, down, up});
  }
  for (const head of table.querySelectorAll("th[data-sort=text]")) {
    const values = () => [...table.tBodies[0].rows].map((row) => row.cells[head.cellIndex].textContent.trim());
    const press = () => head.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
    press(); const down = values(); press(); const up = values();
    const right = [...up].sort((a, b) => a.localeCompare(b));
    found.words.push(up.join() === right.join() && down.join() === right.reverse().join());
  }
}
addEventListener("load", () => {
  found.images = [...document.images].map((image) => image.complete && image.naturalWidth > 0);
  found.photos = [...document.querySelectorAll("svg image")].map((image) => image.getBoundingClientRect().width > 0);
  found.asked = performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:"));
  found.links = [...document.querySelectorAll("[src], [href]")]
    .map((part) => part.getAttribute("src") ?? part.getAttribute("href"))
    .filter((link) => !link.startsWith("data:") && !link.startsWith("#") && link !== "report.html");
  found.nowhere = [...document.querySelectorAll("a[href^='#']")].map((a) => a.getAttribute("href"))
    .filter((link) => !document.getElementById(decodeURIComponent(link.slice(1))));
  found.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  document.body.style.width = "390px";
  found.narrow = [...document.querySelectorAll("main *")].filter((part) => !part.closest(".scroll, .wide, svg")
    && part.getBoundingClientRect().right > 391).map((part) => part.tagName + "." + part.className);
  found.title = document.title;
  found.problems = problems;
  const told = document.createElement("pre"); told.id = "told"; told.textContent = JSON.stringify(found);
  document.body.append(told);
});
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run's page, the leaderboard of two models and their comparison, hostile words wherever words come from outside."""
    root = tmp_path_factory.mktemp("pages")
    coco = made_coco(3, photos=8)
    coco["categories"][3]["name"] = EVIL
    classes = {category["id"]: category["name"] for category in coco["categories"]}
    truths = coco_dialogues(coco, "det", "box")
    masks = coco_dialogues(coco, "seg", "mask")
    truths += [replace(one, source="other") if n % 2 else one for n, one in enumerate(masks)]  # a suite of two sets
    truths.append(dialogue("cap0", "caption", [EVIL], (160, 120), Evaluation(references=(EVIL,)), question=[EVIL]))
    data = write_dataset(root / "data", truths, vocabulary_of(coco))
    dataset, splits = open_dataset(data)
    held = [truth for task in dataset.tasks(splits[0]) for truth in dataset.dialogues(task, splits[0])]
    for name, model, seed in (("first", f"one {EVIL}", 1), ("second", "two", 2)):
        rng, answers = np.random.default_rng(seed), []
        for truth in held:
            kind = {"det": "box", "seg": "mask"}.get(truth.task)
            parts: Any = [EVIL] if kind is None else [
                Triplet(phrase, kind, (reference,)) for phrase, reference in perturbed(truth, rng, classes)
            ]  # fmt: skip
            answers.append(prediction_of(truth, parts or ["Nothing."]))
        file = write_predictions(root / f"{name}.jsonl", dataset.hash, answers, model)
        assert score(file, data, root / name).exit_code == 0
    assert bench("leaderboard", root / "first", root / "second", "--out", root).exit_code == 0
    done = bench("compare", root / "first", root / "second", "--resamples", 30, "--out", root / "compare.html",
                 "--data", data, "--predictions", root / "first.jsonl", "--predictions", root / "second.jsonl")  # fmt: skip
    assert done.exit_code == 0
    return {
        "report": root / "first/report.html", "leaderboard": root / "leaderboard.html", "compare": root / "compare.html"
    }  # fmt: skip


def _ordered(texts: list[str], down: bool) -> bool:
    """Numbers in order, undefined ones last either way."""
    numbers = [float(text) for text in texts if text]
    return texts[: len(numbers)] == [t for t in texts if t] and numbers == sorted(numbers, reverse=down)


@pytest.mark.parametrize("page", ["report", "leaderboard", "compare"])
def test_in_a_browser(page: str, pages: dict[str, Path], browse: Callable[[Path, str], str], tmp_path: Path) -> None:
    watched = tmp_path / "page.html"
    watched.write_text(pages[page].read_text(encoding="utf-8").replace("<head>", WATCH, 1), encoding="utf-8")
    dom = browse(watched, PROBE)
    told = json.loads(unescape(re.search(r'<pre id="told">(.*?)</pre>', dom, re.DOTALL)[1]))  # type: ignore[index]
    assert told["problems"] == []
    assert told["asked"] == []
    assert all(link in ("first/report.html", "second/report.html") for link in told["links"])
    assert told["nowhere"] == []
    assert told["title"].endswith("VT-Instruct benchmark")
    assert not told["wide"]
    assert told["narrow"] == []  # nothing beyond a telephone's width
    assert all([*told["images"], *told["photos"]])
    assert bool(told["photos"]) == (page != "leaderboard")
    assert told["tables"]
    assert told["words"]
    assert all(told["words"])
    for table in told["tables"]:
        assert _ordered(table["down"], down=True), table
        assert _ordered(table["up"], down=False), table
    drawn = {
        "report": (
            "Confidence and precision",
            "Instances at IoU .5: annotated by answered",
            'class="told"',
            'class="matrix"',
            "classes of hand val",
            "AP50",
        ),
        "compare": ("annotated</figcaption>", "two</figcaption>", "undecided"),
        "leaderboard": ('style="fill:#', 'class="whisker"', 'class="part"'),
    }
    assert all(words in dom for words in drawn.get(page, ()))
    assert "&lt;img src=x onerror" in dom
    assert "<img src=" not in dom
