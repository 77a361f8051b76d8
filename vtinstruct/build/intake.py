"""A record on its way in: its photo and depth map are looked at, hashed, copied if asked, and named as the dataset will
name them (`images/<source>/<path>`)."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from vtinstruct.build.plan import Options, PlannedSplit
from vtinstruct.build.receipt import MISSING
from vtinstruct.containers import split_container
from vtinstruct.dialogue import StoredPhoto
from vtinstruct.partial import partial
from vtinstruct.photos import FOLDER, PhotoError, Seen, look, look_depth, read_file
from vtinstruct.record import Drop, Photo, Record
from vtinstruct.source import SourceError, inside
from vtinstruct.units import Depth


class Intake:
    """Checks the files behind records, each photo once a chunk. With `photo_check` off (never together with copying), files
    are only named."""

    def __init__(self, split: PlannedSplit, options: Options, photos: Path, report: Callable[[Drop], None]) -> None:
        self._root, self._prefix = Path(split.root), f"{FOLDER}/{split.source}/"
        self._options, self._photos, self._report = options, photos / split.source, report
        self._seen: dict[str, Seen] = {}
        self._depths: dict[str, str] = {}
        # SHA-256 of the files that records come from: annotation files, and where there are none the depth maps
        self.origins = {file.path: file.sha256 for file in split.files}
        self._folders: dict[str, str] = {}
        self.inputs: list[tuple[str, int, int]] = []  # the state of every file looked at

    def take(self, record: Record) -> tuple[Record, StoredPhoto | None] | None:
        """The record, its depth map named as the dataset will, and its photo as stored. None when the record is dropped
        (reported): its photo is missing, unreadable, outside the source or of another size than the annotations are for."""
        stored = None
        if record.photo is not None:
            try:
                stored = self._photo(record.photo)
            except (PhotoError, SourceError) as error:
                self._drop(record, "photo", record.photo.path, error)
                return None
        if record.depth is not None:
            try:
                record = replace(record, depth=self._depth(record, record.depth))
            except (PhotoError, SourceError) as error:
                self._drop(record, "depth", record.depth.path, error)
                record = replace(record, depth=None)
        return record, stored

    def _photo(self, photo: Photo) -> StoredPhoto:
        digest = ""
        if not self._options.photo_check:
            self._named_inside(photo.path)
        else:
            path = self._inside(photo.path)
            seen = self._seen.get(photo.path)
            if seen is None:
                self._note(path, photo.path)
                seen = self._seen[photo.path] = look(path)
                self._copy(path, photo.path)
            if seen.size_wh != photo.size_wh:
                detail = f"{seen.size_wh} pixels, the annotations are for {photo.size_wh}"
                raise PhotoError("photo: another size", photo.path, detail)
            digest = seen.sha256
        return StoredPhoto(self._prefix + photo.path, digest, photo.size_wh, photo.id)

    def _depth(self, record: Record, depth: Depth) -> Depth:
        if not self._options.photo_check:
            self._named_inside(depth.path)
        else:
            path = self._inside(depth.path)
            self._note(path, depth.path)
            seen = look_depth(path)
            if record.photo is not None and seen.size_wh != record.photo.size_wh:
                detail = f"{seen.size_wh} pixels, its photo has {record.photo.size_wh}"
                raise PhotoError("depth: another size", depth.path, detail)
            self._depths[depth.path] = seen.sha256
            self._note_origin(record.origin.file, depth.path, seen.sha256)
            self._copy(path, depth.path)
        return replace(depth, path=self._prefix + depth.path)

    def _note_origin(self, file: str, depth: str, sha256: str) -> None:
        if file in self.origins:
            return
        if depth == file:
            self.origins[file] = sha256
        elif depth.startswith(f"{file}/"):  # the map is decoded out of it (`depth_codes`)
            self.origins[file] = hashlib.sha256(read_file(self._root / file, "depth")).hexdigest()

    def _inside(self, relative: str) -> Path:
        """`source.inside` for a file: as strict, without resolving the same folders for each of a million photos."""
        path = Path(self._named_inside(relative))
        return inside(self._root, relative) if path.is_symlink() else path

    def _named_inside(self, relative: str) -> str:
        """The file's path when its folder is inside the root and its name is a plain one; nothing is said of the file
        itself. Raises `SourceError`."""
        if "\0" in relative:
            raise SourceError(f"{relative!r} holds a null character; a file's path is right")
        folder, _, name = relative.rpartition("/")
        base = self._folders.get(folder)
        if base is None:
            base = self._folders[folder] = str(inside(self._root, folder or "."))
        if name in ("", ".", "..") or "\\" in name:
            return str(inside(self._root, relative))
        return f"{base}/{name}"

    def missed(self, paths: Iterable[str]) -> None:
        """Photos that the source looked for in vain: their coming, like a change of those there are, makes a chunk anew."""
        for path in dict.fromkeys(paths):
            self._note(self._root / path, path)

    def _note(self, path: Path, relative: str) -> None:
        try:
            state = path.stat()
            size, changed = state.st_size, state.st_mtime_ns
        except NotADirectoryError:  # it lies in a container: that one's state counts
            if (found := split_container(path)) is not None:
                self._note(found[0], relative.removesuffix(f"/{found[1]}"))
            return
        except OSError:
            size, changed = MISSING  # noted too, so that a resumed build sees it when it has come
        self.inputs.append((relative, size, changed))

    def _drop(self, record: Record, what: str, path: str, error: PhotoError | SourceError) -> None:
        # this machine's folders stay out of the ledger: the same build gives the same bytes anywhere
        if isinstance(error, PhotoError):
            reason, detail = error.reason, f"{path}: {error.detail}"
        else:
            reason, detail = f"{what}: path outside the source", path
        self._report(Drop(record.source, record.split, record.origin.file, record.origin.row, reason, detail))

    def _copy(self, path: Path, relative: str) -> None:
        if not self._options.copy_photos:
            return
        target = self._photos / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = partial(target)
        if path.is_file():
            shutil.copyfile(path, temporary)
        else:
            temporary.write_bytes(read_file(path))  # it lies in a container
        os.replace(temporary, target)

    def depth_digest(self) -> str:
        """One hash over all depth maps taken, in the order of their paths; "" without any."""
        if not self._depths:
            return ""
        said = "".join(f"{path}\0{digest}\n" for path, digest in sorted(self._depths.items()))
        return hashlib.sha256(said.encode()).hexdigest()
