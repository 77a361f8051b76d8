"""Predictions files broken line by line and as wholes, each from a seed, and the broken depth maps that they may name."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from tests.damage import BYTES, LONE, changed, text_changed, written

MAPS = "maps"  # the folder of broken depth maps, beside the answers


def write_maps(folder: Path) -> tuple[str, ...]:
    """Depth maps that are none, and paths that lead nowhere good."""
    root = folder / MAPS
    (root / "folder.png").mkdir(parents=True)
    buffer = io.BytesIO()
    Image.fromarray(np.full((12, 9), 700, dtype=np.uint16)).save(buffer, "PNG")
    whole = buffer.getvalue()
    header = whole.index(b"IHDR") + 4
    huge = whole[:header] + (2**31 - 1).to_bytes(4, "big") * 2 + whole[header + 8 :]
    files = {
        "small.png": whole, "cut.png": whole[: len(whole) // 2], "empty.png": b"", "huge.png": huge, "text.png": b"no picture",
        "flipped.png": whole[:-20] + bytes(20), "zip.npy": b"PK\x03\x04" + bytes(20), "cut.npy": b"\x93NUMPY\x01\x00v",
        "cut.tar": b"x.png\0" + bytes(300), "cut.zip": b"PK\x03\x04" + bytes(40), "cut.h5": b"\x89HDF\r\n\x1a\n" + bytes(90),
    }  # fmt: skip
    for name, data in files.items():
        (root / name).write_bytes(data)
    Image.new("RGB", (9, 12)).save(root / "rgb.png")
    np.save(root / "texts.npy", np.array([["a", "b"]]))
    np.save(root / "complex.npy", np.ones((120, 160), dtype=complex))
    with (root / "several.npy").open("wb") as file:
        np.savez(file, np.zeros((2, 2)))
    np.save(root / "objects.npy", np.array([[{}]]), allow_pickle=True)
    np.save(root / "nan.npy", np.full((120, 160), np.nan))
    os.mkfifo(root / "pipe.png")
    (root / "out.png").symlink_to("/etc/passwd")
    (root / "round.png").symlink_to("round.png")
    inside = [f"{MAPS}/{path.name}" for path in sorted(root.iterdir())]
    inside += [f"{MAPS}/cut.{ending}/x.png" for ending in ("tar", "zip", "h5", "npy")]
    return (
        *inside,
        MAPS,
        f"{MAPS}/none.png",
        f"{MAPS}/small.png/x",
        "/dev/zero",
        "../answers.jsonl",
        "a\\b",
        "a\0b",
        ".",
        LONE,
        "",
    )


# --- one line --------------------------------------------------------------------------------------------------------


def _units(wire: dict[str, Any], random: Random, maps: tuple[str, ...]) -> None:
    """Geometry of the right form and of the wrong content."""
    units = [unit for unit in wire["units"] if unit]
    if not units:
        wire["units"] = [{"kind": "box", "box_xyxy": [0, 0, 1, 1]}]
        return
    unit = random.choice(units)
    match unit["kind"]:
        case "mask":
            rle = unit["mask_rle"]
            if random.random() < 0.8:
                for _ in range(random.randint(1, 3)):
                    rle["counts"] = text_changed(rle["counts"], random)
            else:
                high, wide = rle["size_hw"]
                rle["size_hw"] = random.choice(
                    (
                        [wide, high],
                        [high + 1, wide],
                        [float(high), wide],
                        [1 << 30, 1 << 30],
                        [-high, -wide],
                        [high, wide, 3],
                    )
                )
        case "depth":
            depth = unit["depth"]
            if random.random() < 0.6:
                depth["path"] = random.choice(maps)
            elif random.random() < 0.5:
                depth["scale"] = random.choice((1e308, 1e-308, 5e-324, 0, -1, float("nan"), 10**400, True))
            else:
                depth["frame"] = random.choice(("metres", "relative_inverse", "feet", None))
        case _:
            field = (
                "keypoints_xyv" if unit["kind"] == "keypoint" else "box_xyxy" if unit["kind"] == "box" else "point_xy"
            )
            unit[field] = changed(unit[field], random)


def _counts(wire: dict[str, Any], random: Random, maps: tuple[str, ...]) -> None:
    """More or fewer units than the text has marks; units of another answer's kind."""
    box: dict[str, Any] = {"kind": "box", "box_xyxy": [1, 2, 3, 4], "score": 0.5}
    match random.randrange(5):
        case 0:
            wire["units"] = wire["units"][1:]
        case 1:
            wire["units"] = [*wire["units"], box]
        case 2:
            wire["units"] = [box for _ in wire["units"]]
        case 3:
            wire["units"] = [None for _ in wire["units"]]
        case _:
            wire["units"] = wire["units"][::-1]


