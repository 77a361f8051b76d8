"""Official caption, VQA, POPE and grounded caption files in their own layouts: the numbers of the scorers, or one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from benchmarks.official import OfficialError, captions, gcg, pope, vqa
from benchmarks.scorers._ptb import tokens
from tests.benchmarks.road import bench


def written(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


# --- captions --------------------------------------------------------------------------------------------------------


def test_real_captions_give_the_official_numbers(tiny_coco, shared_data, tmp_path: Path) -> None:
    """Every photo's last caption as the result, held against all five by both programs."""
    pytest.importorskip("pycocoevalcap", reason="the official caption scores are not installed")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    rows = tiny_coco("captions_val2017.json")["annotations"]
    last = {row["image_id"]: row["caption"] for row in rows}
    said = {image: f"{caption.split('.')[0]} on a table" for image, caption in list(last.items())[:40]}
    results = written(tmp_path, "results.json", [{"image_id": i, "caption": c} for i, c in said.items()])
    found = captions(shared_data("coco_tiny") / "annotations/captions_val2017.json", results)
    truth: dict[int, list[str]] = {image: [] for image in sorted(said)}
    for row in rows:
        if row["image_id"] in truth:
            truth[row["image_id"]].append(" ".join(tokens(row["caption"])))
    answers = {image: [" ".join(tokens(said[image]))] for image in truth}
    bleu = Bleu(4).compute_score(truth, answers, verbose=0)[0]
    for n in range(4):
        assert found.numbers[f"Bleu_{n + 1}"] == pytest.approx(bleu[n], rel=1e-12)
    assert found.numbers["ROUGE_L"] == pytest.approx(Rouge().compute_score(truth, answers)[0], rel=1e-12)
    assert found.numbers["CIDEr"] == pytest.approx(Cider().compute_score(truth, answers)[0], rel=1e-12)
    assert found.notes[0] == "40 of 50 captioned images have a result, and are scored"
    assert found.numbers["METEOR"] is None


@pytest.mark.parametrize(("order", "right"), [((1, 2, 3), 6), ((1, 3, 2), 5), ((), 6)])
def test_captions_are_read_in_the_order_of_the_images(order: tuple[int, ...], right: int, tmp_path: Path) -> None:
    """The official script hands all captions to its tokenizer at once: "plan B." keeps its full stop or not by what follows."""
    said = [{"image_id": n, "caption": text} for n, text in ((1, "plan B."), (2, "The cat"), (3, "the cat"))]
    people = [{"image_id": n, "caption": text} for n, text in ((1, "plan b ."), (2, "the cat"), (3, "the cat"))]
    truth = {"images": [{"id": n} for n in order], "annotations": people}
    paths = written(tmp_path, "gt.json", truth), written(tmp_path, "dt.json", said)
    assert captions(*paths).numbers["Bleu_1"] == pytest.approx(right / 6)


def test_ids_may_be_texts_or_have_a_whole_point(tmp_path: Path) -> None:
    spoken = [{"image_id": n, "caption": f"a red car number {n}"} for n in (1, 2, 3)]
    said = [{"image_id": n, "caption": "a red car"} for n in (3, 1)]
    people = [{"question_id": n, "answers": [{"answer": "yes", "answer_id": k} for k in range(10)]} for n in (1, 2)]
    answers = [{"question_id": n, "answer": "yes"} for n in (2, 1)]
    for score, field, truth, found in ((captions, "image_id", spoken, said), (vqa, "question_id", people, answers)):
        numbers: list[Any] = []
        for name in (int, float, "photo-{}".format):
            table, rows = ([{**row, field: name(row[field])} for row in side] for side in (truth, found))
            paths = written(tmp_path, "gt.json", {"annotations": table}), written(tmp_path, "dt.json", rows)
            numbers.append(score(*paths).numbers)
        assert numbers[0] == numbers[1] == numbers[2]
        assert max(value for value in numbers[0].values() if value is not None) > 0.5


