"""`croissant.json`: the dataset described in Croissant 1.1 (JSON-LD), for search engines and for `mlcroissant`.

Spec: mlcommons.org/croissant/1.1. Every file stands there with its hash, every task with its columns, and what all of it
was derived from: sources with their licences, annotation files with their hashes, the program's version and the seed.
Columns of lists within lists (`evaluation.ignore`) have no form in Croissant and are only in the shards. `mlcroissant` can
read the rows of Parquet shards; it knows no Arrow streams.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from vtinstruct import album
from vtinstruct.manifest import Manifest, is_training
from vtinstruct.schema import SCHEMA
from vtinstruct.source import licence_ids

NAME = "croissant.json"
# what only the place of publication knows; `push` fills it in
PUBLISHED = ("url", "datePublished")
_TERMS = (
    "annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field fileProperty fileObject fileSet "
    "format includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex readLines repeated "
    "replace samplingRate sdVersion separator source subField transform unArchive value"
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS.split()},
}
ENCODING = {"arrow": "application/vnd.apache.arrow.stream", "parquet": "application/x-parquet"}
_TYPES = {"string": "sc:Text", "binary": "sc:Text", "bool": "sc:Boolean", "double": "sc:Float"}


def text(wire: dict[str, Any]) -> str:
    """The file of a description."""
    return json.dumps(wire, indent=1, ensure_ascii=False) + "\n"


def description(manifest: Manifest, title: str, version: str, **published: str) -> dict[str, Any]:
    """What the file says. `published` is what a place of publication knows (`PUBLISHED`)."""
    tasks = manifest.tasks()
    wire: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": title,
        "description": "Dialogues over photos whose answers point with boxes, masks, keypoints, points and depth, in TRP.",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "license": [_licence(name) for name in licences(manifest)],
        "citeAs": "https://arxiv.org/abs/2503.07413",  # the text format's paper
        "creator": {"@type": "sc:Organization", "name": "VT-Instruct"},
        "keywords": ["visual grounding", "referring expressions", "instruction tuning", *tasks],
        "inLanguage": "en",
        "version": version,
        **published,
        "prov:wasDerivedFrom": [_origin(manifest, source) for source in manifest.sources],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": f"vtinstruct build {manifest.vtinstruct}, seed {manifest.seed}, content {manifest.content_hash}",
        },
        "distribution": [*_files(manifest), *_file_sets(manifest)],
        "recordSet": [_splits(manifest), *(_record_set(task, SCHEMA) for task in tasks)],
    }
    if manifest.images:
        wire["recordSet"].append(_record_set(album.CONFIG, album.SCHEMA))
    return wire


def published_in(text: str) -> dict[str, str]:
    """What a file's text says that only the place of its publication knows."""
    try:
        found = json.loads(text)
        return {name: found[name] for name in PUBLISHED if name in found}
    except (ValueError, TypeError):
        return {}


def licences(manifest: Manifest) -> list[str]:
    """All licences of the sources, sorted."""
    return sorted({licence for info in manifest.sources.values() for licence in licence_ids(info.licence)})


def _licence(name: str) -> str:
    return name if name.startswith("LicenseRef-") else f"https://spdx.org/licenses/{name}.html"


def _origin(manifest: Manifest, source: str) -> dict[str, Any]:
    info = manifest.sources[source]
    files = {file.path: file.sha256 for split in info.splits.values() for file in split.files}
    return {
        "@type": "prov:Entity",
        "@id": info.homepage or source,
        "prov:label": f"{info.title} ({', '.join(info.splits)}), read by converter {source} {info.version}",
        "license": [_licence(licence) for licence in licence_ids(info.licence)],
        "prov:hadMember": [
            {"@type": "prov:Entity", "prov:label": f"{path} sha256:{files[path]}"} for path in sorted(files)
        ],
    }


def _format(path: str) -> str:
    return path.rpartition(".")[2]


def _files(manifest: Manifest) -> Iterator[dict[str, Any]]:
    for file in (*manifest.files, *manifest.images):
        yield {
            "@type": "cr:FileObject",
            "@id": file.path,
            "name": file.path.rpartition("/")[2],
            "contentUrl": file.path,
            "contentSize": f"{file.bytes} B",
            "encodingFormat": ENCODING[_format(file.path)],
            "sha256": file.sha256,
        }


def _file_sets(manifest: Manifest) -> Iterator[dict[str, Any]]:
    configs = {shard.task: shard.path for shard in manifest.files}
    if manifest.images:
        configs[album.CONFIG] = manifest.images[0].path
    for config, path in configs.items():
        form = _format(path)
        yield {
            "@type": "cr:FileSet",
            "@id": f"{config}-files",
            "name": f"{config}-files",
            "description": f"All files of {config}.",
            "encodingFormat": ENCODING[form],
            "includes": f"data/{config}/*/*.{form}",
        }


def _splits(manifest: Manifest) -> dict[str, Any]:
    names = sorted({shard.split for shard in manifest.files})
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": ["sc:URL", "cr:Split"]},
        ],
        "data": [{"splits/name": name, "splits/url": _kind_of_split(name)} for name in names],
    }


def _kind_of_split(name: str) -> str:
    if is_training(name):
        return "cr:TrainingSplit"
    return "cr:ValidationSplit" if name.startswith(("val", "minival")) else "cr:TestSplit"


def _record_set(config: str, schema: pa.Schema) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "key": {"@id": f"{config}/{schema.field(0).name}"},
        "field": [_field(config, field.name, field.type) for field in schema],
    }


def _field(config: str, name: str, type_: pa.DataType) -> dict[str, Any]:
    inner = type_.value_type if pa.types.is_list(type_) else type_
    made: dict[str, Any] = {"@type": "cr:Field", "@id": f"{config}/{name}", "name": name}
    if pa.types.is_list(type_):
        made |= {"isArray": True, "arrayShape": "-1"}
    if pa.types.is_struct(inner):
        return {**made, "subField": [_sub_field(config, name, *leaf) for leaf in _leaves(inner)]}
    kind = "sc:ImageObject" if (config, name) == (album.CONFIG, "bytes") else _type(inner)
    return {**made, "dataType": kind, "source": _source(config, name)}


def _sub_field(config: str, column: str, path: str, type_: pa.DataType) -> dict[str, Any]:
    made: dict[str, Any] = {"@type": "cr:Field", "@id": f"{config}/{column}/{path}", "name": path}
    if pa.types.is_list(type_):
        made |= {"isArray": True, "arrayShape": "-1"}
        type_ = type_.value_type
    source = {**_source(config, column), "transform": {"jsonPath": path}}
    return {**made, "dataType": _type(type_), "source": source}


def _leaves(struct: pa.StructType, before: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """(dotted path, type) of everything in a struct but lists of structs."""
    for number in range(struct.num_fields):
        field = struct.field(number)
        path = f"{before}{field.name}"
        if pa.types.is_struct(field.type):
            yield from _leaves(field.type, f"{path}.")
        elif not (pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type)):
            yield path, field.type


def _type(type_: pa.DataType) -> str:
    return _TYPES.get(str(type_), "sc:Integer")


def _source(config: str, column: str) -> dict[str, Any]:
    return {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": column}}
