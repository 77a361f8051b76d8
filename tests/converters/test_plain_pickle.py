"""The pickle reader: plain values of every protocol come through, everything else is refused and never run."""

from __future__ import annotations

import collections
import contextlib
import datetime
import os
import pickle
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import converters._plain_pickle as module
from converters._plain_pickle import read_plain_pickle
from vtinstruct.source import SourceError

PLAIN: Any = [
    {"ref_id": 1, "sentences": [{"sent": "the red ball", "tokens": ("the", "red"), "raw": "Thé \u2603"}]},
    {"big": 1 << 90, "float": 1.5e-300, "yes": True, "no": False, "nothing": None, "bytes": b"\x00\xff"},
    [],
    {},
    (),
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_through(protocol: int) -> None:
    content = PLAIN if protocol > 2 else [PLAIN[0], {**PLAIN[1], "bytes": None}, *PLAIN[2:]]
    assert read_plain_pickle(Path("refs.p"), pickle.dumps(content, protocol=protocol)) == content


def test_python_2_pickles_come_through() -> None:
    # What Python 2 wrote for [{'sent': 'caf\xe9', 'id': 5L}] in protocols 0 and 2: byte strings and long integers.
    for data in (
        b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xe9'\np3\nsS'id'\np4\nL5L\nsa.",
        b"\x80\x02]q\x00}q\x01(U\x04sentU\x04caf\xe9U\x02id\x8a\x01\x05ua.",
    ):
        assert read_plain_pickle(Path("refs.p"), data) == [{"sent": "caf\u00e9", "id": 5}]


class Touches:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path, how: Any) -> None:
        self.path, self.how = str(path), how

    def __reduce__(self) -> Any:
        return self.how, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("how", [os.mkdir, exec, eval, open])
def test_code_is_refused_and_does_not_run(tmp_path: Path, protocol: int, how: Any) -> None:
    target = tmp_path / "proof"
    if how in (exec, eval):
        payload: Any = Touches(Path(f"__import__('os').mkdir({str(target)!r})"), how)
    else:
        payload = Touches(target, how)
    data = pickle.dumps([{"ref_id": 1}, payload], protocol=protocol)
    with pytest.raises(SourceError, match=r"refs\.p: refused: \w+ at byte \d+ could run code; lists, dicts"):
        read_plain_pickle(Path("refs.p"), data)
    assert not target.exists()
    if how is os.mkdir:  # the pickle is a working one: an ordinary reader runs it
        pickle.loads(data)
        assert target.exists()


@pytest.mark.parametrize(
    "value",
    [
        collections.OrderedDict(a=1),
        datetime.date(2020, 1, 1),
        np.float64(1.0),
        np.arange(3),
        Path("x"),
        {1, 2}.__class__,
    ],
    ids=["OrderedDict", "date", "numpy scalar", "numpy array", "Path", "a class"],
)
def test_objects_that_are_not_plain_are_refused(value: Any) -> None:
    with pytest.raises(SourceError, match="refused"):
        read_plain_pickle(Path("refs.p"), pickle.dumps(value))


HAND_WRITTEN: list[tuple[str, bytes]] = [
    ("GLOBAL", b"cos\nsystem\n(S'true'\ntR."),
    ("STACK_GLOBAL", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."),
    ("INST", b"(S'true'\nios\nsystem\n."),
    ("OBJ", b"(cos\nsystem\nS'true'\no."),
    ("NEWOBJ", b"\x80\x02cbuiltins\nobject\n)\x81."),
    ("dotted name", b"\x80\x04\x8c\x02os\x8c\x0bpath.exists\x93."),
    ("persistent id", b"P123\n."),
    ("binary persistent id", b"K\x01Q."),
    ("extension registry", b"\x80\x02\x82\x01."),
    ("build on a list", b"]}S'x'\nK\x01sb."),
    ("call of a text", b"S'os'\n(tR."),
    ("out-of-band buffer", b"\x80\x05\x97."),
    ("cut", pickle.dumps(PLAIN)[:-20]),
    ("empty", b""),
    ("text", b"these are no refs"),
    ("random", bytes(range(256))),
    ("unknown opcode", b"\xff\xff"),
    ("memo that is not there", b"h\x05."),
    ("list as a key", b"}]K\x01s."),
    ("reserves 34 GB", b"]r\xff\xff\xff\x7f."),
    ("reserves 34 GB in protocol 0", b"(lp2147483647\n."),
    ("nothing but a stop", b"."),
    ("bytes after the stop", pickle.dumps(1) + b"c"),
    ("claims a huge text", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x0f."),
]


@pytest.mark.parametrize("data", [row[1] for row in HAND_WRITTEN], ids=[row[0] for row in HAND_WRITTEN])
def test_hostile_and_broken_bytes_are_one_clear_line(data: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        read_plain_pickle(Path("refs.p"), data)
    assert "refs.p" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_second_wall_alone_refuses_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_check_opcodes", lambda path, data: None)
    target = tmp_path / "proof"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(Touches(target, os.mkdir), protocol=protocol)
        with pytest.raises(SourceError, match=r"refused: names posix\.mkdir"):
            read_plain_pickle(Path("refs.p"), data)
    for data in (b"P123\n.", b"K\x01Q."):
        with pytest.raises(SourceError, match="refused: points outside"):
            read_plain_pickle(Path("refs.p"), data)
    assert not target.exists()


def test_changed_bytes_never_do_more_than_fail() -> None:
    rng = Random(0)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        whole = pickle.dumps([PLAIN[0]] * 2 + [{"id": number} for number in range(300)], protocol=protocol)
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            with contextlib.suppress(SourceError):
                read_plain_pickle(Path("refs.p"), bytes(data))


def test_a_large_file_with_many_memo_numbers_comes_through() -> None:
    content = [{"sent": f"phrase {number}"} for number in range(70_000)]
    for protocol in (0, 2, 5):
        assert read_plain_pickle(Path("refs.p"), pickle.dumps(content, protocol=protocol)) == content
