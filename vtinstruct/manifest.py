"""`manifest.json`: what a dataset holds and what it was made of. It is written last: where it is, the build is whole.

The content hash is over the shards' hashes, the depth maps' and the vocabularies: the same rows and the same truth give
the same hash on every machine, whatever the folder is called.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from vtinstruct.record import Category

NAME = "manifest.json"
LEDGER = "drops.jsonl"  # everything left out or repaired, one JSON line each; the manifest has the counts
FORMAT = "vtinstruct-dataset"
VERSION = 1


def is_training(split: str) -> bool:
    """Whether a split is for training: `train` begins its name or a part of it (train2017, training, v1_train,
    google_train). All others are for evaluation: asked in full and once, with what scoring needs."""
    return re.search(r"(^|_)train", split) is not None


class DatasetError(Exception):
    """A dataset that cannot be used: one line with the file, what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One Arrow file of one task and split: `path` relative to the dataset, hash, bytes, rows and units in it."""

    path: str
    sha256: str
    bytes: int
    rows: int
    units: int
    task: str
    split: str


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One file of embedded photos and depth maps (`album`): `path` relative to the dataset, hash, bytes, rows."""

    path: str
    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class FileDigest:
    """An annotation file that was read: path relative to its source's root, and its hash."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SplitInfo:
    """One split of a source: the files read, its slots (records, dropped ones included), how many of them were
    built (`limit`), its vocabulary in the source's own order (two splits may have two: Pascal Context's 59 and 459
    classes), and one hash over the depth maps its dialogues name ("" without)."""

    files: tuple[FileDigest, ...]
    slots: int
    built: int
    vocabulary: tuple[Category, ...] = ()
    depth_sha256: str = ""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One source as built: its converter's version, licence and splits."""

    title: str
    homepage: str
    licence: str
    version: str
    splits: Mapping[str, SplitInfo]

    @property
    def vocabulary(self) -> tuple[Category, ...]:
        """The categories of all splits, each once; where splits disagree on an id, scores need the split's own."""
        return tuple(dict.fromkeys(category for split in self.splits.values() for category in split.vocabulary))


@dataclass(frozen=True, slots=True)
class DropCount:
    """How many things were left out or repaired for one reason."""

    source: str
    split: str
    task: str
    reason: str
    repaired: bool
    count: int


@dataclass(frozen=True, slots=True)
class SampledOut:
    """How many dialogues of a task a mix left out of a training split."""

    source: str
    split: str
    task: str
    count: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two splits, each `source/split`, that share photos: how many photos each has, how many identities both have, and
    how many files of the same bytes stand in both under identities that only one of them has."""

    one: str
    other: str
    photos_one: int
    photos_other: int
    same_id: int
    same_bytes: int

    @property
    def leaks(self) -> bool:
        """Whether one split is for training and the other for evaluation."""
        one, other = (is_training(where.partition("/")[2]) for where in (self.one, self.other))
        return one != other


@dataclass(frozen=True, slots=True)
class Manifest:
    """See the module. `options` are those that decide the content (never the number of workers or a path)."""

    content_hash: str
    vtinstruct: str
    seed: int
    options: Mapping[str, Any]
    sources: Mapping[str, SourceInfo]
    files: tuple[Shard, ...]
    drops: tuple[DropCount, ...] = ()
    sampled_out: tuple[SampledOut, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    images: tuple[ImageFile, ...] = ()

    def tasks(self) -> tuple[str, ...]:
        """The tasks that have rows, sorted."""
        return tuple(sorted({shard.task for shard in self.files}))

    def splits(self, task: str) -> tuple[str, ...]:
        """The splits of a task, sorted."""
        return tuple(sorted({shard.split for shard in self.files if shard.task == task}))

    def vocabulary(self, source: str, split: str) -> tuple[Category, ...]:
        """The categories of one split of a source, in the source's own order; empty when it has none."""
        info = self.sources.get(source)
        found = info.splits.get(split) if info else None
        return found.vocabulary if found else ()

    def shards(self, task: str, split: str) -> tuple[Shard, ...]:
        """The files of one task and split, in order; `DatasetError` when there are none."""
        found = tuple(shard for shard in self.files if shard.task == task and shard.split == split)
        if not found:
            known = ", ".join(f"{t}/{s}" for t in self.tasks() for s in self.splits(t)) or "none"
            raise DatasetError(f"no rows of task {task!r}, split {split!r}; there are: {known}")
        return found


