"""The one frozen Arrow schema of every shard of every task. Two shards of differing schema do not load together, so
nothing is ever inferred, and a change here is a new version of the format.

Frames as everywhere: absolute pixel edges, float64; masks are COCO run-length bytes; depth is a
file in metres x scale, or relative by its frame.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow ships no types)

from __future__ import annotations

import pyarrow as pa

VERSION = 2

RLE = pa.struct([("size_hw", pa.list_(pa.int32())), ("counts", pa.binary())])
NUMBERS = pa.list_(pa.float64())
STRINGS = pa.list_(pa.string())
DEPTH = pa.struct([("path", pa.string()), ("scale", pa.float64()), ("frame", pa.string())])  # frame: units.DepthFrame
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
IMAGE = pa.struct(
    [
        ("path", pa.string()),  # relative to the dataset's folder: images/<source>/...
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("id", pa.string()),  # identity across sources, coco:57870
    ]
)
PROMPT = pa.struct(
    [
        ("turn", pa.int32()),
        ("kind", pa.string()),
        ("box_xyxy", NUMBERS),
        ("point_xy", NUMBERS),
        ("mask_rle", RLE),
    ]
)
UNIT = pa.struct(
    [
        ("turn", pa.int32()),  # index into messages; -1 in evaluation.ignore
        ("kind", pa.string()),
        ("phrase", pa.string()),
        ("box_xyxy", NUMBERS),  # of a box unit: the unit; of any other: the annotation's box
        ("point_xy", NUMBERS),
        ("mask_rle", RLE),  # of a depth unit: where its map holds, null: wherever it says something
        ("keypoints_xyv", NUMBERS),  # flat: x0 y0 v0 x1 y1 v1 ...
        ("depth", DEPTH),
        ("category", pa.string()),
        ("category_id", pa.int64()),
        ("annotation_id", pa.string()),
        ("area", pa.float64()),
        ("crowd", pa.bool_()),
    ]
)
EVALUATION = pa.struct(
    [
        ("concepts", STRINGS),
        ("ignore", pa.list_(UNIT)),
        ("negatives", STRINGS),
        ("not_exhaustive", STRINGS),
        ("references", STRINGS),
        ("answers", STRINGS),
        ("question_kind", pa.string()),
    ]
)
PROVENANCE = pa.struct(
    [
        ("file", pa.string()),
        ("file_sha256", pa.string()),
        ("row", pa.string()),
        ("converter_version", pa.string()),
        ("seed", pa.int64()),
        ("template", pa.string()),
    ]
)

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("licence", pa.string()),
        ("image", IMAGE),
        ("messages", pa.list_(MESSAGE)),
        ("prompts", pa.list_(PROMPT)),
        ("units", pa.list_(UNIT)),
        ("evaluation", EVALUATION),
        ("provenance", PROVENANCE),
    ]
)
