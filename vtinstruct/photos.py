"""The pictures and depth maps that a dataset's rows name, opened as they are stored.

Never turned by EXIF: annotations are in stored pixels, and `datasets.Image` turns. Never outside the dataset: a row
names `images/<source>/<path>`, where `images/<source>` may be a link to the source's own folder and nothing may leave
that folder; the path may run through a tar, zip or HDF5 file (`containers`), and where nothing stands there, it is looked
for among the embedded photos (`album`). Never larger than `MAX_PIXELS`, so that a small hostile file cannot fill the memory.
"""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from vtinstruct.album import album_of
from vtinstruct.containers import ContainerError, read_member, split_container
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.geometry import GeometryError, check_rle, decode_rle
from vtinstruct.units import Depth, Rle

FOLDER = "images"
MAX_PIXELS = 89_478_485  # Pillow's own mark for "may be a decompression bomb"
MAX_BYTES = 1 << 29
# Formats that only decode; Pillow knows others that run programs (EPS) or read further files. Importing a plugin is what
# makes `Image.open` know its format. JPEG brings MPO, the two-picture files of some cameras.
_PLUGINS = {
    "JPEG": JpegImagePlugin,
    "PNG": PngImagePlugin,
    "WEBP": WebPImagePlugin,
    "BMP": BmpImagePlugin,
    "GIF": GifImagePlugin,
    "TIFF": TiffImagePlugin,
    "PPM": PpmImagePlugin,
}
FORMATS = tuple(_PLUGINS)