TRUTH = {"annotations": [{"image_id": n, "caption": f"a red car number {n}"} for n in (1, 2, 3)]}


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([{"image_id": 9, "caption": "a"}], "image 9, which has no annotated caption"),
        ([{"image_id": 1, "caption": "a"}] * 2, "second caption for image 1"),
        ([{"image_id": "1", "caption": "a"}], "image_id '1'; a whole number is right"),
        ([{"image_id": 1, "caption": None}], "caption None; a text is right"),
        ({"image_id": 1}, "a list of objects is right"),
        ("[{", "not JSON"),
    ],
)
def test_broken_caption_results_are_one_line(tmp_path: Path, results: Any, words: str) -> None:
    with pytest.raises(OfficialError, match=words):
        captions(written(tmp_path, "gt.json", TRUTH), written(tmp_path, "results.json", results))


def test_no_caption_results_have_no_numbers(tmp_path: Path) -> None:
    found = captions(written(tmp_path, "gt.json", TRUTH), written(tmp_path, "results.json", []))
    assert set(found.numbers.values()) == {None}
    assert list(found.numbers)[:5] == ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR"]


# --- VQA -------------------------------------------------------------------------------------------------------------


def question(id_: int, answers: list[str], kind: str = "other") -> dict[str, Any]:
    people = [{"answer": answer, "answer_id": n} for n, answer in enumerate(answers, start=1)]
    return {"question_id": id_, "image_id": 1, "question_type": "what", "answer_type": kind, "answers": people}


def test_vqa_results_by_type(tmp_path: Path) -> None:
    seen = json.loads((Path(__file__).parent / "vqa_answers.json").read_text("utf-8"))["scored"]
    asked = [question(n, answers, ("yes/no", "other")[n % 2]) for n, (_, answers, _) in enumerate(seen)]
    annotations = written(tmp_path, "annotations.json", {"annotations": asked})
    said = [{"question_id": n, "answer": answer} for n, (answer, _, _) in enumerate(seen)]
    found = vqa(annotations, written(tmp_path, "results.json", said))
    expected = [score for _, _, score in seen]
    assert found.numbers["accuracy"] == pytest.approx(sum(expected) / len(expected), rel=1e-12)
    even = {row["class"]: row["accuracy"] for row in found.classes if row["by"] == "answer_type"}
    assert even["yes/no"] == pytest.approx(sum(expected[::2]) / len(expected[::2]), rel=1e-12)
    assert found.numbers["accuracy[corrected]"] > found.numbers["accuracy"]  # type: ignore[operator]
    part = vqa(annotations, written(tmp_path, "some.json", said[:5]))
    assert part.numbers["accuracy"] == pytest.approx(sum(expected[:5]) / len(expected), rel=1e-12)
    assert part.notes == (f"5 of {len(seen)} questions are answered; the others count 0",)


def test_people_without_ids_are_taken_for_one_as_the_original_does(tmp_path: Path) -> None:
    asked = question(1, ["yes"] * 4 + ["No."] * 3 + ["no"] * 3)
    said = written(tmp_path, "results.json", [{"question_id": 1, "answer": "yes"}])
    assert vqa(written(tmp_path, "with.json", {"annotations": [asked]}), said).numbers["accuracy"] == 1.0
    for person in asked["answers"]:
        del person["answer_id"]
    found = vqa(written(tmp_path, "without.json", {"annotations": [asked]}), said)
    assert found.numbers == {"accuracy": 0.6, "accuracy[corrected]": 1.0}  # who says yes sees nobody else say it
    assert found.notes[1].startswith("1 questions' answers have no answer_id of their own")


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([{"question_id": 5, "answer": "a"}], "question 5, which is not annotated"),
        ([{"question_id": 1, "answer": "a"}] * 2, "question 1 again"),
        ([{"question_id": 1, "answer": 2}], "answer 2; a text is right"),
    ],
)
def test_broken_vqa_results_are_one_line(tmp_path: Path, results: Any, words: str) -> None:
    annotations = written(tmp_path, "annotations.json", {"annotations": [question(1, ["a"] * 10)]})
    with pytest.raises(OfficialError, match=words):
        vqa(annotations, written(tmp_path, "results.json", results))
    with pytest.raises(OfficialError, match="no answers"):
        vqa(written(tmp_path, "none.json", {"annotations": [question(1, [])]}), written(tmp_path, "r.json", []))


