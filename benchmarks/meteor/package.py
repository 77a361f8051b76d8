"""What `pycocoevalcap` carries of METEOR: the Java archive, with word lists and WordNet's synonyms in it, and the paraphrases.

They have licences of their own and are not ours to ship, so METEOR is there where that package is. Data is read, nothing run.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

Tokens = Sequence[str]
PACKAGE, ARCHIVE, PARAPHRASES = "pycocoevalcap", "meteor/meteor-1.5.jar", "meteor/data/paraphrase-en.gz"


class MeteorError(Exception):
    """METEOR cannot be had here; the message says what is missing."""


def carried(name: str) -> Path:
    """The path of a file of the package: `ARCHIVE` or `PARAPHRASES`. Raises `MeteorError`."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MeteorError(f"METEOR needs {PACKAGE}: pip install 'vt-instruct[official]' is right")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file():
        raise MeteorError(f"{path} is not there; {PACKAGE} 1.2 has it")
    return path


def data_version() -> dict[str, str]:
    """The package that the data is of, with its version ("unknown" where it was not installed as a package), for result files."""
    try:
        return {PACKAGE: importlib.metadata.version(PACKAGE)}
    except importlib.metadata.PackageNotFoundError:
        return {PACKAGE: "unknown"}


def sentence(tokens: Tokens) -> str:
    """A caption's tokens as the text METEOR is asked about; `|||` separates texts there, and is left out as the original does."""
    return " ".join(tokens).replace("|||", "")