class PhotoError(Exception):
    """A picture or depth map that cannot be used: the message names the file, what is wrong and what would be right."""

    def __init__(self, reason: str, path: object, detail: str) -> None:
        super().__init__(f"{path}: {reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file's bytes say: their SHA-256, and the stored size in pixels."""

    sha256: str
    size_wh: tuple[int, int]


def read_file(path: Path, what: str = "photo") -> bytes:
    """The bytes of a picture file, which may lie in a container. Raises `PhotoError`."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait for ever
            raise PhotoError(f"{what}: unreadable", path, "a folder, pipe or device; a file is right")
        if found.st_size > MAX_BYTES:
            raise PhotoError(f"{what}: too large", path, f"{found.st_size} bytes; at most {MAX_BYTES} are right")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        inside = split_container(path)
        if inside is not None:
            return _member(*inside, path, what)
        raise PhotoError(f"{what}: missing", path, "there is no such file") from None
    except OSError as error:
        raise PhotoError(f"{what}: unreadable", path, f"{error.strerror or error}; a readable file is right") from error


def _member(container: Path, member: str, path: Path, what: str) -> bytes:
    try:
        return read_member(container, member, MAX_BYTES)
    except ContainerError as error:
        raise PhotoError(f"{what}: {error.reason}", path, error.detail) from error


def _open(data: bytes, path: object, what: str = "photo") -> Image.Image:
    """The picture's header; nothing is decoded yet."""
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoError(f"{what}: too large", path, f"{error}; at most {MAX_PIXELS} pixels are right") from error
    except Exception as error:  # Pillow's readers raise whatever a broken header makes them trip over
        kinds = ", ".join(FORMATS)
        detail = f"{len(data)} bytes that are no {kinds} picture ({type(error).__name__})"
        raise PhotoError(f"{what}: unreadable", path, detail) from error
    if picture.width * picture.height > MAX_PIXELS:
        raise PhotoError(f"{what}: too large", path, f"{picture.size}; at most {MAX_PIXELS} pixels are right")
    return picture


def look(path: Path) -> Seen:
    """Hash a picture file and read its size from its header, without decoding it. Raises `PhotoError`."""
    return _seen(read_file(path), path)


def look_depth(path: Path) -> Seen:
    """`look` for a depth map, which may be a `.npy` file too. Raises `PhotoError`."""
    return _depth_seen(read_file(path, "depth"), path)


def look_in(root: Path, path: str, depth: bool = False) -> Seen:
    """`look`, or `look_depth`, at a file that the dataset at `root` names. Raises `PhotoError`."""
    data = file_bytes(root, path, "depth" if depth else "photo")
    return _depth_seen(data, Path(path)) if depth else _seen(data, path)


def _seen(data: bytes, path: object) -> Seen:
    return Seen(hashlib.sha256(data).hexdigest(), _open(data, path).size)


def _depth_seen(data: bytes, path: Path) -> Seen:
    if path.suffix != ".npy":
        return Seen(hashlib.sha256(data).hexdigest(), _open(data, path, "depth").size)
    shape = _array(data, path).shape
    if len(shape) != 2:
        raise PhotoError("depth: not grey", path, f"an array of shape {shape}; (height, width) is right")
    return Seen(hashlib.sha256(data).hexdigest(), (shape[1], shape[0]))


def _array(data: bytes, path: Path) -> NDArray[Any]:
    try:
        found: Any = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # a torn header is read as Python text, and fails as such
        raise PhotoError("depth: unreadable", path, f"no .npy array: {error}") from error
    array = cast(NDArray[Any], found) if isinstance(found, np.ndarray) else None  # several arrays in one file
    if array is None or array.dtype.kind not in "buif":  # texts, complex numbers
        raise PhotoError("depth: unreadable", path, "no .npy array of real numbers; one such array is right")
    return array


def _nameable(path: str) -> bool:
    """Whether a file system could have a file of this name: readers raise whatever they trip over otherwise."""
    try:
        return len(path.encode()) < 4096 and all(len(part.encode()) < 256 for part in path.split("/"))
    except UnicodeEncodeError:
        return False


def locate(root: Path, path: str) -> Path:
    """The file behind a path that a dataset or predictions file at `root` names. `images/<source>` may be a link; nothing
    else may lead out, neither `..` nor a link. Raises `PhotoError`."""
    pure = PurePosixPath(path)
    if not _nameable(path):
        detail = (
            f"{path[:60]!a} is no name that a file can have; at most 255 bytes a part, no half surrogate, are right"
        )
        raise PhotoError("photo: no file name", root, detail)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise PhotoError("photo: path outside the dataset", path, "a relative path without '..' is right")
    linked = 2 if pure.parts[0] == FOLDER and len(pure.parts) > 2 else 0
    try:
        base = root.joinpath(*pure.parts[:linked]).resolve()
        found = base.joinpath(*pure.parts[linked:]).resolve()
    except (OSError, RuntimeError) as error:  # a link to itself is a RuntimeError up to Python 3.12
        raise PhotoError("photo: unreadable", path, f"{error}; a path without a circle of links is right") from error
    if not found.is_relative_to(base):
        raise PhotoError("photo: path outside the dataset", path, f"it leaves {base} through a link")
    return found


def file_bytes(root: Path, path: str, what: str = "photo") -> bytes:
    """The bytes of a file that the dataset at `root` names: from its folder, or else out of its embedded photos. Raises
    `PhotoError`."""
    file = locate(root, path)
    if not file.exists() and (album := album_of(root)) is not None and path in album:
        return album.read(path)
    return read_file(file, what)


def _stored(photo: StoredPhoto | Mapping[str, Any]) -> StoredPhoto:
    if isinstance(photo, StoredPhoto):
        return photo
    image = photo.get("image", photo)
    if image is None or image.get("path") is None:
        raise PhotoError("photo: none", photo.get("id", "row"), "this sample has no photo")
    return StoredPhoto(image["path"], image["sha256"], (image["width"], image["height"]), image["id"])


def open_photo(root: Path, photo: StoredPhoto | Mapping[str, Any]) -> Image.Image:
    """The photo of a row (or of a `StoredPhoto`), decoded, RGB, in stored orientation.

    `root` is the dataset's folder. Raises `PhotoError` when the file is missing, broken, outside the dataset, or of
    another size than the row says: then no box would fit.
    """
    stored = _stored(photo)
    path = Path(root) / stored.path
    picture = _open(file_bytes(Path(root), stored.path), path)
    if picture.size != stored.size_wh:
        detail = f"{picture.size} pixels, the row says {stored.size_wh}; the photo that was built from is right"
        raise PhotoError("photo: another size", path, detail)
    try:
        picture.load()
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    except Exception as error:  # decoders raise whatever a broken body makes them trip over
        raise PhotoError("photo: unreadable", path, f"cannot be decoded: {error}") from error


def read_depth(root: Path, depth: Depth, size_wh: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """A depth map of the dataset (or predictions folder) at `root`: float32 (H, W) in metres, 0 = missing.

    Reads grey PNG or TIFF of 8 or 16 bits (or float TIFF) and `.npy`; metres = stored value * `depth.scale`. Raises
    `PhotoError` also when the size is not `size_wh`, a value is negative or not finite, or the map is in another frame:
    nobody takes relative depth for metres unawares (`read_inverse_depth`).
    """
    if depth.frame != "metres":
        raise PhotoError("depth: not in metres", depth.path, f"its frame is {depth.frame}; a map in metres is right")
    data = file_bytes(Path(root), depth.path, "depth")
    metres = _scaled(data, Path(root) / depth.path, depth.scale, size_wh)
    return metres if depth.valid_rle is None else metres * _valid(depth.valid_rle, metres, depth.path)


def read_inverse_depth(
    root: Path, depth: Depth, size_wh: tuple[int, int] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A depth map of either frame as inverse depth: float32 (H, W), larger is nearer, and where it is known (H, W).

    Of metres it is 1 / metres; of a relative map the values as stored, known up to a scale above 0 and a shift. 0 where it
    is not known. Raises `PhotoError` as `read_depth` does.
    """
    if depth.frame == "metres":
        metres = read_depth(root, depth, size_wh)
        known = metres > 0
        return np.divide(1, metres, out=np.zeros_like(metres), where=known), known
    data = file_bytes(Path(root), depth.path, "depth")
    inverse = _scaled(data, Path(root) / depth.path, depth.scale, size_wh)
    known = np.ones(inverse.shape, bool) if depth.valid_rle is None else _valid(depth.valid_rle, inverse, depth.path)
    return inverse * known, known


def _valid(rle: Rle, values: NDArray[np.float32], path: str) -> NDArray[np.bool_]:
    try:
        check_rle(rle)
        valid = decode_rle(rle)
    except GeometryError as error:
        raise PhotoError("depth: another mask", path, f"{error}; run lengths of where it holds are right") from error
    if valid.shape != values.shape:
        detail = f"its mask is {valid.shape[::-1]}, its map {values.shape[::-1]} (width, height)"
        raise PhotoError("depth: another size", path, detail)
    return valid


def depth_of(path: Path, scale: float, size_wh: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """`read_depth` for a file whose place is already known to be allowed."""
    return _scaled(read_file(path, "depth"), path, scale, size_wh)


def _scaled(data: bytes, path: Path, scale: float, size_wh: tuple[int, int] | None) -> NDArray[np.float32]:
    stored = _array(data, path) if path.suffix == ".npy" else _grey(_open(data, path, "depth"), path)
    if stored.ndim != 2 or (size_wh is not None and stored.shape != (size_wh[1], size_wh[0])):
        raise PhotoError("depth: another size", path, f"shape {stored.shape}, the photo is {size_wh} (width, height)")
    with np.errstate(over="ignore", invalid="ignore"):  # what is no float32 is told below
        metres = stored.astype(np.float32) * np.float32(scale)
    if not np.isfinite(metres).all() or (metres < 0).any():
        raise PhotoError(
            "depth: not a depth", path, "negative or not finite values; metres >= 0 are right, 0 = missing"
        )
    return metres


def _grey(picture: Image.Image, path: Path) -> NDArray[Any]:
    if picture.mode not in ("L", "I", "F") and not picture.mode.startswith("I;16"):
        raise PhotoError("depth: not grey", path, f"picture mode {picture.mode}; one channel of 8 or 16 bits is right")
    try:
        return np.asarray(picture)
    except Exception as error:  # decoders raise whatever a broken body makes them trip over
        raise PhotoError("depth: unreadable", path, f"cannot be decoded: {error}") from error


def photo_transform(root: Path) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
    """For `datasets`: `rows.with_transform(photo_transform(root))` adds a column `photo` of RGB pictures (None for
    rows without a photo), opened by `open_photo`."""
    where = Path(root).resolve()  # so that it holds in another working directory

    def transform(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        images = batch["image"]
        return {**batch, "photo": [None if _absent(image) else open_photo(where, image) for image in images]}

    return transform


def _absent(image: Mapping[str, Any] | None) -> bool:
    return image is None or image["path"] is None