# --- POPE ------------------------------------------------------------------------------------------------------------


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_pope_answers_by_both_readings(tmp_path: Path) -> None:
    labels = [{"question_id": n, "label": label} for n, label in enumerate(("yes", "yes", "no", "no"))]
    said = [{"question_id": n, "answer": text} for n, text in enumerate(("Yes", "No", "Yes", "NO"))]
    found = pope(written(tmp_path, "labels.json", lines(labels)), written(tmp_path, "answers.jsonl", lines(said)))
    assert (found.numbers["accuracy"], found.numbers["accuracy[script]"]) == (0.5, 0.25)
    assert list(found.numbers)[:5] == [f"{n}[script]" for n in ("accuracy", "precision", "recall", "F1", "yes_ratio")]
    large = [{**row, "label": row["label"].title()} for row in labels]  # as VLMEvalKit's tables write them
    paths = written(tmp_path, "large.json", lines(large)), written(tmp_path, "answers.jsonl", lines(said))
    assert pope(*paths).numbers == found.numbers
    as_lists = (
        written(tmp_path, f"{n}.json", json.dumps(rows, indent=1)) for n, rows in (("one", labels), ("two", said))
    )
    assert pope(*as_lists).numbers == found.numbers


def test_real_pope_probes(shared_data, tmp_path: Path) -> None:
    labels = shared_data("pope") / "coco/coco_pope_popular.json"
    rows = [json.loads(line) for line in labels.read_text().splitlines() if line.strip()]
    said = [{"question_id": row["question_id"], "text": f"{row['label'].capitalize()}, I think."} for row in rows]
    found = pope(labels, written(tmp_path, "answers.jsonl", lines(said)))
    assert found.numbers["accuracy"] == found.numbers["F1[script]"] == 1.0
    assert found.numbers["yes_ratio"] == 0.5


def test_answers_to_several_label_files_are_told_apart_by_the_questions(tmp_path: Path) -> None:
    """As LLaVA's and InternVL's `eval_pope.py`: ids run through all categories, those of the label files do not."""
    kinds = {"random": ("yes", "no"), "popular": ("no", "yes", "no")}
    asked = [
        {"question_id": n, "category": kind}
        for n, kind in enumerate(["popular", "random", "popular", "random", "popular"])
    ]
    said = [{"question_id": n, "text": text} for n, text in enumerate(("No.", "Yes", "No", "Yes", "No"))]
    paths = written(tmp_path, "answers.jsonl", lines(said)), written(tmp_path, "questions.jsonl", lines(asked))
    for kind, accuracy in (("random", 1 / 2), ("popular", 2 / 3)):
        rows = [{"question_id": n, "label": label} for n, label in enumerate(kinds[kind], start=1)]
        labels = written(tmp_path, f"coco_pope_{kind}.json", lines(rows))
        assert pope(labels, *paths).numbers["accuracy[script]"] == accuracy
        shown = bench("pope", str(labels), str(paths[0]), "--questions", str(paths[1]))
        assert f"{accuracy:.6f}" in shown.stdout
        with pytest.raises(OfficialError, match="5 answers to"):
            pope(labels, paths[0])
    other = written(tmp_path, "coco_pope_adversarial.json", lines([{"label": "yes"}]))
    with pytest.raises(
        OfficialError, match="no answered question of category 'adversarial'; its categories are popular, random"
    ):
        pope(other, *paths)
    with pytest.raises(OfficialError, match="line 2 is for question 1, which is not in"):
        pope(labels, paths[0], written(tmp_path, "questions.jsonl", lines(asked[:1])))


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([], "is empty; JSON lines, or a list, are right"),
        ([{"question_id": 2, "answer": "yes"}], "for question 2, the label's is 1"),
        ([{"question_id": 1}], "a text is right"),
        (["yes"], "an object is right"),
    ],
)
def test_broken_pope_answers_are_one_line(tmp_path: Path, answers: list[Any], words: str) -> None:
    labels = written(tmp_path, "labels.json", lines([{"question_id": 1, "label": "yes"}]))
    with pytest.raises(OfficialError, match=words):
        pope(labels, written(tmp_path, "answers.jsonl", lines(answers)))
    with pytest.raises(OfficialError, match="line 1 is not JSON"):
        pope(labels, written(tmp_path, "torn.jsonl", '{"answer": "ye'))


