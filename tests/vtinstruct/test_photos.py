"""Photos and depth maps: opened as stored, never from outside, never too large, never of another size."""

from __future__ import annotations

import hashlib
import os

import datasets
import numpy as np
import pytest
from PIL import Image, ImageOps

from vtinstruct import photos
from vtinstruct.build import Options, build
from vtinstruct.build.progress import Silent
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.photos import PhotoError, Seen, locate, look, look_depth, open_photo, photo_transform, read_depth
from vtinstruct.units import Depth


@pytest.fixture
def root(tmp_path):
    """A dataset whose `images/own` is a link to a source's folder."""
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "dataset" / "images").mkdir(parents=True)
    (tmp_path / "dataset" / "images" / "own").symlink_to(source)
    return tmp_path / "dataset"


def stored(name, size_wh=(8, 6)):
    return StoredPhoto(f"images/own/{name}", "", size_wh, "own:1")


def save(root, name, picture, **options):
    path = root / "images" / "own" / name
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.gif", "a.tif", "a.ppm"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_every_format_is_looked_at_and_opened(root, name, mode):
    if (name, mode) in {("a.jpg", "P"), ("a.ppm", "P"), ("a.webp", "P")}:
        mode = "RGB"
    path = save(root, name, Image.new(mode, (8, 6), 100))
    assert look(path) == Seen(hashlib.sha256(path.read_bytes()).hexdigest(), (8, 6))
    picture = open_photo(root, stored(name))
    assert (picture.mode, picture.size) == ("RGB", (8, 6))


def test_exif_does_not_turn_a_photo(root):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    picture = Image.new("RGB", (8, 6))
    picture.putpixel((0, 0), (255, 255, 255))
    path = save(root, "turned.png", picture, exif=exif)
    assert look(path).size_wh == (8, 6)
    opened = open_photo(root, stored("turned.png"))
    assert opened.size == (8, 6)
    assert opened.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("embed", [False, True])
@pytest.mark.parametrize("flag", range(2, 9))
def test_exif_does_not_turn_a_photo_on_its_way_from_source_to_trainer(handmade, tmp_path, embed, flag):
    """Each flag there is, through build, `load_dataset` and `photo_transform`: the stored pixels, for which the boxes are."""
    handmade.add(1)
    picture = Image.effect_noise((8, 6), 90)
    exif = Image.Exif()
    exif[0x0112] = flag
    picture.save(handmade.root / "photos/1.png", exif=exif)
    with Image.open(handmade.root / "photos/1.png") as turned:
        assert ImageOps.exif_transpose(turned).tobytes() != picture.tobytes()
    build(handmade.chosen(), Options(("rec",), embed=embed), tmp_path / "out", Silent())
    rows = datasets.load_dataset(str(tmp_path / "out"), "rec", split="train", cache_dir=str(tmp_path / "cache"))
    (shown,) = rows.with_transform(photo_transform(tmp_path / "out"))
    assert (shown["image"]["width"], shown["image"]["height"]) == shown["photo"].size == (8, 6)
    assert shown["photo"].convert("L").tobytes() == picture.tobytes()


def test_rows_and_stored_photos_open_alike(root):
    save(root, "a.png", Image.new("RGB", (8, 6), "red"))
    image = {"path": "images/own/a.png", "sha256": "", "width": 8, "height": 6, "id": "own:1"}
    assert open_photo(root, image).tobytes() == open_photo(root, stored("a.png")).tobytes()
    assert open_photo(root, {"id": "x", "image": image}).size == (8, 6)
    batch = photo_transform(root)({"id": ["x", "y"], "image": [image, None]})
    assert [None if photo is None else photo.size for photo in batch["photo"]] == [(8, 6), None]
    with pytest.raises(PhotoError, match="x: photo: none"):
        open_photo(root, {"id": "x", "image": None})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("gone.png", None, "photo: missing"),
        ("text.png", b"not a picture", "photo: unreadable"),
        ("empty.png", b"", "photo: unreadable"),
        ("eps.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n", "photo: unreadable"),
    ],
)
def test_what_is_no_photo_is_said_with_its_name(root, name, content, reason):
    if content is not None:
        (root / "images" / "own" / name).write_bytes(content)
    with pytest.raises(PhotoError, match=f"{name}: {reason}"):
        open_photo(root, stored(name))


def test_what_is_no_file_is_not_waited_for(root):
    os.mkfifo(root / "pipe.png")
    (root / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(PhotoError, match=f"{name}: depth: unreadable: a folder, pipe or device"):
            read_depth(root, Depth(name, 0.001))


def test_a_photo_cut_off_in_its_pixels(root):
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    path = save(root, "a.png", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:3000])
    assert look(path).size_wh == (80, 60)  # the header is whole
    with pytest.raises(PhotoError, match=r"a\.png: photo: unreadable: cannot be decoded"):
        open_photo(root, stored("a.png", (80, 60)))


