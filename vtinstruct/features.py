"""An Arrow schema in the two notations of `datasets` (JSON and card YAML), so that no loader infers a thing."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

from typing import Any

import pyarrow as pa


def json_features(schema: pa.Schema) -> dict[str, Any]:
    """As `datasets` writes them to `dataset_info.json`."""
    return {field.name: _feature(field.type) for field in schema}


def yaml_features(schema: pa.Schema) -> list[dict[str, Any]]:
    """As they stand in a card's `dataset_info`."""
    return [{"name": field.name, **_yaml_feature(field.type)} for field in schema]


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
