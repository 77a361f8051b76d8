"""Ways to break a file, each drawn from a seed: bytes of any file, values of JSON. What the fuzz tests of all rooms share."""

from __future__ import annotations

import copy
import json
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

TOKENS = (
    b"NaN", b"-1", b"1e309", b"null", b'""', b"[]", b"{}", b"0", b"-0.0", b"99999999999999999999", b"true", b'"\\u0000"', b"[[[[[[[[",
    b'"../../../etc/passwd"', b'"/etc/passwd"', b"1.5", b"\xff\xfe", b"Infinity",
)  # fmt: skip


# --- bytes -----------------------------------------------------------------------------------------------------------


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def erase(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    return data[:start] + data[start + random.randint(1, 200) :]


def repeat(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    stop = start + random.randint(1, 400)
    return data[:stop] + data[start:stop] + data[stop:]


def noise(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    return data[:start] + random.randbytes(random.randint(1, 64)) + data[start + random.randint(0, 64) :]


def value(data: bytes, random: Random) -> bytes:
    """Another value where a number or a short text stands."""
    found = list(re.finditer(rb'-?\d+(?:\.\d+)?|"[^"\n]{0,40}"|(?<=>)[^<>\n]{1,40}(?=<)', data))
    if not found:
        return noise(data, random)
    for match in sorted(random.sample(found, min(len(found), random.randint(1, 5))), key=lambda match: -match.start()):
        data = data[: match.start()] + random.choice(TOKENS) + data[match.end() :]
    return data


def empty(data: bytes, random: Random) -> bytes:
    return random.choice((b"", b"\0", b"{}", b"[]", b"null", b"<a/>", b"\x89PNG\r\n\x1a\n", b"\xef\xbb\xbf" + data))


def deep(data: bytes, random: Random) -> bytes:
    return random.choice((b"[", b'{"images":', b"<a>")) * random.choice((100, 20_000))


def bomb(data: bytes, random: Random) -> bytes:
    """A picture that claims to be enormous (the sizes of its IHDR), or XML with entities."""
    if data[12:16] == b"IHDR":
        return data[:16] + random.randbytes(8) + data[24:]
    doctype = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>'
    return doctype + data if data.lstrip()[:1] == b"<" else value(data, random)


Way = Callable[[bytes, Random], bytes]
BYTES: tuple[Way, ...] = (cut, flip, erase, repeat, noise, value, value, value, empty, deep, bomb)


# --- JSON ------------------------------------------------------------------------------------------------------------

DIGITS, NESTED, LONE = "<5000 digits>", "<nested>", "<half a pair>"
RAW = {  # what `json.dumps` would not write
    DIGITS: "9" * 5000, NESTED: "[" * 400 + "]" * 400, LONE: '"\\ud83d"',
}  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e-300, 1e308, -1e308, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**400, 1e6,
    float("nan"), float("inf"), -float("inf"), "", "0", "a", "\0", "NaN", "\U0001f600", "x" * 5000, "../../etc/passwd", "/dev/zero",
    "<REF>", "</Phrase>", [], [[]], [None], {}, {"a": 1}, [0, 0, 1, 1], [1, 2, 3], {"size": [1, 1], "counts": "0"},
    {"size_hw": [1, 1], "counts": "11"}, DIGITS, NESTED, LONE,
)  # fmt: skip


def written(wire: Any) -> bytes:
    """JSON text, NaN and all."""
    text = json.dumps(wire)
    for name, raw in RAW.items():
        text = text.replace(json.dumps(name), raw)
    return text.encode()


def places(wire: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value; of a long list the first three and the last."""
    if path:
        yield path
    if isinstance(wire, dict):
        for key in wire:
            yield from places(wire[key], (*path, key))
    elif isinstance(wire, list):
        for index in sorted({*range(min(3, len(wire))), *range(max(0, len(wire) - 1), len(wire))}):
            yield from places(wire[index], (*path, index))


def changed(wire: Any, random: Random, values: tuple[Any, ...] = VALUES) -> Any:
    """A JSON value with one place of it gone, doubled, moved, wrapped, or of another value."""
    wire = copy.deepcopy(wire)
    every = list(places(wire))
    if not every:
        return random.choice(values)
    path = random.choice(every)
    inner = wire
    for key in path[:-1]:
        inner = inner[key]
    last, here = path[-1], inner[path[-1]]
    match random.randrange(12):
        case 0 | 1:
            del inner[last]
        case 2 if isinstance(inner, list):
            inner.insert(last, copy.deepcopy(here))
        case 3 if isinstance(inner, list):
            random.shuffle(inner)
        case 4 if isinstance(inner, dict):
            inner[random.choice(("", "x", last.upper(), last + " "))] = inner.pop(last)
        case 5:
            inner[last] = random.choice(([here], {last: here}, str(here), [here, here]))
        case 6 if isinstance(here, str):
            inner[last] = text_changed(here, random)
        case 7 if (
            isinstance(here, (int, float)) and not isinstance(here, bool) and abs(here) < 1e300
        ):  # an int may be no float
            inner[last] = random.choice((-here, here + 1, here - 1, here * 1000, float(here), str(here), here + 0.5))
        case _:
            inner[last] = random.choice(values)
    return wire


def text_changed(text: str, random: Random) -> str:
    """A text cut, doubled, with letters swapped, lost or put in."""
    at, other = (random.randint(0, len(text)) for _ in range(2))
    low, high = sorted((at, other))
    match random.randrange(7):
        case 0:
            return text[:at]
        case 1:
            return text[:low] + text[high:]
        case 2:
            return text[:high] + text[low:]
        case 3:
            return text[:at] + random.choice("0123456789PQo~ <>[]{}()/\\\"'\n\r\t\0\x7f\u2028é") + text[at:]
        case 4:
            return text[:at] + random.choice("0OPYo`a1") * random.choice((1, 3, 50)) + text[at + 1 :]
        case 5:
            return text[::-1]
        case _:
            return text.upper() if random.random() < 0.5 else text + text


# --- many rounds -----------------------------------------------------------------------------------------------------


def gathered(seeds: Iterable[int], one_round: Callable[[int], object]) -> list[str]:
    """What went wrong in any round, a line each: so that one run shows all there is to mend."""
    failed: list[str] = []
    for seed in seeds:
        try:
            one_round(seed)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            failed.append(f"seed {seed}: {error!r:.300} at {place.filename}:{place.lineno}")
    return failed
