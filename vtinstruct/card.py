"""The dataset card (README.md) and the two small files beside each split's shards, from a manifest.

What loaders need of it: one config per task and `all`, with explicit data files, so that split names such as testA stay
as they are; row counts, so that a lost shard is an error; and a version that follows the content, because
`datasets` serves its cache as long as the version stays the same, whatever the files say.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from vtinstruct.manifest import Manifest, Shard
from vtinstruct.schema import SCHEMA

ALL = "all"
README = "README.md"


def content_version(content_hash: str) -> str:
    """A version of the three numbers that `datasets` wants, from the content hash: other rows, other version."""
    return f"1.{int(content_hash[:8], 16)}.{int(content_hash[8:16], 16)}"


def card(manifest: Manifest, name: str) -> str:
    """The card's text: YAML for machines, then tables for people. `name` is a title, of any characters."""
    return f"---\n{_yaml(_front(manifest, name))}---\n\n{_body(manifest, name)}"


def _front(manifest: Manifest, name: str) -> dict[str, Any]:
    version = content_version(manifest.content_hash)
    tasks: dict[str, Sequence[str]] = {task: (task,) for task in manifest.tasks()}
    configs: list[dict[str, Any]] = []
    infos: list[dict[str, Any]] = []
    for config, members in {ALL: manifest.tasks(), **tasks}.items():
        by_split = _by_split(manifest, members)
        files = [{"split": split, "path": _patterns(shards)} for split, shards in by_split.items()]
        configs.append({"config_name": config, "default": config == ALL, "version": version, "data_files": files})
        infos.append(_info(config, by_split))
    return {
        "pretty_name": name,
        "license": "other",
        "license_name": "per-source",
        "task_categories": ["image-text-to-text", "object-detection", "image-segmentation"],
        "tags": ["visual-grounding", "referring-expressions", "vt-instruct"],
        "configs": configs,
        "dataset_info": infos,
    }


def _by_split(manifest: Manifest, tasks: Sequence[str]) -> dict[str, list[Shard]]:
    found: dict[str, list[Shard]] = {}
    for shard in manifest.files:
        if shard.task in tasks:
            found.setdefault(shard.split, []).append(shard)
    return dict(sorted(found.items()))


def _patterns(shards: Sequence[Shard]) -> list[str]:
    # patterns rather than names: 25 tasks of thousands of shards would make a card of megabytes
    return sorted({f"data/{shard.task}/{shard.split}/*.arrow" for shard in shards})


def _info(config: str, by_split: Mapping[str, Sequence[Shard]]) -> dict[str, Any]:
    splits = [
        {"name": split, "num_bytes": sum(s.bytes for s in shards), "num_examples": sum(s.rows for s in shards)}
        for split, shards in by_split.items()
    ]
    size = sum(shard.bytes for shards in by_split.values() for shard in shards)
    return {
        "config_name": config,
        "features": [{"name": field.name, **_yaml_feature(field.type)} for field in SCHEMA],
        "splits": splits,
        "download_size": size,
        "dataset_size": size,
    }


def _body(manifest: Manifest, name: str) -> str:
    sources = [
        (source, info.licence, ", ".join(info.splits), info.version, info.homepage)
        for source, info in manifest.sources.items()
    ]
    counts, sampled = row_counts(manifest), sampled_counts(manifest)
    rows = [
        (task, split, *counts.get((task, split), (0, 0)), *((sampled.get((task, split), 0),) if sampled else ()))
        for task, split in sorted(counts.keys() | sampled.keys())
    ]
    drops = [
        (d.source, d.split, d.task or "-", d.reason, "repaired" if d.repaired else "dropped", d.count)
        for d in manifest.drops
    ]
    return "\n".join(
        [
            f"# {_cell(name)}\n",
            "Dialogues over photos whose answers point at them with boxes, masks, keypoints, points and depth, in TRP.\n",
            "```python",
            "from datasets import load_dataset",
            f"rows = load_dataset(FOLDER, {json.dumps(next(iter(manifest.tasks()), ALL))})  # one config per task, `all` for all",
            "```\n",
            f"Content `{manifest.content_hash}`, seed {manifest.seed}, VT-Instruct {manifest.vtinstruct}.\n",
            "## Rows\n",
            _mix(manifest),
            _table(("task", "split", "dialogues", "units", *(("sampled out",) if sampled else ())), rows),
            "## Sources and licences\n",
            f"Annotations and photos stay under their sources' licences.{_licences(manifest)}\n",
            _table(("source", "licence", "splits", "converter", "homepage"), sources),
            "## Photos in more than one split\n",
            _excluded(manifest),
            _overlaps(manifest),
            "## Left out and repaired\n",
            _table(("source", "split", "task", "reason", "", "count"), drops) if drops else "Nothing.\n",
        ]
    )


def row_counts(manifest: Manifest) -> dict[tuple[str, str], tuple[int, int]]:
    """(task, split) -> (dialogues, units), sorted."""
    rows: Counter[tuple[str, str]] = Counter()
    units: Counter[tuple[str, str]] = Counter()
    for shard in manifest.files:
        rows[shard.task, shard.split] += shard.rows
        units[shard.task, shard.split] += shard.units
    return {key: (rows[key], units[key]) for key in sorted(rows)}