def _rest(wire: dict[str, Any], random: Random, maps: tuple[str, ...]) -> None:
    """Turn, id, text, reasons, scores."""
    match random.randrange(6):
        case 0:
            wire["turn"] = random.choice((0, 1, 2, 99, -1, 1.0, "1", True, 2**64))
        case 1:
            wire["id"] = random.choice((wire["id"] + "x", "nobody", "", " ", LONE, wire["id"] + "\0", "x" * 3000))
        case 2:
            wire["faults"] = random.choice(
                (
                    [],
                    ["a reason"],
                    ["x" * 500],
                    [1, None],
                    "a text",
                    {"a": 1},
                    ["same"] * 300,
                    [LONE],
                    [""],
                    ["a\nb", "\x1b[2J"],
                    None,
                    ["not JSON"],
                    ["unknown id"],
                )
            )
        case 3:
            for unit in filter(None, wire["units"]):
                unit["score"] = random.choice((None, -1, 0, 1e308, 5, float("nan"), "0.5", True, 10**400))
        case 4:
            marks = ("<Phrase>", "</Phrase>", "(<Unit>box</Unit>[0]<REF>)", "<REF>", "<Task>", "</Task>", "[1]", "\0")
            at = random.randint(0, len(wire["text"]))
            wire["text"] = wire["text"][:at] + random.choice(marks) * random.choice((1, 2, 200)) + wire["text"][at:]
        case _:
            wire["text"] = random.choice(
                ("", wire["text"] * 3, wire["text"][::-1], "a " * 20_000, "\n\n", "\u202e" + wire["text"])
            )


def _anything(wire: dict[str, Any], random: Random, maps: tuple[str, ...]) -> None:
    for _ in range(random.randint(1, 3)):
        new = changed(wire, random)
        wire.clear()
        wire.update(new if isinstance(new, dict) else {})


VALUES: tuple[Callable[[dict[str, Any], Random, tuple[str, ...]], None], ...] = (
    _units, _units, _units, _counts, _rest, _anything, _anything,
)  # fmt: skip


def damaged_line(line: bytes, random: Random, maps: tuple[str, ...]) -> bytes:
    """One answer's line, broken; without a line feed inside it, unless the break is one."""
    if random.random() < 0.8:
        wire = json.loads(line)
        random.choice(VALUES)(wire, random, maps)
        return written(wire)
    match random.randrange(8):
        case 0:
            return line.decode().encode(random.choice(("utf-16", "utf-16-le", "utf-32", "utf-7")))
        case 1:
            return random.choice((b"\xef\xbb\xbf", b"\0", b" ", b"\x1f\x8b", b"[", b'"')) + line
        case 2:
            return line + random.choice((b"\0", b"\r", b"}", b",", b" x", b"\xff", b"\n\n \t"))
        case 3:
            return random.choice(
                (b"", b"   ", b"\r", b"{}", b"[]", b"null", b"3", b'"', b"[" * 100_000, gzip.compress(line, mtime=0))
            )
        case _:
            return random.choice(BYTES)(line, random)


# --- a file ----------------------------------------------------------------------------------------------------------

HEADERS: tuple[Callable[[dict[str, Any], Random], Any], ...] = (
    lambda head, random: changed(head, random),
    lambda head, random: changed(changed(head, random), random),
    lambda head, random: head | {random.choice(sorted(head)): random.choice((10**400, {"a": 10**30}, None, "", "=1+1", "\n", "x" * 9999))},
    lambda head, random: head | {"generation": {"a": 10**400}},
    lambda head, random: head | {"generation": nested(random.choice((30, 200, 900)))},
    lambda head, random: head | {"versions": random.choice(({"a": nested(300)}, {"": None}, {"hotcoco": "9"}, [1]))},
    lambda head, random: head | {"model": random.choice(("", "<script>", "a\0b", "=cmd()", "\x1b[31m", "x" * 5000, "[bold]", "a/../b"))},
)  # fmt: skip


def nested(depth: int) -> Any:
    found: Any = {}
    for _ in range(depth):
        found = {"a": found}
    return found


def damaged_file(whole: bytes, random: Random) -> bytes:
    """A predictions file broken as a whole: its header, its encoding, its packing."""
    first, rest = whole.split(b"\n", 1)
    if random.random() < 0.5:
        return written(random.choice(HEADERS)(json.loads(first), random)) + b"\n" + rest
    match random.randrange(9):
        case 0:
            return whole.decode().encode(random.choice(("utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-8-sig")))
        case 1:
            return gzip.compress(whole, mtime=0)
        case 2:
            return whole.replace(b"\n", random.choice((b"\r\n", b"\r", b"", b"\n\n", b"\0", b"\n\r")))
        case 3:
            return rest
        case 4:
            return random.choice(
                (b"", b"\n", b"\0" * 5000, b"\xff\xfe", b"[" * 100_000, b"{}", first, first[:-5], b"[" + whole + b"]")
            )
        case 5:
            lines = whole.splitlines(keepends=True)
            random.shuffle(lines)
            return b"".join(lines)
        case 6:
            return first + b"\n" + first + b"\n" + rest
        case 7:
            return first + b" " * (1 << 20) + b"\n" + rest
        case _:
            return random.choice(BYTES)(whole, random)