def content_hash(files: Sequence[Shard], sources: Mapping[str, SourceInfo], images: Sequence[ImageFile] = ()) -> str:
    """SHA-256 over what the dataset says: shard paths and hashes, depth maps, vocabularies, embedded photos."""
    said: dict[str, Any] = {
        "shards": [[f.path, f.sha256, f.rows] for f in files],
        "depth": {name: {s: i.depth_sha256 for s, i in info.splits.items()} for name, info in sources.items()},
        "vocabulary": {
            name: {split: [asdict(c) for c in i.vocabulary] for split, i in info.splits.items()}
            for name, info in sources.items()
        },
    }
    if images:
        said["images"] = [[f.path, f.sha256, f.rows] for f in images]
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_to_json(manifest: Manifest) -> str:
    """The file's text; inverse of `manifest_from_json`. Its last line seals all above it."""
    text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(manifest)}, indent=1, ensure_ascii=False)
    return _sealed(text.removesuffix("\n}"))


def is_sealed(text: str) -> bool:
    """Whether a manifest's text is as it was written, to the last character."""
    return text == _sealed(text.rpartition(_SEAL)[0])


_SEAL = ',\n "sha256": '


def _sealed(text: str) -> str:
    return f'{text}{_SEAL}"{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n'


def read_manifest(root: Path) -> Manifest:
    """The manifest of the dataset at `root`. Raises `DatasetError`."""
    path = root / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        begun = (root / ".build").is_dir()
        hint = "the build there is not finished; run it again to resume" if begun else "a built dataset is right"
        raise DatasetError(f"{path} is not there: {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    return manifest_from_json(text, path)


def manifest_from_json(text: str, path: Path) -> Manifest:
    """Read a manifest's text; `path` is for messages. Raises `DatasetError`."""
    try:
        wire: Any = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON ({error}); build the dataset again") from error
    if not isinstance(wire, dict) or cast(dict[str, Any], wire).get("format") != FORMAT:
        raise DatasetError(f'{path} is no manifest; {{"format": "{FORMAT}", ...}} is right')
    fields = cast(dict[str, Any], wire)
    if fields.get("version") != VERSION:
        raise DatasetError(f"{path} has version {fields.get('version')!r}; this program reads version {VERSION}")
    try:
        return _manifest(fields)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DatasetError(f"{path} lacks or garbles a field ({error!r}); build the dataset again") from error


def _manifest(fields: dict[str, Any]) -> Manifest:
    return Manifest(
        fields["content_hash"],
        fields["vtinstruct"],
        fields["seed"],
        fields["options"],
        {name: _source(info) for name, info in fields["sources"].items()},
        tuple(Shard(**shard) for shard in fields["files"]),
        tuple(DropCount(**drop) for drop in fields["drops"]),
        # datasets built before these were counted lack them
        tuple(SampledOut(**count) for count in fields.get("sampled_out", ())),
        tuple(Overlap(**pair) for pair in fields.get("overlaps", ())),
        tuple(ImageFile(**file) for file in fields.get("images", ())),
    )


def _source(wire: dict[str, Any]) -> SourceInfo:
    splits: dict[str, SplitInfo] = {}
    for name, split in wire["splits"].items():
        files = tuple(FileDigest(**file) for file in split["files"])
        vocabulary = tuple(_category(category) for category in split["vocabulary"])
        splits[name] = SplitInfo(files, split["slots"], split["built"], vocabulary, split["depth_sha256"])
    return SourceInfo(wire["title"], wire["homepage"], wire["licence"], wire["version"], splits)


def _category(wire: dict[str, Any]) -> Category:
    lists: dict[str, Any] = {"synonyms": tuple(wire["synonyms"]), "keypoints": tuple(wire["keypoints"])}
    return Category(**{**wire, **lists})
