"""Every trap fallen into on purpose: one line of ours is changed in memory to what others have, and the trap's test must fail.

    pytest -m slow tests/benchmarks/test_falling.py

A line that is no longer in its file fails the quick test below: then the trap needs its new line, not a smaller list.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = '''
"""The module named in FALL is loaded with one text in place of another."""
import importlib.abc, importlib.machinery, json, os, pathlib, sys

name, old, new = json.loads(os.environ["FALL"])
assert name not in sys.modules


class Fallen(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        source = pathlib.Path(self.path).read_text()
        assert source.count(old), f"{self.path} no longer has {old!r}"
        return compile(source.replace(old, new), self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        if fullname == name:
            spec = importlib.machinery.PathFinder.find_spec(fullname, path)
            spec.loader = Fallen(fullname, spec.origin)
            return spec


sys.meta_path.insert(0, Finder())
'''
OFFICIAL, SCORERS = "benchmarks.official.", "benchmarks.scorers."
# module, what it says, what is said in the trap, the test that must fail
FALLS = (
    (f"{OFFICIAL}_files", 'row["id"] = number + 1', 'row["id"] = number', "test_official.py::test_ids_from_zero_and_equal_ids_cost_nothing"),
    (f"{OFFICIAL}_instances", 'slim = ("image_id", "category_id", "score", field)', 'slim = ("image_id", "category_id", "score", field, "bbox")',
     "test_official.py::test_a_box_beside_a_mask_moves_no_number_but_the_scripts"),
    (f"{OFFICIAL}_instances", '            unknown[row["category_id"]] += 1\n', "",
     "test_traps.py::test_results_of_an_unknown_class_are_counted_and_change_no_number"),
    ("benchmarks.engine", "return None if value < 0 else float(value)", "return float(value)",
     "test_traps.py::test_what_is_undefined_is_null_where_the_original_prints_minus_one"),
    (f"{SCORERS}_ap", "        if equal:\n", "        if False:\n", "test_traps.py::test_without_confidences_ap_is_a_range_and_f1_stands_beside"),
    ("benchmarks.engine_lvis", "MOST = 300", "MOST = 3000", "test_traps.py::test_lvis_keeps_300_answers_before_it_leaves_classes_out"),
    ("benchmarks.engine_lvis", "float(numbers[name]) if", 'float(numbers["AP"]) if',
     "test_traps.py::test_lvis_numbers_by_frequency_are_of_their_own_classes"),
    ("benchmarks.skeletons", "35, 35, 79, 79", "35, 35, 69, 79", "test_skeletons.py::test_sigmas_are_those_of_the_sources"),
    (f"{SCORERS}pq", "half = iou > 0.5", "half = iou >= 0.5", "test_traps.py::test_a_panoptic_match_needs_more_than_half"),
    (f"{SCORERS}pq", "inside[t, f] - overlap[-1, f])", "inside[t, f])", "test_traps.py::test_void_is_no_part_of_a_panoptic_union"),
    (f"{SCORERS}pq", "pixels[f] += overlap[crowd[region.category], f]", "pixels[f] += 0",
     "test_traps.py::test_an_answer_in_a_panoptic_crowd_of_its_class_is_no_false_alarm"),
    (f"{SCORERS}pq", "if t not in true_hit and not s.crowd", "if t not in true_hit",
     "test_traps.py::test_an_answer_in_a_panoptic_crowd_of_its_class_is_no_false_alarm"),
    (f"{OFFICIAL}panoptic", 'key=lambda segment: math.inf if segment["iscrowd"] else segment["id"]', 'key=lambda segment: -segment["id"]',
     "test_official.py::test_panoptic_files_of_other_makers_give_the_official_bits"),
    (f"{OFFICIAL}miou", '"mIoU": float(np.nanmean(iou))', '"mIoU": float(np.nansum(iou) / len(names))',
     "test_traps.py::test_miou_is_of_the_set_without_255_and_absent_classes_are_said"),
    (f"{OFFICIAL}miou", "        kept = true != NOT\n", "        kept = true >= NOT\n",
     "test_traps.py::test_miou_is_of_the_set_without_255_and_absent_classes_are_said"),
    (f"{OFFICIAL}_cityscapes", "29, 30, 31", "31",
     "test_official.py::test_cityscapes_classes_categories_and_objects_have_the_bits_of_its_own_script"),
    (f"{SCORERS}rec", "_iou(found[0] if found else None, true[0])", "max([_iou(f, true[0]) for f in found], default=0.0)",
     "test_definitions.py::test_rec_takes_the_first_box_and_counts_every_sample"),
    (f"{SCORERS}_masks", "return rle_union(rles) if rles else None", "return rles[0] if rles else None",
     "test_traps.py::test_res_takes_the_union_of_all_parts_and_no_mask_for_an_empty_one"),
    ("benchmarks.answers", "mask.mask_rle.size_hw != (size_wh[1], size_wh[0])", "False",
     "test_traps.py::test_res_is_judged_at_the_photos_resolution"),
    (f"{SCORERS}gres", 'script = said & (rows["masks"] == 0)', 'script = said & (rows["found_area"] == 0)',
     "test_more_definitions.py::test_gres_is_the_published_loop_and_an_empty_mask_says_nothing_beside_it"),
    (f"{SCORERS}gres", 'said = (rows["state"] != "missing")', 'said = (rows["state"] != "")',
     "test_more_definitions.py::test_a_missing_answer_does_not_say_nothing"),
    (f"{SCORERS}absent", "return iou - np.divide(hull - union, hull, out=np.zeros_like(hull), where=hull > 0)", "return iou",
     "test_more_definitions.py::test_grec_script_takes_generalised_iou"),
    (f"{SCORERS}gcg", ".sum()) / max(iou.shape)", ".sum()) / min(iou.shape)",
     "test_traps.py::test_keeping_the_best_mask_alone_lifts_glamms_miou_and_not_the_corrected_one"),
    ("benchmarks.depth", '    if name == "none":\n', "    if True:\n",
     "test_traps.py::test_crops_caps_and_alignments_change_depth_and_stand_in_its_name"),
    ("benchmarks.depth", 'if alignment == "median":', 'if alignment == "medium":',
     "test_traps.py::test_crops_caps_and_alignments_change_depth_and_stand_in_its_name"),
    (f"{OFFICIAL}captions", "references.setdefault(image, []).append(caption)", "references.setdefault(image, [caption])",
     "test_traps.py::test_captions_count_against_all_references_and_cider_of_few_photos_is_said"),
    (f"{SCORERS}vqa", "/ 3", "/ 1", "test_vqa.py::test_soft_accuracy_is_the_official_one"),
    (f"{SCORERS}pope", '{"No", "not", "no"}', '{"no"}', "test_official_words.py::test_pope_answers_by_both_readings"),
    (f"{OFFICIAL}noc", "[clicks_needed(curve, level, limit) for curve in curves]",
     "[clicks_needed(curve, level, limit) for curve in curves if max(curve) >= level]",
     "test_traps.py::test_a_session_that_never_gets_there_costs_all_its_clicks"),
)  # fmt: skip


def test_every_line_that_is_changed_is_there() -> None:
    gone = [(name, old) for name, old, *_ in FALLS if old not in (ROOT / f"{name.replace('.', '/')}.py").read_text()]
    assert not gone


@pytest.mark.slow
@pytest.mark.parametrize("fall", FALLS, ids=[f"{n}-{fall[3].split('::')[1]}" for n, fall in enumerate(FALLS)])
def test_the_trap_is_told(fall: tuple[str, str, str, str], tmp_path: Path) -> None:
    *change, test = fall
    (tmp_path / "falling.py").write_text(PLUGIN)
    file, name = test.split("::")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "falling", "-p", "no:cacheprovider", f"tests/benchmarks/{file}", "-k", name],
        cwd=ROOT, env={**os.environ, "FALL": json.dumps(change), "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout[-800:] + done.stderr[-800:]
    assert f"FAILED tests/benchmarks/{test}" in done.stdout, done.stdout[-800:]
