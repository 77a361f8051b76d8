"""Pictures and annotation files that lie inside a tar, zip or HDF5 file: read in place one by one, never extracted.

A path may run through such a file as through a folder: `00000.tar/000000012.jpg`, `train2017.zip/train2017/1.jpg`. In an
HDF5 file the members are its arrays, as pictures (`.ppm`) or numbers (`.npy`): `frame.h5/rgb.ppm`, `frame.h5/depth.npy`, or
one slice of an array of many, `nyu_depth_v2_labeled.mat/images/17.ppm` (counted from 0). MATLAB writes axes in reverse, so
a `.mat` is turned back. A depth picture in a code of its own has its metres for a member: `0001.png/sun3d.npy`
(`vtinstruct.depth_codes`).

Names are only ever looked up, links and devices are no members, sizes are checked before a byte is unpacked, and HDF5
arrays that lie in other files are refused.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (h5py ships no types)

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtinstruct.depth_codes import CODES, CodeError, decode

ARCHIVES = (".tar", ".zip")
HDF5 = (".h5", ".hdf5", ".mat")
MAX_MEMBERS = 5_000_000  # COCO's largest archive has 123,000; names are kept in memory
_MEMBER = re.compile(r"(?P<name>.+?)(?:/(?P<index>\d{1,9}))?\.(?P<form>ppm|npy)")


class ContainerError(Exception):
    """A member that cannot be had: `reason` is a short class to count by, `detail` says what would be right."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def split_container(path: Path) -> tuple[Path, str] | None:
    """(file, member) of a path that runs through a container; None for any other path."""
    if path.name in CODES and path.parent.is_file():
        return path.parent, path.name
    for n in range(len(path.parts) - 1, 0, -1):
        if path.parts[n - 1].lower().endswith((*ARCHIVES, *HDF5)):
            outer = Path(*path.parts[:n])
            if outer.is_file():
                return outer, PurePosixPath(*path.parts[n:]).as_posix()
    return None


def has_member(path: Path) -> bool:
    """Whether a path that runs through a container names a member of it."""
    found = split_container(path)
    if found is None:
        return False
    outer, member = found
    if member in CODES:
        return True
    try:
        return member in members(outer) if outer.suffix.lower() in ARCHIVES else _shape_of(outer, member) is not None
    except ContainerError:
        return False


def members(container: Path) -> Mapping[str, int]:
    """Names and sizes in bytes of the files in a tar or zip, in the order they lie there. Raises `ContainerError`."""
    return {name: size for name, (_, size) in _index(*_state(container)).items()}


def read_member(container: Path, member: str, limit: int) -> bytes:
    """The bytes of a member, at most `limit` of them. Raises `ContainerError`."""
    if member in CODES:
        return _metres(container, member, limit)
    if container.suffix.lower() in HDF5:
        return _array_bytes(container, member, limit)
    found = _index(*_state(container)).get(member)
    if found is None:
        raise ContainerError("missing", f"{container.name} has no file {member}")
    place, size = found
    if size > limit:
        raise ContainerError("too large", f"{member} has {size} bytes; at most {limit} are right")
    try:
        data = (
            _of_tar(container, place, size) if container.suffix.lower() == ".tar" else _of_zip(container, member, size)
        )
    except Exception as error:  # zipfile raises whatever a broken or encrypted member makes it trip over
        raise ContainerError("unreadable", f"{member} in {container.name}: {error}; download it again") from error
    if len(data) != size:
        raise ContainerError("unreadable", f"{member} in {container.name} is cut short; download it again")
    return data


def _metres(picture: Path, code: str, limit: int) -> bytes:
    try:
        if picture.stat().st_size > limit:
            raise ContainerError("too large", f"{picture.name}; at most {limit} bytes are right")
        return _numbers(decode(picture.read_bytes(), code))
    except CodeError as error:
        raise ContainerError("unreadable", f"{picture.name}: {error}") from error
    except OSError as error:
        raise ContainerError("unreadable", f"{picture.name}: {error.strerror or error}") from error


def _state(container: Path) -> tuple[str, int, int]:
    """What the index of a file depends on."""
    try:
        state = container.stat()
    except OSError as error:
        raise ContainerError("missing", f"{container}: {error.strerror or error}") from error
    return str(container), state.st_mtime_ns, state.st_size


@lru_cache(maxsize=64)
def _index(path: str, _changed: int, _size: int) -> Mapping[str, tuple[int, int]]:
    """Name -> (where its bytes start, in a tar; their number)."""
    found: dict[str, tuple[int, int]] = {}
    try:
        if path.lower().endswith(".tar"):
            with tarfile.open(path, "r:") as archive:
                for entry in archive:
                    archive.members = []  # type: ignore[attr-defined] # it would keep every header it has seen
                    if entry.isreg() and not entry.issparse():
                        _add(found, path, entry.name.removeprefix("./"), (entry.offset_data, entry.size))
        else:
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        _add(found, path, info.filename, (0, info.file_size))
    except ContainerError:
        raise
    except Exception as error:  # both modules raise whatever a broken file makes them trip over
        detail = f"{Path(path).name}: {error}; a whole tar (not compressed) or zip is right"
        raise ContainerError("unreadable", " ".join(detail.split())) from error
    return found


