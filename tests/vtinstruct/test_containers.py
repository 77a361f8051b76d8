"""Members of tar, zip and HDF5 files: read in place, bounded, and never beyond the file."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtinstruct import photos
from vtinstruct.containers import ContainerError, has_member, members, read_member, split_container
from vtinstruct.photos import PhotoError, depth_of, look

h5py = pytest.importorskip("h5py")


def tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def png(size_wh: tuple[int, int] = (4, 3)) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size_wh, (200, 10, 30)).save(target, "PNG")
    return target.getvalue()


@pytest.mark.parametrize(("ending", "pack"), [(".tar", tar), (".zip", zipped)])
def test_a_photo_in_an_archive(tmp_path: Path, ending: str, pack: type) -> None:
    path = pack(tmp_path / f"a{ending}", {"b/c.png": png(), "./d.png": png((5, 5)), "../e.png": b"x", "/f.png": b"y"})
    assert members(path) == {"b/c.png": len(png()), "d.png": len(png((5, 5)))}, "names that lead out are no members"
    assert split_container(path / "b/c.png") == (path, "b/c.png")
    assert split_container(path) is None
    assert split_container(tmp_path / "none.tar" / "b") is None
    assert has_member(path / "b/c.png")
    assert not has_member(path / "b/none.png")
    assert look(path / "b/c.png").size_wh == (4, 3)
    loose = tmp_path / "c.png"
    loose.write_bytes(png())
    assert look(path / "b/c.png") == look(loose), "the same bytes, the same hash"
    with pytest.raises(PhotoError, match="photo: missing"):
        look(path / "b/none.png")


def test_links_and_devices_are_no_members(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (
            ("link", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("fifo", tarfile.FIFOTYPE),
            ("dir", tarfile.DIRTYPE),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/hostname"
            archive.addfile(entry)
    assert members(tmp_path / "a.tar") == {}


def test_sizes_are_looked_at_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped(tmp_path / "bomb.zip", {"a.png": bytes(50_000_000)})
    assert bomb.stat().st_size < 100_000
    with pytest.raises(ContainerError, match=r"50000000 bytes; at most 1000000 are right"):
        read_member(bomb, "a.png", 1_000_000)
    # a directory that lies: says 10 bytes, unpacks to a million
    lying = zipped(tmp_path / "lying.zip", {"a.png": bytes(1_000_000)})
    data = lying.read_bytes().replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    lying.write_bytes(data)
    with pytest.raises(ContainerError, match="unreadable"):
        read_member(lying, "a.png", 1 << 20)
    monkeypatch.setattr(photos, "MAX_BYTES", 100)
    with pytest.raises(PhotoError, match="photo: too large"):
        look(zipped(tmp_path / "b.zip", {"a.png": bytes(101)}) / "a.png")


@pytest.mark.parametrize("name", ["a.tar", "a.zip", "a.h5", "a.mat"])
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", os.urandom(3000)])
def test_a_broken_container_is_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ContainerError) as caught:
        read_member(tmp_path / name, "images/1.ppm", 1 << 20)
    assert "\n" not in str(caught.value)
    assert not has_member(tmp_path / name / "images/1.ppm")


def test_a_tar_cut_short(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", {"a.png": bytes(3000), "b.png": bytes(3000)})
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ContainerError, match="unreadable"):
        read_member(path, "b.png", 1 << 20)


def test_arrays_of_hdf5(tmp_path: Path) -> None:
    rgb = np.arange(3 * 2 * 5, dtype=np.uint8).reshape(3, 2, 5)
    depth = np.linspace(0.5, 3, 10, dtype=np.float32).reshape(2, 5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["rgb"], file["depth"], file["group/far"] = rgb, depth, depth
    with h5py.File(tmp_path / "b.mat", "w") as file:  # MATLAB's axes: photo, channel, column, row
        file["images"] = np.stack([rgb.transpose(0, 2, 1)] * 2)
        file["depths"] = np.stack([depth.T, depth.T + 1])
    for place in ("a.h5/rgb.ppm", "b.mat/images/1.ppm"):
        assert look(tmp_path / place).size_wh == (5, 2)
        picture = np.asarray(Image.open(io.BytesIO(photos.read_file(tmp_path / place))))
        assert (picture == rgb.transpose(1, 2, 0)).all()
    assert (depth_of(tmp_path / "a.h5/depth.npy", 1.0, (5, 2)) == depth).all()
    assert (depth_of(tmp_path / "a.h5/group/far.npy", 1.0, (5, 2)) == depth).all()
    assert (depth_of(tmp_path / "b.mat/depths/1.npy", 1.0, (5, 2)) == depth + 1).all()
    for nothing in ("a.h5/none.npy", "b.mat/depths/2.npy", "b.mat/depths/x.npy", "a.h5/rgb", "a.h5/group.npy"):
        assert not has_member(tmp_path / nothing)
    with pytest.raises(PhotoError, match="3 channels"):
        look(tmp_path / "a.h5/depth.ppm")


def test_arrays_that_lie_elsewhere_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["depth"] = np.ones((2, 3))
    (tmp_path / "raw").write_bytes(bytes(48))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink("other.h5", "depth")
        file["soft"] = h5py.SoftLink("/depth")
        file.create_dataset("raw", (2, 3), "f8", external=[(str(tmp_path / "raw"), 0, 48)])
        layout = h5py.VirtualLayout((2, 3), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "depth", (2, 3))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("huge", (1 << 20, 1 << 20), "f8", chunks=(64, 64))
    for name in ("link", "soft", "raw", "virtual"):
        assert not has_member(tmp_path / "a.h5" / f"{name}.npy")
    with pytest.raises(ContainerError, match="too large"):
        read_member(tmp_path / "a.h5", "huge.npy", 1 << 29)