# --- GLaMM -----------------------------------------------------------------------------------------------------------


def rle(x: int, y: int, side: int = 10) -> dict[str, Any]:
    mask = np.zeros((40, 60), np.uint8, order="F")
    mask[y : y + side, x : x + side] = 1
    found = coco_mask.encode(mask)
    return {"size": [40, 60], "counts": found["counts"].decode()}


def glamm(folder: Path) -> tuple[Path, Path, Path]:
    """Two images: one answered in full, one with a mask too few."""
    regions = {
        7: [("the dog", rle(0, 0)), ("a red car", rle(20, 5))],
        8: [("two cats", rle(3, 3)), ("grass", rle(30, 20))],
    }
    images = [{"id": image, "height": 40, "width": 60} for image in regions]
    anns = [
        {"id": 0, "image_id": image, "category_id": 1, "segmentation": mask, "area": 100, "bbox": [0, 0, 1, 1], "iscrowd": 0}
        for image, found in regions.items() for _, mask in found
    ]  # fmt: skip
    categories = [{"id": 1, "name": "object"}]
    masks = written(folder, "masks.json", {"images": images, "annotations": anns, "categories": categories})
    texts = {7: "The dog sits by a red car.", 8: "Two cats lie on grass."}
    spoken = [{"image_id": i, "id": i, "caption": texts[i], "labels": [w for w, _ in regions[i]]} for i in regions]
    caption_file = written(folder, "captions.json", {"images": images, "annotations": spoken})
    for image, found in regions.items():
        kept = found if image == 7 else found[:1]
        answer = {"caption": texts[image], "phrases": [w for w, _ in kept], "pred_masks": [m for _, m in kept]}
        written(folder, f"answers/{image}.json", {f"{image}.jpg": answer} if image == 7 else answer)
    return masks, caption_file, folder / "answers"


def test_glamms_layout(tmp_path: Path) -> None:
    paths = glamm(tmp_path)
    found = gcg(*paths)
    assert (
        found.numbers["mIoU[script]"] == found.numbers["precision@.5"] == 1.0
    )  # a mask too few costs the script nothing
    assert found.numbers["mIoU"] == 0.75
    assert found.numbers["recall[script]"] == found.numbers["recall@.5"] == 0.75
    assert found.numbers["AP50"] == pytest.approx(0.7524752475)  # recall .75 of 101 levels at precision 1
    assert found.numbers["CIDEr-D[corrected]"] == pytest.approx(10.0)
    (paths[2] / "7.json").unlink()
    assert gcg(*paths).numbers["recall@.5"] == 0.25
    done = bench("gcg", *paths, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["notes"][0] == "2 images, 1 without an answer, which count as wrong"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phrases": ["one"]}, "1 phrases for 2 masks"),
        ({"pred_masks": [{"size": [4, 4], "counts": "0"}], "phrases": ["a"]}, "has a mask of size"),
        ({"caption": None}, "no caption with pred_masks"),
    ],
)
def test_broken_glamm_answers_are_one_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    masks, caption_file, answers = glamm(tmp_path)
    answer = json.loads((answers / "7.json").read_text())["7.jpg"]
    written(answers, "7.json", {"7.jpg": {**answer, **change}})
    with pytest.raises(OfficialError, match=words):
        gcg(masks, caption_file, answers)
