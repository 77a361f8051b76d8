"""What was asked for, as a file: so that a build made in parts can be finished without saying it all again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vtinstruct.build.choose import Chosen, source_named
from vtinstruct.build.licences import Licences
from vtinstruct.build.mix import Mix, Shares
from vtinstruct.build.plan import Options
from vtinstruct.build.receipt import write_atomically
from vtinstruct.manifest import DatasetError

_TUPLES = ("tasks", "exclude_images_of")


def write_order(path: Path, chosen: Sequence[Chosen], options: Options, parts: int) -> None:
    """Store sources, options and the number of parts."""
    sources = [[choice.source.name, str(choice.root), choice.splits] for choice in chosen]
    wire = {"sources": sources, "options": asdict(options), "parts": parts}
    write_atomically(path, json.dumps(wire, indent=1) + "\n")


def read_order(path: Path) -> tuple[tuple[Chosen, ...], Options, int]:
    """What `write_order` stored. Raises `DatasetError` when there is none, `SourceError` when a source is unknown now."""
    try:
        wire: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fields: dict[str, Any] = wire["options"]
        fields |= {name: tuple(fields[name]) for name in _TUPLES}
        fields["licences"] = Licences(tuple(fields["licences"]["patterns"]))
        if (mix := fields["mix"]) is not None:
            fields["mix"] = Mix(mix.pop("name"), **{name: Shares(**shares) for name, shares in mix.items()})
        options = Options(**fields)
        listed = [(name, Path(root), tuple(splits)) for name, root, splits in wire["sources"]]
        parts = int(wire["parts"])
    except FileNotFoundError:
        root = path.parent.parent
        raise DatasetError(f"{root}: no build in parts was begun there; build --chunk i/n is right") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error!r}); run a chunk again") from error
    return tuple(Chosen(source_named(name), root, splits) for name, root, splits in listed), options, parts