def _add(found: dict[str, tuple[int, int]], path: str, name: str, place: tuple[int, int]) -> None:
    if len(found) >= MAX_MEMBERS:
        raise ContainerError("too large", f"{Path(path).name} has more than {MAX_MEMBERS} files")
    pure = PurePosixPath(name)
    if not pure.is_absolute() and ".." not in pure.parts and "\\" not in name and "\0" not in name:
        found.setdefault(pure.as_posix(), place)


def _of_tar(container: Path, start: int, size: int) -> bytes:
    with container.open("rb") as file:
        file.seek(start)
        return file.read(size)


def _of_zip(container: Path, member: str, size: int) -> bytes:
    with zipfile.ZipFile(container) as archive, archive.open(member) as file:
        return file.read(size + 1)  # one more, so that a member that lies about its size is seen


# --- HDF5 ------------------------------------------------------------------------------------------------------------


def open_hdf5(path: Path) -> Any:
    """The file by h5py. Raises `ContainerError` when it is none, or h5py is not there."""
    try:
        import h5py
    except ImportError as error:
        raise ContainerError("no reader", "HDF5 files need h5py: pip install 'vt-instruct[hdf5]'") from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        detail = f"{path.name}: {' '.join(str(error).split())}; a whole HDF5 (MATLAB 7.3) file is right"
        raise ContainerError("unreadable", detail) from error


def own_array(file: Any, name: str) -> Any | None:
    """The array called `name` (a dataset of h5py), or None. One whose bytes lie in another file is none."""
    import h5py

    found: Any = file
    for part in name.split("/"):
        if not isinstance(found, h5py.Group) or not isinstance(found.get(part, getlink=True), h5py.HardLink):
            return None
        found = found[part]
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        return None
    return found


def member_shape(container: Path, member: str) -> tuple[int, ...] | None:
    """The shape of an array of an HDF5 file, as `read_member` gives it out; None when there is none of that name. Raises
    `ContainerError`."""
    shape = _shape_of(container, member)
    return shape[::-1] if shape is not None and container.suffix.lower() == ".mat" else shape


def _shape_of(container: Path, member: str) -> tuple[int, ...] | None:
    match = _MEMBER.fullmatch(member)
    if match is None:
        return None
    with open_hdf5(container) as file:
        array = own_array(file, match["name"])
        if array is None or (match["index"] is not None and int(match["index"]) >= len(array)):
            return None
        return tuple(array.shape[match["index"] is not None :])


def _array_bytes(container: Path, member: str, limit: int) -> bytes:
    match = _MEMBER.fullmatch(member)
    shape = _shape_of(container, member)
    if match is None or shape is None:
        raise ContainerError("missing", f"{container.name} has no array {member}")
    if int(np.prod(shape, dtype=np.float64)) * 8 > limit:
        raise ContainerError("too large", f"{member} has the shape {shape}; at most {limit} bytes are right")
    try:
        with open_hdf5(container) as file:
            array = own_array(file, match["name"])
            assert array is not None
            found = np.asarray(array[int(match["index"])] if match["index"] is not None else array[()])
    except ContainerError:
        raise
    except Exception as error:  # h5py raises whatever a broken file makes it trip over
        raise ContainerError("unreadable", f"{member} in {container.name}: {error}") from error
    if found.dtype.kind not in "uif":
        raise ContainerError("unreadable", f"{member} in {container.name} holds {found.dtype}; numbers are right")
    if container.suffix.lower() == ".mat":
        found = found.T  # MATLAB's axes: now row, column, channel
    elif match["form"] == "ppm" and found.ndim == 3 and found.shape[0] == 3:
        found = found.transpose(1, 2, 0)
    return _picture(found, member) if match["form"] == "ppm" else _numbers(found)


def _numbers(found: NDArray[Any]) -> bytes:
    target = io.BytesIO()
    np.save(target, np.ascontiguousarray(found), allow_pickle=False)
    return target.getvalue()


def _picture(found: NDArray[Any], member: str) -> bytes:
    """(H, W, 3) of 0..255 as a PPM picture."""
    whole = found.astype(np.uint8)
    if found.ndim != 3 or found.shape[2] != 3 or not found.size or not np.array_equal(whole, found):
        raise ContainerError(
            "unreadable", f"{member}: {found.dtype} of shape {found.shape}; 3 channels of 0..255 are right"
        )
    height, width = whole.shape[:2]
    return b"P6 %d %d 255\n" % (width, height) + np.ascontiguousarray(whole).tobytes()