def test_another_size_is_refused(root):
    save(root, "a.png", Image.new("RGB", (6, 8)))
    with pytest.raises(PhotoError, match=r"a\.png: photo: another size: \(6, 8\) pixels, the row says \(8, 6\)"):
        open_photo(root, stored("a.png"))


def test_bombs_are_refused_by_their_header(root, monkeypatch):
    save(root, "a.png", Image.new("1", (20_000, 20_000)))
    with pytest.raises(PhotoError, match="photo: too large"):
        open_photo(root, stored("a.png", (20_000, 20_000)))
    save(root, "b.png", Image.new("1", (10_000, 10_000)))  # Pillow only warns of this one
    with pytest.raises(PhotoError, match="photo: too large"):
        look(root / "images" / "own" / "b.png")
    monkeypatch.setattr(photos, "MAX_BYTES", 10)
    save(root, "c.png", Image.new("1", (8, 6)))
    with pytest.raises(PhotoError, match=r"c\.png: photo: too large: \d+ bytes"):
        look(root / "images" / "own" / "c.png")


@pytest.mark.parametrize(
    "path", ["images/own/../../secret", "/etc/passwd", "images/own\\..\\x", "..", "images/own/\0", ""]
)
def test_paths_that_lead_out_are_refused(root, path):
    with pytest.raises(PhotoError, match="path outside the dataset"):
        locate(root, path)


@pytest.mark.parametrize("path", ["images/own/\ud800.png", "x" * 300, "a/" * 3000 + "b.png"])
def test_names_that_no_file_can_have_are_refused(root, path):
    with pytest.raises(PhotoError, match=r"photo: no file name: .* are right") as refusal:
        locate(root, path)
    str(refusal.value).encode()
    assert len(str(refusal.value)) < 400


def test_links_that_lead_out_are_refused(root, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "source" / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "plain").symlink_to(tmp_path / "secret.png")
    for path in ("images/own/link.png", "plain"):
        with pytest.raises(PhotoError, match="through a link"):
            locate(root, path)


def test_a_link_to_itself_is_refused(root):
    (root / "round.png").symlink_to("round.png")
    with pytest.raises(PhotoError, match=r"round\.png: (photo|depth): unreadable"):
        read_depth(root, Depth("round.png", 0.001))


def test_depth_in_metres(root):
    levels = np.array([[0, 1000, 65535], [1, 2, 3]], np.uint16)
    save(root, "d.png", Image.fromarray(levels))
    save(root, "d8.png", Image.fromarray(levels.astype(np.uint8)))
    save(root, "df.tif", Image.fromarray(levels.astype(np.float32)))
    np.save(root / "images" / "own" / "d.npy", levels)
    for name in ("d.png", "df.tif", "d.npy"):
        metres = read_depth(root, Depth(f"images/own/{name}", 0.001), (3, 2))
        assert metres.dtype == np.float32
        np.testing.assert_allclose(metres, levels * np.float32(0.001), rtol=1e-6)
        assert look_depth(root / "images" / "own" / name).size_wh == (3, 2)
    assert read_depth(root, Depth("images/own/d8.png", 1.0)).tolist() == (levels % 256).tolist()


def test_what_is_no_depth_map(root):
    save(root, "rgb.png", Image.new("RGB", (3, 2)))
    save(root, "d.png", Image.new("I;16", (3, 2)))
    np.save(root / "images" / "own" / "nan.npy", np.full((2, 3), np.nan))
    np.save(root / "images" / "own" / "cube.npy", np.zeros((2, 3, 4)))
    np.save(root / "images" / "own" / "object.npy", np.array([{}], object), allow_pickle=True)
    np.save(root / "images" / "own" / "texts.npy", np.array([["a", "b"]]))
    np.save(root / "images" / "own" / "complex.npy", np.ones((2, 3), complex))
    with (root / "images" / "own" / "several.npy").open("wb") as file:
        np.savez(file, np.zeros((2, 3)))
    for name, size, reason in [
        ("rgb.png", None, "depth: not grey"),
        ("d.png", (2, 3), "depth: another size"),
        ("nan.npy", None, "depth: not a depth"),
        ("cube.npy", None, "depth: another size"),
        ("object.npy", None, "depth: unreadable"),
        ("texts.npy", None, "depth: unreadable: no .npy array of real numbers"),
        ("complex.npy", None, "depth: unreadable: no .npy array of real numbers"),
        ("several.npy", None, "depth: unreadable: no .npy array of real numbers"),
        ("gone.png", None, "depth: missing"),
    ]:
        with pytest.raises(PhotoError, match=f"{name}: {reason}"):
            read_depth(root, Depth(f"images/own/{name}", 1.0), size)
    with pytest.raises(PhotoError, match="not grey"):
        look_depth(root / "images" / "own" / "cube.npy")
