"""What all tests share: the folder of real data, METEOR's tables, a browser (each when it is there), and how hypothesis runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: machines that run tests are shared and noisy. The same examples every time: a red run can be repeated.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

SHARED_DATA = Path(os.environ.get("VTINSTRUCT_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("coco_tiny")`: that folder of real annotation files; the test is skipped where it is not there."""

    def find(name: str) -> Path:
        folder = SHARED_DATA / name
        if not folder.is_dir():
            pytest.skip(f"real data {name!r} is not on this machine (VTINSTRUCT_SHARED_DATA names its folder)")
        return folder

    return find


@pytest.fixture
def meteor_data() -> None:
    """For tests that want METEOR's number: its language data, which a package carries; skips where that is not installed."""
    pytest.importorskip("pycocoevalcap", reason="METEOR's language data (pycocoevalcap) is not installed")


@pytest.fixture(autouse=True)
def no_meteor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR's tables take two seconds to read and its program ten to start: tests without `meteor_data` find none."""
    if "meteor_data" not in request.fixturenames:
        monkeypatch.setattr("benchmarks.meteor.package.PACKAGE", "what_tests_do_not_look_for")


@pytest.fixture(scope="session")
def browse(tmp_path_factory) -> Callable[[Path, str], str]:
    """`browse(page, script)`: open a page in headless Chromium with a script at its end; the page's HTML afterwards."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")

    def opened(page: Path, script: str = "") -> str:
        folder = tmp_path_factory.mktemp("browser")
        copy = folder / "page.html"
        copy.write_text(page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>"))
        words = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=3000", "--dump-dom", copy.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return opened
