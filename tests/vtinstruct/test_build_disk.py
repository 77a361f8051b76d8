"""Disks that are full: one line, exit code 2, and the next run goes on."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

RUN = [sys.executable, "-c", "from vtinstruct.cli import main; main()", "build"]


def run(words, limit=None):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [*RUN, *words], capture_output=True, text=True, timeout=120, check=False, preexec_fn=limited if limit else None
    )


def test_a_file_that_cannot_grow_is_one_line_and_resumable(small_sample, tmp_path, bytes_of):
    words = [f"refcoco={small_sample / 'refer'}", "--tasks", "res", "--out"]
    full = run([*words, str(tmp_path / "out")], limit=20_000)
    assert full.returncode == 2
    last = full.stderr.strip().splitlines()[-1]
    assert last.startswith("vtinstruct: ")
    assert "File too large; what is done in" in last
    assert "Traceback" not in full.stderr
    assert not list((tmp_path / "out").rglob("*.part"))
    assert run([*words, str(tmp_path / "out")]).returncode == 0
    assert run([*words, str(tmp_path / "whole")]).returncode == 0
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def test_a_full_disk_is_one_line_and_resumable(small_sample, tmp_path, bytes_of):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    words = [f"refcoco={small_sample / 'refer'}", "--tasks", "res", "--out"]
    try:
        full = run([*words, str(disk / "out")])
        assert full.returncode == 2
        assert "No space left on device; what is done in" in full.stderr.strip().splitlines()[-1]
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert run([*words, str(disk / "out")]).returncode == 0
        assert run([*words, str(tmp_path / "whole")]).returncode == 0
        assert bytes_of(disk / "out") == bytes_of(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
