"""`vtinstruct push`: a checked dataset to the Hugging Face Hub, as one commit.

The commit appears when every file is there, so nobody loads half a dataset. Files the Hub has already are not sent again:
a push that broke off goes on where it stopped, and a rebuilt dataset sends what changed. What an earlier push of this
dataset left in `data/` and `images/` and is no more is removed in the same commit; other files are never touched.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vtinstruct import card, croissant, manifest
from vtinstruct.check import check
from vtinstruct.manifest import DatasetError, Manifest, read_manifest
from vtinstruct.photos import FOLDER

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MOST_FILES = 10_000  # in one commit; the Hub takes no more well
_OURS = ("data/", f"{FOLDER}/")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to be: its path in the repository, its bytes (or the file that has them), their size and SHA-256."""

    path: str
    content: Path | bytes
    size: int
    sha256: str

    def git_id(self) -> str:
        """What git calls the content: the Hub says this of small files, and SHA-256 of large ones."""
        digest = hashlib.sha1(f"blob {self.size}\0".encode())
        digest.update(self.content if isinstance(self.content, bytes) else self.content.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did, or with `dry_run` would do: paths sent and removed, files that were there already, bytes sent."""

    repo: str
    sent: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    bytes: int
    commit: str = ""  # its address; "" when nothing was to be done


def push(
    root: Path,
    repo: str,
    private: bool = False,
    revision: str = "main",
    photos: bool = True,
    dry_run: bool = False,
    api: HfApi | None = None,
) -> Pushed:
    """Push the dataset at `root` to the dataset repository `repo` (`owner/name`), which is made when it is not there.

    `photos` False leaves out photos that are files (embedded ones are part of the dataset). `dry_run` only reads. Raises
    `DatasetError`, one line, when the dataset is unsound, its photos cannot go along, the repository holds something else,
    or the Hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = api or HfApi()
    # whatever HTTP library this version of huggingface_hub rests on, its errors are the bases of the Hub's own
    unreachable = cast(tuple[type[Exception], ...], HfHubHTTPError.__bases__)
    files = {file.path: file for file in _files(root, repo, api.endpoint, photos)}
    if len(files) > MOST_FILES:
        raise DatasetError(
            f"{root}: {len(files)} files are too many for a commit; `vtinstruct repack --embed` makes few"
        )
    try:
        there = _remote(api, repo, revision)
        _refuse_strangers(there, repo)
        wanted = {path: file for path, file in files.items() if not _is_there(file, there.get(path))}
        ours = _OURS if photos else _OURS[:1]  # photos that an earlier push took along may stay
        gone = tuple(sorted(path for path in there if path.startswith(ours) and path not in files))
        if set(wanted) <= {croissant.NAME} and croissant.NAME in there and not gone:
            wanted = {}  # it would say another day of publication, and nothing else
        planned = Pushed(
            repo, tuple(wanted), gone, len(files) - len(wanted), sum(file.size for file in wanted.values())
        )
        if dry_run or not (wanted or gone):
            return planned
        return _commit(api, planned, wanted, private, revision)
    except HFValidationError as error:
        raise DatasetError(f"{repo}: {_line(error)}; OWNER/NAME is right") from error
    except (*unreachable, OSError, RuntimeError, ValueError) as error:
        raise DatasetError(
            f"{repo}: {_line(error)}; run the same command again: what is uploaded is not sent again"
        ) from error


def _line(error: BaseException) -> str:
    """What went wrong: the first line of the error and of what caused it."""
    causes = [error, *([error.__cause__] if error.__cause__ is not None else [])]
    said = [str(cause).strip().partition("\n")[0] or type(cause).__name__ for cause in causes]
    return ": ".join(dict.fromkeys(said))


# --- here ------------------------------------------------------------------------------------------------------------


def _files(root: Path, repo: str, endpoint: str, photos: bool) -> Iterator[LocalFile]:
    """Everything to be in the repository. Raises `DatasetError`."""
    whole = read_manifest(root)
    found = check(root)
    if found.findings:
        raise DatasetError(f"{root}: {found.findings[0]}; `vtinstruct check` lists {len(found.findings)} findings")
    for file in (*whole.files, *whole.images):
        yield LocalFile(file.path, root / file.path, file.bytes, file.sha256)
    yield _published(whole, repo, endpoint)
    for path in (*card.side_files(whole), manifest.LEDGER, card.README, manifest.NAME):
        yield _read(root, path)
    if photos and not whole.images:
        yield from _photos(root)


def _photos(root: Path) -> Iterator[LocalFile]:
    folder = root / FOLDER
    links = [path for path in ([folder, *folder.iterdir()] if folder.is_dir() else []) if path.is_symlink()]
    if links:
        raise DatasetError(
            f"{links[0]}: photos are linked, and links lead nowhere on the Hub; repack it with --embed "
            "(or build it with --photos copy), or push --without-photos"
        )
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield _read(root, path.relative_to(root).as_posix())


def _read(root: Path, path: str) -> LocalFile:
    with (root / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return LocalFile(path, root / path, (root / path).stat().st_size, digest)


def _published(whole: Manifest, repo: str, endpoint: str) -> LocalFile:
    """`croissant.json` as it stands on the Hub: with the dataset's page and the day of publication."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    page = {"url": f"{endpoint}/datasets/{repo}", "datePublished": day}
    text = croissant.text(card.describe(whole, **page)).encode()
    return LocalFile(croissant.NAME, text, len(text), hashlib.sha256(text).hexdigest())


# --- there -----------------------------------------------------------------------------------------------------------


def _remote(api: HfApi, repo: str, revision: str) -> Mapping[str, Any]:
    """The files in the repository, by path; none when it, or the revision, is not there."""
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.hf_api import RepoFile

    try:
        entries = api.list_repo_tree(repo, recursive=True, revision=revision, repo_type="dataset")
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError):
        return {}


def _refuse_strangers(there: Mapping[str, Any], repo: str) -> None:
    foreign = next((path for path in there if path.startswith(_OURS)), None)
    if foreign is not None and manifest.NAME not in there:
        raise DatasetError(f"{repo}: holds {foreign} and is no VT-Instruct dataset; a new or empty repository is right")


def _is_there(file: LocalFile, remote: Any) -> bool:
    if remote is None or remote.size != file.size:
        return False
    if remote.lfs is not None:
        return remote.lfs.sha256 == file.sha256
    return remote.blob_id == file.git_id()


def _commit(api: HfApi, planned: Pushed, files: Mapping[str, LocalFile], private: bool, revision: str) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api.create_repo(planned.repo, repo_type="dataset", private=private or None, exist_ok=True)
    if revision != "main":
        api.create_branch(planned.repo, branch=revision, repo_type="dataset", exist_ok=True)
    adds = [CommitOperationAdd(file.path, file.content) for file in files.values()]
    gone = [CommitOperationDelete(path) for path in planned.removed]
    done = api.create_commit(
        planned.repo, [*adds, *gone], repo_type="dataset", revision=revision, commit_message="VT-Instruct dataset"
    )
    return replace(planned, commit=str(done.commit_url))