def sampled_counts(manifest: Manifest) -> dict[tuple[str, str], int]:
    """(task, split) -> dialogues that the mix left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for left in manifest.sampled_out:
        counts[left.task, left.split] += left.count
    return dict(counts)


def _mix(manifest: Manifest) -> str:
    mix = manifest.options.get("mix")
    if mix is None:
        return ""
    return f"Training splits are sampled by the mix {_cell(mix['name'])}; its numbers are in `manifest.json`.\n"


def _licences(manifest: Manifest) -> str:
    asked = manifest.options.get("licences")
    return f" Left out are rows under other licences than {_cell(','.join(asked))}." if asked else ""


def _excluded(manifest: Manifest) -> str:
    said = manifest.options.get("exclude_images_of")
    if said is None:
        return ""
    named = ", ".join(f"{where} ({photos})" for where, photos in said["splits"].items())
    unread = ", ".join(f"{where} ({records})" for where, records in said["unread"].items())
    missed = f" Records that could not be read, whose photos are not kept out: {_cell(unread)}." if unread else ""
    return f"Photos kept out of training splits: those of {_cell(named)}.{missed}\n"


def _overlaps(manifest: Manifest) -> str:
    if not manifest.overlaps:
        return "None.\n"
    head = ("split", "photos", "split", "photos", "same photo", "same bytes only", "training and evaluation")
    rows = [
        (p.one, p.photos_one, p.other, p.photos_other, p.same_id, p.same_bytes, "yes" if p.leaks else "-")
        for p in manifest.overlaps
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(value) for value in line) + " |\n" for line in lines)


def _cell(value: object) -> str:
    text = " ".join(str(value).split())
    for plain, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        text = text.replace(plain, safe)
    return text


# --- features, in the two notations of `datasets` -----------------------------------------------------------------------


def _feature(type_: pa.DataType) -> Any:
    if pa.types.is_struct(type_):
        return {type_.field(i).name: _feature(type_.field(i).type) for i in range(type_.num_fields)}
    if pa.types.is_list(type_):
        return {"feature": _feature(type_.value_type), "_type": "List"}
    return {"dtype": _dtype(type_), "_type": "Value"}


def _dtype(type_: pa.DataType) -> str:
    return {"double": "float64"}.get(str(type_), str(type_))


def _yaml_feature(type_: pa.DataType) -> dict[str, Any]:
    if pa.types.is_struct(type_):
        return {"struct": _yaml_struct(type_)}
    if pa.types.is_list(type_):
        inner = type_.value_type
        return {"list": _yaml_struct(inner) if pa.types.is_struct(inner) else _dtype(inner)}
    return {"dtype": _dtype(type_)}


def _yaml_struct(type_: pa.StructType) -> list[dict[str, Any]]:
    fields = (type_.field(i) for i in range(type_.num_fields))
    return [{"name": field.name, **_yaml_feature(field.type)} for field in fields]


def features() -> dict[str, Any]:
    """The shard schema as `datasets` writes it to JSON."""
    return {field.name: _feature(field.type) for field in SCHEMA}


def split_files(task: str, split: str, shards: Sequence[Shard]) -> dict[str, str]:
    """`state.json` and `dataset_info.json` of one split's folder, with which `datasets.load_from_disk` maps the shards
    where they lie."""
    content = hashlib.sha256("".join(shard.sha256 for shard in shards).encode()).hexdigest()
    state = {
        "_data_files": [{"filename": shard.path.rsplit("/", 1)[1]} for shard in shards],
        "_fingerprint": content[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    info = {"config_name": task, "features": features(), "version": {"version_str": content_version(content)}}
    return {
        name: json.dumps(wire, indent=1) + "\n" for name, wire in (("state.json", state), ("dataset_info.json", info))
    }


# --- YAML ------------------------------------------------------------------------------------------------------------


# what JSON leaves bare and YAML takes for a line break or refuses
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def _scalar(value: Any) -> str:
    return _UNSAFE.sub(lambda hit: f"\\u{ord(hit[0]):04x}", json.dumps(value, ensure_ascii=False))


def _yaml(value: Mapping[str, Any], indent: str = "") -> str:
    """Block YAML of dicts, lists and scalars; scalars as JSON, which YAML reads as it is."""
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            lines.append(f"{indent}{key}:\n{_yaml(item, indent + '  ')}")
        elif isinstance(item, (list, tuple)) and item:
            lines.append(f"{indent}{key}:\n" + "".join(_yaml_item(entry, indent) for entry in item))
        else:
            lines.append(f"{indent}{key}: {_scalar(item)}\n")
    return "".join(lines)


def _yaml_item(entry: Any, indent: str) -> str:
    if not isinstance(entry, Mapping):
        return f"{indent}- {_scalar(entry)}\n"
    return f"{indent}- " + _yaml(entry, indent + "  ")[len(indent) + 2 :]
