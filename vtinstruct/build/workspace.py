"""The hidden folder `.build` of a dataset: lock, plan, finished chunks, what is being put together. Loaders ignore it."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from vtinstruct import manifest
from vtinstruct.build.exclude import write_excluded
from vtinstruct.build.plan import Plan, code_digest
from vtinstruct.build.receipt import first_changed, write_atomically
from vtinstruct.manifest import DatasetError
from vtinstruct.photos import FOLDER

HIDDEN = ".build"


class Workspace:
    """Paths and states of one dataset's `.build` folder; make one with `open_workspace`."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / HIDDEN
        self.chunks, self.photos, self.staging = self.folder / "chunks", self.folder / "photos", self.folder / "staging"
        self._plan, self._mark = self.folder / "plan.json", self.folder / "publish"
        self.inputs, self._done = self.folder / "inputs.jsonl", self.folder / "done.json"
        self.order = self.folder / "order.json"
        self.lock: IO[str] | None = None

    def last_plan(self) -> dict[str, Any] | None:
        """The plan that was worked on last, as its summary; None when there is none that can be read."""
        try:
            return json.loads(self._plan.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def excluded(self, plan: Plan) -> Path:
        """Where the photos that the plan keeps out of training are listed; the name changes with what is in it."""
        return self.folder / f"excluded-{plan.excluded.digest()[:16]}.json"

    def changed_input(self) -> str | None:
        """The first photo or depth file that is not as the finished build saw it; None when all are."""
        try:
            with self.inputs.open(encoding="utf-8") as file:
                for line in file:
                    root, inputs = json.loads(line)
                    if (path := first_changed(root, inputs)) is not None:
                        return path
        except (OSError, ValueError):
            return self.inputs.name
        return None

    @contextmanager
    def joined(self, plan: Plan) -> Generator[bool, None, None]:
        """For one of several builds at work here, one at a time: True when it is the first on this plan, alone here for now,
        and has to `begin`. Raises `DatasetError` when the others work on another plan."""
        assert self.lock is not None  # opened
        with (self.folder / "gate").open("a") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            last = self.last_plan()
            if last is not None and last.get("key") == plan.key and not self._mark.exists():
                self.chunks.mkdir(parents=True, exist_ok=True)
                if plan.excluded.ids:
                    write_excluded(plan.excluded, self.excluded(plan))
                yield False
                return
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DatasetError(
                    f"{self.root}: others are at work there on other sources or options; wait for them or stop them"
                ) from None
            yield True
            fcntl.flock(self.lock, fcntl.LOCK_SH)

    def begin(self, plan: Plan) -> None:
        """Make ready for a plan: keep the finished chunks it can use, remove everything else."""
        last = self.last_plan()
        if self._mark.exists() or (plan.options.copy_photos and last is not None and last["key"] != plan.key):
            # copied photos of another plan would be published with this one: start afresh
            for path in (self.chunks, self.photos):
                shutil.rmtree(path, ignore_errors=True)
            self._mark.unlink(missing_ok=True)
        else:
            self._take_photos_back()
        shutil.rmtree(self.staging, ignore_errors=True)
        self.chunks.mkdir(parents=True, exist_ok=True)
        self._forget_excluded()
        if plan.excluded.ids:
            write_excluded(plan.excluded, self.excluded(plan))
        names = {chunk.name for chunk in plan.chunks}
        for path in self.chunks.iterdir():
            if path.stem not in names or path.name.startswith("."):
                path.unlink()
        write_atomically(self._plan, json.dumps(summary(plan), indent=1) + "\n")

    def _forget_excluded(self) -> None:
        for path in self.folder.glob("excluded-*.json"):
            path.unlink()

    def _take_photos_back(self) -> None:
        staged = self.staging / FOLDER
        if _is_folder(staged) and not self.photos.exists() and not any(path.is_symlink() for path in staged.iterdir()):
            staged.rename(self.photos)

    def stage_photos(self, plan: Plan) -> None:
        """Put the photos (copied ones, or links to the sources' folders) beside what is staged."""
        target = self.staging / FOLDER
        if plan.options.embed:
            return
        if plan.options.copy_photos:
            self.photos.mkdir(exist_ok=True)
            self.photos.rename(target)
            return
        target.mkdir()
        for split in plan.splits:
            link = target / split.source
            if not link.is_symlink():
                link.symlink_to(split.root, target_is_directory=True)

    def mark_staged(self, plan: Plan) -> None:
        """From here on nothing is made any more, only moved in."""
        write_atomically(self._mark, plan.key)

    def staged(self, plan: Plan) -> bool:
        """Whether this very plan was staged whole and only the moving in is left."""
        try:
            return self._mark.read_text(encoding="utf-8") == plan.key
        except OSError:
            return False

    def is_result_of(self, plan: Plan, content_hash: str) -> bool:
        """Whether the dataset of that content is what this very plan gave."""
        try:
            return json.loads(self._done.read_text(encoding="utf-8")) == [plan.key, content_hash]
        except (OSError, ValueError):
            return False

    def clear(self, plan: Plan, content_hash: str) -> None:
        """Note that the plan gave the dataset, and remove all but its summary and the photos' states."""
        write_atomically(self._done, json.dumps([plan.key, content_hash]))
        self._mark.unlink(missing_ok=True)
        self._forget_excluded()
        for path in (self.staging, self.chunks, self.photos):
            shutil.rmtree(path, ignore_errors=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def absolute(out: Path) -> Path:
    """Where a dataset goes, as an absolute path. Raises `DatasetError` when that cannot be told."""
    try:
        return Path(out).expanduser().absolute()
    except (OSError, RuntimeError) as error:  # the working directory is gone, or there is no such user
        raise DatasetError(f"{out}: {error}; a folder's path is right") from error


@contextmanager
def open_workspace(root: Path, shared: bool = False) -> Generator[Workspace, None, None]:
    """The workspace of the dataset at `root`, locked against other builds, or with `shared` against all that do not share it.
    The lock is the system's own, so it ends with the process that holds it, however that ends. Raises `DatasetError` when
    the folder holds something else, cannot be written, or another build is at work in it."""
    shop = Workspace(root)
    try:
        if root.exists() and not root.is_dir():
            raise DatasetError(f"{root}: is a file; a new or empty folder is right")
        if root.is_dir() and not _is_ours(shop) and any(root.iterdir()):
            raise DatasetError(f"{root}: is not empty and holds no VT-Instruct dataset; a new or empty folder is right")
        shop.folder.mkdir(parents=True, exist_ok=True)
        file = (shop.folder / "lock").open("a")
    except OSError as error:
        raise DatasetError(f"{root}: {error.strerror or error}; a folder that can be written is right") from error
    with file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            raise DatasetError(f"{root}: another build is at work there; wait for it or stop it") from None
        shop.lock = file
        yield shop


def _is_ours(shop: Workspace) -> bool:
    if (shop.folder / "lock").exists():
        return True
    try:
        manifest.read_manifest(shop.root)
    except DatasetError:
        return False
    return True


def summary(plan: Plan) -> dict[str, Any]:
    """What a plan rests on, in words that can be compared with the next one."""
    inputs: dict[str, str] = {}
    for split in plan.splits:
        inputs[f"{split.source}: the program"] = code_digest(split.source)
        inputs[f"{split.source} converter"] = split.version
        for file in split.files:
            inputs[f"{split.source}: {file.path}"] = file.sha256
    options = plan.options
    said = {"tasks": ",".join(options.tasks), "limit": options.limit, "seed": options.seed}
    said |= {"photo check": options.photo_check, "copied photos": options.copy_photos}
    said |= {"format": options.format, "embedded photos": options.embed}
    if options.licences.patterns:
        said["licences"] = ",".join(options.licences.patterns)
    if options.mix is not None:
        said["mix"] = f"{options.mix.name} ({options.mix.digest()[:12]})"
    if plan.excluded.ids:
        splits = ", ".join(sorted(plan.excluded.splits))
        said["excluded photos"] = f"{len(plan.excluded.ids)} of {splits} ({plan.excluded.digest()[:12]})"
    splits = [f"{split.source}/{split.split}" for split in plan.splits]
    return {"key": plan.key, "inputs": inputs, "options": said, "splits": splits}


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterable[str]:
    """What differs between two summaries, one sentence each."""
    old, new = before.get("inputs", {}), after["inputs"]
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield f"changed since the last build: {name}"
    was, now = before.get("options", {}), after["options"]
    for name in dict.fromkeys((*now, *was)):
        if was.get(name) != now.get(name):
            yield f"changed option: {name} was {was.get(name)!r}, is {now.get(name)!r}"
    for word, one, other in (("new", after, before), ("gone", before, after)):
        for split in one.get("splits", []):
            if split not in other.get("splits", []):
                yield f"{word} in this build: {split}"
