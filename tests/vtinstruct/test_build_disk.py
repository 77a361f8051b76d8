"""What happens to a build from outside: full disks, folders it may not write, sources that go away, another build. One line,
exit code 2, and the next run goes on to the same bytes."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import time

import pytest

from tests.vtinstruct.builds import begin_build, end, wait_for_a_chunk

KEPT = "; what is done in {out} is kept, run the build again"


@pytest.fixture(scope="module")
def words(small_sample) -> list[str]:
    return [f"refcoco={small_sample / 'refer'}", "--tasks", "res"]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """An undisturbed build."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert end(begin_build(*words, "--out", out)) == (0, [])
    return out


def test_a_file_that_cannot_grow(words, whole, tmp_path, bytes_of):
    out = tmp_path / "out"
    limits = (9_000, 9_000)  # less than a shard, more than a chunk's receipt
    code, said = end(
        begin_build(*words, "--out", out, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    )
    assert code == 2
    assert len(said) == 1
    assert said[0].endswith("File too large" + KEPT.format(out=out))
    assert not list(out.rglob("*.part"))
    assert end(begin_build(*words, "--out", out)) == (0, [])
    assert bytes_of(out) == bytes_of(whole)


@pytest.fixture
def small_disk(tmp_path):
    """`small_disk(kilobytes)` mounts a disk of that size, or makes it larger."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def sized(kilobytes: int):
        option = f"size={kilobytes}k" if not os.path.ismount(disk) else f"remount,size={kilobytes}k"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", option, "none", str(disk)], check=False, capture_output=True
        )
        if done.returncode:
            pytest.skip("may not mount a small disk here")
        return disk

    yield sized
    if os.path.ismount(disk):
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("more", [(), ("--photos", "copy", "--workers", "2")])
def test_a_full_disk_wherever_it_fills(words, tmp_path, bytes_of, small_disk, more):
    """A disk that is made a little larger after every try: it fills while chunks are made, and while they are put together."""
    out, sizes, failures = small_disk(16) / "out", iter(range(16, 4000, 144)), 0
    while True:
        small_disk(next(sizes))
        code, said = end(begin_build(*words, *more, "--out", out))
        if code == 0:
            break
        failures += 1
        assert code == 2
        assert len(said) == 1, said
        assert "No space left on device" in said[0]
        if (out / ".build" / "lock").exists():
            assert said[0].endswith(KEPT.format(out=out))
        assert not (out / "manifest.json").exists()
    assert failures > 1
    assert end(begin_build(*words, *more, "--out", tmp_path / "whole")) == (0, [])
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


def without_roots_rights() -> None:
    """Permissions bind root too without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (1, 2):
            if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                raise OSError(ctypes.get_errno(), "may not drop a capability")


def test_a_folder_that_may_not_be_written(words, whole, tmp_path, bytes_of):
    """Before the first byte, and from some chunk on."""
    closed = tmp_path / "closed"
    closed.mkdir(0o555)
    code, said = end(begin_build(*words, "--out", closed / "out", before=without_roots_rights))
    assert (code, said) == (
        2, [f"vtinstruct: {closed / 'out'}: Permission denied; a folder that can be written is right"],
    )  # fmt: skip
    out = tmp_path / "out"
    process = begin_build(*words, "--out", out, before=without_roots_rights)
    wait_for_a_chunk(process, out)
    chunks = out / ".build" / "chunks"
    chunks.chmod(0o555)
    code, said = end(process)
    assert code == 2
    assert len(said) == 1
    assert "Permission denied" + KEPT.format(out=out) in said[0]
    chunks.chmod(0o755)
    again = begin_build(*words, "--out", out, before=without_roots_rights)
    _, wrong = again.communicate(timeout=120)
    assert again.returncode == 0
    assert next(json.loads(line) for line in wrong.splitlines() if '"plan"' in line)["done"] > 0
    assert bytes_of(out) == bytes_of(whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_vanishes_on_the_way(small_sample, whole, tmp_path, bytes_of, workers):
    source, gone, out = tmp_path / "refer", tmp_path / "gone", tmp_path / "out"
    subprocess.run(["cp", "-a", str(small_sample / "refer"), str(source)], check=True)
    words = [f"refcoco={source}", "--tasks", "res", "--workers", str(workers), "--out", out]
    process = begin_build(*words)
    wait_for_a_chunk(process, out)
    source.rename(gone)
    code, said = end(process)
    gone.rename(source)
    assert code == 2
    assert len(said) == 1
    assert "No such file or directory; it was there when the build was planned" in said[0]
    assert not (out / "manifest.json").exists()
    kept = len(list((out / ".build" / "chunks").glob("*.json")))
    again = begin_build(*words)
    _, wrong = again.communicate(timeout=120)
    assert again.returncode == 0
    assert next(json.loads(line) for line in wrong.splitlines() if '"plan"' in line)["done"] == kept > 0
    assert bytes_of(out) == bytes_of(whole)


def test_a_second_build_in_the_same_folder(words, whole, tmp_path, bytes_of):
    out = tmp_path / "out"
    first = begin_build(*words, "--out", out)
    until = time.monotonic() + 60
    while not (out / ".build" / "chunks").exists():
        assert time.monotonic() < until
        time.sleep(0.005)
    os.kill(first.pid, 19)  # SIGSTOP: so that it is at work for sure
    try:
        for more in ((), ("--seed", "1"), ("--chunk", "1/2")):
            refused = f"vtinstruct: {out}: another build is at work there; wait for it or stop it"
            assert end(begin_build(*words, *more, "--out", out)) == (2, [refused])
    finally:
        os.kill(first.pid, 18)
    assert end(first) == (0, [])
    assert bytes_of(out) == bytes_of(whole)
