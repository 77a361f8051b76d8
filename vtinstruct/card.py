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

from vtinstruct import album, croissant
from vtinstruct.album import CONFIG, SPLIT
from vtinstruct.features import json_features, yaml_features
from vtinstruct.manifest import ImageFile, Manifest, Shard
from vtinstruct.schema import SCHEMA

ALL = "all"
README = "README.md"
Listed = Shard | ImageFile
# SPDX ids, lower case, that the Hub has a name for (https://huggingface.co/docs/hub/repositories-licenses)
HUB_LICENCES = """apache-2.0 mit ms-pl bsd-2-clause bsd-3-clause cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0
    cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 odc-by odbl pddl"""


def content_version(content_hash: str) -> str:
    """A version of the three numbers that `datasets` wants, from the content hash: other rows, other version."""
    return f"1.{int(content_hash[:8], 16)}.{int(content_hash[8:16], 16)}"


def title(manifest: Manifest) -> str:
    """What the card calls the dataset."""
    return f"VT-Instruct: {', '.join(manifest.sources)}"


def card(manifest: Manifest) -> str:
    """The card's text: YAML for machines, then tables for people."""
    return f"{head(front(manifest))}\n{_body(manifest)}"


def head(said: Mapping[str, Any]) -> str:
    """What is said to machines, as the card begins with it."""
    return f"---\n{_yaml(said)}---\n"


def front(manifest: Manifest) -> dict[str, Any]:
    """What the card says to machines."""
    version = content_version(manifest.content_hash)
    configs: list[dict[str, Any]] = []
    infos: list[dict[str, Any]] = []
    for config, by_split in _configs(manifest).items():
        # every shard by its name: with a pattern, a stream would not notice that one is missing or does not belong
        files = [{"split": split, "path": [shard.path for shard in shards]} for split, shards in by_split.items()]
        configs.append({"config_name": config, "default": config == ALL, "version": version, "data_files": files})
        infos.append(_info(config, by_split))
    return {
        "pretty_name": title(manifest),
        **_licence(manifest),
        "language": ["en"],
        "task_categories": ["image-text-to-text", "object-detection", "image-segmentation"],
        "size_categories": [_size(sum(shard.rows for shard in manifest.files))],
        "tags": ["visual-grounding", "referring-expressions", "vt-instruct"],
        "configs": configs,
        "dataset_info": infos,
    }


def _licence(manifest: Manifest) -> dict[str, str]:
    """One licence where all sources have the same and the Hub knows it."""
    found = {info.licence.lower() for info in manifest.sources.values()}
    if len(found) == 1 and found <= set(HUB_LICENCES.split()):
        return {"license": found.pop()}
    return {"license": "other", "license_name": "per-source"}


def _size(rows: int) -> str:
    """The Hub's name for so many rows."""
    steps = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
    place = min(max(len(str(max(rows, 1))) - 3, 0), len(steps))
    if place == 0:
        return f"n<{steps[0]}"
    return f"{steps[place - 1]}<n<{steps[place]}" if place < len(steps) else f"n>{steps[-1]}"


def _whole(manifest: Manifest) -> tuple[str, ...]:
    """The configurations of all rows: `all`, and the name of the mix that chose them."""
    mix = (manifest.options.get("mix") or {}).get("name", ALL)
    taken = {ALL, CONFIG, *manifest.tasks()}
    return (ALL,) if mix in taken or not re.fullmatch(r"[\w.-]+", mix) else (ALL, mix)


def _configs(manifest: Manifest) -> dict[str, dict[str, list[Listed]]]:
    """Configuration -> split -> its files."""
    found: dict[str, dict[str, list[Listed]]] = {name: _by_split(manifest.files) for name in _whole(manifest)}
    for task in manifest.tasks():
        found[task] = _by_split([shard for shard in manifest.files if shard.task == task])
    if manifest.images:
        found[CONFIG] = {SPLIT: list(manifest.images)}
    return found


def _by_split(shards: Sequence[Shard]) -> dict[str, list[Listed]]:
    found: dict[str, list[Listed]] = {}
    for shard in shards:
        found.setdefault(shard.split, []).append(shard)
    return dict(sorted(found.items()))


def _schema(config: str) -> pa.Schema:
    return album.SCHEMA if config == CONFIG else SCHEMA


def _info(config: str, by_split: Mapping[str, Sequence[Listed]]) -> dict[str, Any]:
    splits = [
        {"name": split, "num_bytes": sum(s.bytes for s in shards), "num_examples": sum(s.rows for s in shards)}
        for split, shards in by_split.items()
    ]
    size = sum(shard.bytes for shards in by_split.values() for shard in shards)
    features = yaml_features(_schema(config))
    return {"config_name": config, "features": features, "splits": splits, "download_size": size, "dataset_size": size}


def _body(manifest: Manifest) -> str:
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
            f"# {_cell(title(manifest))}\n",
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


# --- beside the shards -----------------------------------------------------------------------------------------------


def describe(manifest: Manifest, **published: str) -> dict[str, Any]:
    """What `croissant.json` says; `published` what a place of publication adds (`croissant.PUBLISHED`)."""
    return croissant.description(manifest, title(manifest), content_version(manifest.content_hash), **published)


def side_files(manifest: Manifest) -> dict[str, str]:
    """The small files beside the shards, path -> text: `state.json` and `dataset_info.json` of every folder of Arrow
    shards, with which `datasets.load_from_disk` maps them where they lie."""
    found: dict[str, str] = {}
    for config, by_split in _configs(manifest).items():
        features = json_features(_schema(config))
        for split, shards in by_split.items() if config not in _whole(manifest) else ():
            if shards[0].path.endswith(".arrow"):
                made = _split_files(config, split, shards, features)
                found |= {f"data/{config}/{split}/{name}": json.dumps(wire) + "\n" for name, wire in made.items()}
    return found


def _split_files(
    config: str, split: str, shards: Sequence[Listed], features: dict[str, Any]
) -> dict[str, dict[str, Any]]:
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
    info = {"config_name": config, "features": features, "version": {"version_str": content_version(content)}}
    return {"state.json": state, "dataset_info.json": info}


# --- YAML ------------------------------------------------------------------------------------------------------------


# what JSON leaves bare and YAML takes for a line break or refuses
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    return _UNSAFE.sub(lambda hit: f"\\u{ord(hit[0]):04x}", json.encoder.encode_basestring(value))


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
