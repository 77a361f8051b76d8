"""Evaluation photos that a build keeps out of its training splits, by identity and by content.

What to keep out is said as a build's sources are (`refcoco:testA,testB=ROOT`, or a bare `ROOT`: its evaluation splits),
or as a built dataset's folder (its evaluation splits), or one split's folder in it (`DATASET/data/TASK/SPLIT`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from vtinstruct import manifest
from vtinstruct.build.choose import Chosen, choose, names_splits
from vtinstruct.build.receipt import write_atomically
from vtinstruct.manifest import Manifest, Shard, is_training, read_manifest
from vtinstruct.photos import PhotoError, look
from vtinstruct.record import Drop, Record
from vtinstruct.source import SourceError, inside

REASON = "photo of an evaluation split"


@dataclass(frozen=True, slots=True)
class Excluded:
    """Photos to keep out: identity, and SHA-256 of the file, each with the `source/split` that has it (the first by name,
    so the order of asking does not matter); how many photos every `source/split` named, and how many of its records could
    not be read, so that their photos are unknown."""

    ids: dict[str, str] = field(default_factory=dict[str, str])
    hashes: dict[str, str] = field(default_factory=dict[str, str])
    splits: dict[str, int] = field(default_factory=dict[str, int])
    unread: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, where: str, identity: str, sha256: str = "") -> None:
        """One photo of a split; "" where its bytes are not known."""
        self.ids[identity] = min(where, self.ids.get(identity, where))
        if sha256:
            self.hashes[sha256] = min(where, self.hashes.get(sha256, where))

    def count(self, seen: Mapping[str, Collection[str]]) -> int:
        """Note the identities that some splits named; says how many there are."""
        for where, identities in seen.items():
            self.splits[where] = max(len(identities), self.splits.get(where, 0))
        return sum(map(len, seen.values()))

    def digest(self) -> str:
        """A hash over all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def drop(self, record: Record, sha256: str = "") -> Drop | None:
        """What to put in the ledger when the record's photo, or a file of that hash, is to be kept out; else None."""
        if record.photo is None:
            return None
        if (where := self.ids.get(record.photo.id)) is not None:
            detail = f"{record.photo.id} is in {where}"
        elif (where := self.hashes.get(sha256)) is not None:
            detail = f"{record.photo.id} has the bytes of a photo in {where}"
        else:
            return None
        return Drop(record.source, record.split, record.origin.file, record.origin.row, REASON, detail)


def read_excluded(texts: Sequence[str], hashed: bool, say: Callable[[str], None]) -> Excluded:
    """Everything the texts mean. With `hashed`, every photo of a source is read; `say` is told what could not be.
    Raises `SourceError` or `DatasetError`, each with one line."""
    found = Excluded()
    if texts and not hashed:
        say("photos are not read: evaluation photos are kept out by identity only")
    for text in texts:
        built = _built(Path(text).expanduser())
        photos = _add_source(found, text, hashed, say) if built is None else _add_shards(found, *built)
        if not photos:
            raise SourceError(
                f"--exclude-images-of {text}: no evaluation split with photos is there; "
                "NAME:SPLIT=FOLDER, or a built dataset's folder, is right"
            )
    return found


def _built(path: Path) -> tuple[Path, Iterable[Shard]] | None:
    """(root, shards) of a built dataset or of one split's folder in it; None when the path is neither."""
    if (path / manifest.NAME).is_file():
        return path, [shard for shard in read_manifest(path).files if not is_training(shard.split)]
    path = path.resolve()
    if len(path.parts) > 3 and path.parents[1].name == "data" and (root := path.parents[2] / manifest.NAME).is_file():
        return root.parent, _shards(read_manifest(root.parent), path)
    return None


def _shards(whole: Manifest, path: Path) -> tuple[Shard, ...]:
    return whole.shards(path.parent.name, path.name)


def _add_shards(found: Excluded, root: Path, shards: Iterable[Shard]) -> int:
    """Add all photos of some shards; says how many there are."""
    from vtinstruct.build.overlap import photos_of  # brings polars, which the processes that make chunks do not need

    seen: dict[str, set[str]] = {}
    for shard in shards:
        for where, identity, sha256 in photos_of(root / shard.path).iter_rows():
            seen.setdefault(where, set()).add(identity)
            found.add(where, identity, sha256)
    return found.count(seen)


def _add_source(found: Excluded, text: str, hashed: bool, say: Callable[[str], None]) -> int:
    """Add all photos of the splits a text means; says how many there are."""
    seen: dict[str, set[str]] = {}
    for choice in choose([text]):
        for split in choice.splits:
            if names_splits(text) or not is_training(split):
                seen[f"{choice.source.name}/{split}"] = _add_split(found, choice, split, hashed, say)
    return found.count(seen)


def _add_split(found: Excluded, choice: Chosen, split: str, hashed: bool, say: Callable[[str], None]) -> set[str]:
    where = f"{choice.source.name}/{split}"
    opened, drops, records = choice.source.open(choice.root, split), list[Drop](), 0
    identities, paths, lost = set[str](), set[str](), 0
    for record in opened.records(0, len(opened), drops.append):
        records += 1
        if record.photo is None:
            continue
        path, digest = record.photo.path, ""
        if hashed and path not in paths:
            try:
                digest = look(inside(choice.root, path)).sha256
            except (PhotoError, SourceError):
                lost += 1  # an identity is known without its file
        paths.add(path)
        identities.add(record.photo.id)
        found.add(where, record.photo.id, digest)
    if lost:
        say(f"{where}: {lost} of {len(paths)} photos cannot be read; they are kept out by identity only")
    if unread := len(opened) - records:
        found.unread[where] = unread
        first = next((f", first {drop.row}: {drop.reason}" for drop in drops if not drop.repaired), "")
        say(f"{where}: {unread} of {len(opened)} records cannot be read, their photos are NOT kept out{first}")
    return identities


# --- for the processes that make chunks ------------------------------------------------------------------------------


def write_excluded(excluded: Excluded, path: Path) -> None:
    """Store it where every worker can read it: it may be too large to hand to each chunk."""
    write_atomically(path, json.dumps(asdict(excluded)))


@lru_cache(maxsize=1)
def load_excluded(path: str) -> Excluded:
    """What was stored at `path`, whose name holds the digest, so that it never changes. Read once a process."""
    return Excluded(**json.loads(Path(path).read_text(encoding="utf-8")))
