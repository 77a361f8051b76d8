"""SUN RGB-D: turned bits become metres, the official list makes the splits, the real pair, broken files by reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from tests.converters.vision import grey, read, reasons, shot, tiny_photo, write
from vtinstruct import plugins
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.photos import open_photo, read_depth
from vtinstruct.shards import read_dialogues
from vtinstruct.source import SourceError
from vtinstruct.units import Depth

NAME = "sunrgbd"
THEIRS = "/n/fs/sun3d/data/SUNRGBD/"


def test_sample_in_metres(tmp_path: Path) -> None:
    root, splits = write(NAME, tmp_path)
    assert splits == ("train", "test")
    listed = loadmat(root / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat")
    for split, key in (("train", "alltrain"), ("test", "alltest")):
        records, drops = read(NAME, root, split)
        assert not drops
        assert [THEIRS + record.id for record in records] == [str(cell[0]) for cell in listed[key][0]]
        for record in records:
            truth = shot(int(record.id.rpartition("/")[2])).scene.depth_m
            assert record.depth is not None
            metres = read_depth(root, record.depth)
            assert metres == pytest.approx(np.minimum(truth, 8), abs=0.0005 + 1e-6)
            assert (truth > 8).any() == (metres == 8).any()


def test_the_sample_is_the_same_to_the_byte(tmp_path: Path) -> None:
    found = [write(NAME, tmp_path / name)[0] / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat" for name in "ab"]
    assert found[0].read_bytes() == found[1].read_bytes()
    assert b"Created" not in found[0].read_bytes()


def split_file(root: Path, train: Sequence[str], test: Sequence[str] = ()) -> None:
    path = root / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = {"alltrain": np.array([list(train)], object), "alltest": np.array([list(test)], object)}
    savemat(path, cells)


def frame(root: Path, name: str, levels: object = ((8, 8008, 5), (0, 65535, 80)), folder: str = "depth_bfx") -> Path:
    path = root / "SUNRGBD" / name
    tiny_photo(path / "image/a.jpg", (3, 2))
    grey(path / folder / "b.png", levels, np.uint16)
    return path


def test_what_the_toolbox_says_of_a_pixel(tmp_path: Path) -> None:
    """0123456789ABCDEF is stored as 3456789ABCDEF012: 8 is 1 mm, 5 is 40.96 m, which counts as 8 m."""
    frame(tmp_path, "kv2/kinect2data/000002_2014", folder="depth")
    split_file(tmp_path, [f"{THEIRS}kv2/kinect2data/000002_2014/"])
    (record,), drops = read(NAME, tmp_path, "train")
    assert not drops
    assert record.id == "kv2/kinect2data/000002_2014"
    assert record.photo is not None
    assert record.photo.id == "sunrgbd:kv2/kinect2data/000002_2014"
    assert record.depth is not None
    metres = read_depth(tmp_path, record.depth, (3, 2))
    assert metres == pytest.approx(np.array([[0.001, 1.001, 8], [0, 8, 0.01]]))


def test_filled_depth_goes_first_and_nyu_is_known(tmp_path: Path) -> None:
    path = frame(tmp_path, "kv1/NYUdata/NYU0001")
    grey(path / "depth/b.png", [[0, 0, 0], [0, 0, 0]], np.uint16)
    frame(tmp_path, "xtion/sun3ddata/x")
    assert plugins.load("converters", NAME).find(tmp_path) == ("whole",)
    records, drops = read(NAME, tmp_path, "whole")
    assert not drops
    assert [record.id for record in records] == ["kv1/NYUdata/NYU0001", "xtion/sun3ddata/x"]
    assert records[0].photo is not None
    assert records[0].photo.id == "nyuv2:labeled/0"  # so that its copy in nyuv2 is seen as the same photo
    assert records[0].depth is not None
    assert "depth_bfx/" in records[0].depth.path


def test_the_real_pair(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    given = shared_data("depth_open3d_rgbd") / "RGBD" / "other_formats"
    base = tmp_path / "xtion/sun3ddata/a"  # the root may be SUNRGBD/ itself
    for folder, name in (("image", "SUN_color.jpg"), ("depth_bfx", "SUN_depth.png")):
        (base / folder).mkdir(parents=True)
        (base / folder / name).write_bytes((given / name).read_bytes())
    (record,), drops = read(NAME, tmp_path, "whole")
    assert not drops
    assert record.photo is not None
    assert record.photo.size_wh == (640, 480)
    assert record.depth is not None
    metres = read_depth(tmp_path, record.depth, record.photo.size_wh)
    # The file itself, by Pillow and plain numbers.
    stored = [int(value) for value in np.asarray(Image.open(given / "SUN_depth.png")).reshape(-1)]
    millimetres = [value // 8 + value % 8 * 8192 for value in stored]
    assert (max(stored), max(millimetres), millimetres.count(0)) == (64152, 9870, 56012)
    assert metres.reshape(-1) == pytest.approx(np.minimum(np.array(millimetres) / 1000, 8), abs=1e-6)
    assert int((metres == 8).sum()) == sum(value >= 8000 for value in millimetres) > 8000


def test_faults_cost_one_frame_each(tmp_path: Path) -> None:
    names = [f"realsense/a/{n}" for n in range(9)]
    frames = [frame(tmp_path, name) for name in names]
    split_file(
        tmp_path,
        [*(THEIRS + name for name in names), THEIRS + names[0], "elsewhere", THEIRS + "../../x", f"{THEIRS}gone"],
    )
    (frames[1] / "image/a.jpg").unlink()
    (frames[2] / "depth_bfx/b.png").unlink()
    tiny_photo(frames[3] / "image/a.jpg", (4, 4))
    grey(frames[4] / "depth_bfx/b.png", [[1, 2, 3], [4, 5, 6]])  # 8 bits
    (frames[5] / "depth_bfx/b.png").write_bytes(b"no picture")
    grey(frames[6] / "depth_bfx/c.png", [[1, 2, 3], [4, 5, 6]], np.uint16)
    records, drops = read(NAME, tmp_path, "train")
    assert [record.id[-1] for record in records] == ["0", "6", "7", "8"]
    assert reasons(drops) == {
        "list: frame twice": 1, "list: no frame": 1, "photo: missing": 3, "depth: missing": 1, "photo: another size": 1,
        "depth: not 16 bits": 1, "picture: unreadable": 1, "frame: several pictures": 1,
    }  # fmt: skip


def test_a_broken_list_is_one_line(tmp_path: Path) -> None:
    frame(tmp_path, "kv2/a/1")
    path = tmp_path / "allsplit.mat"
    for data in (b"", b"MATLAB 5.0 MAT-file", bytes(200)):
        path.write_bytes(data)
        with pytest.raises(SourceError, match=r"allsplit\.mat") as caught:
            read(NAME, tmp_path, "train")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("copy", [False, True])
def test_a_build(tmp_path: Path, copy: bool) -> None:
    """Metres come out of a built dataset, with the photos linked to and copied."""
    root, _ = write(NAME, tmp_path)
    out = tmp_path / "out"
    build(choose([f"{NAME}={root}"]), Options(("depth",), copy_photos=copy), out, Silent())
    assert check(out, photos=True).findings == ()
    dialogues = list(read_dialogues(out, "depth", "test"))
    assert dialogues
    for dialogue in dialogues:
        assert isinstance(dialogue.photo, StoredPhoto)
        ((_, _, reference),) = dialogue.references()
        assert isinstance(reference.unit, Depth)
        truth = shot(int(Path(dialogue.photo.path).stem)).scene.depth_m
        assert open_photo(out, dialogue.photo).size == truth.shape[::-1]
        assert read_depth(out, reference.unit) == pytest.approx(np.minimum(truth, 8), abs=0.0005 + 1e-6)
