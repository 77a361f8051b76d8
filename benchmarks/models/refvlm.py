"""The reference model, through its own command: it writes the same file as anybody's model, in its own process.

The two rooms share no code: `refvlm` must be installed (the `model` extra), and is started by the Python that runs this.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

from benchmarks.model import Model, ModelError, Request


def answer(request: Request) -> None:
    """Run `refvlm predict`. Raises `ModelError` when the package or the checkpoint is missing, or it fails."""
    if request.checkpoint is None:
        raise ModelError("no --checkpoint is named; the folder that `refvlm train --out` wrote is right")
    if not request.checkpoint.is_dir():
        raise ModelError(f"{request.checkpoint} is no folder; the checkpoint that `refvlm train --out` wrote is right")
    if importlib.util.find_spec("refvlm") is None or importlib.util.find_spec("torch") is None:
        raise ModelError("the reference model is not installed; `pip install 'vt-instruct[model]'` is right")
    for split in request.splits:
        command = [sys.executable, "-m", "refvlm.cli", "predict", "--checkpoint", str(request.checkpoint)]
        command += ["--data", str(request.dataset.root), "--split", split, "--out", str(request.out)]
        if request.limit is not None:
            command += ["--limit", str(request.limit)]
        done = subprocess.run(command, check=False)  # its progress goes to the same screen
        if done.returncode:
            raise ModelError(f"`refvlm predict` ended with code {done.returncode}; its last line above says why")
    if not request.out.is_file():
        raise ModelError(f"`refvlm predict` ended well but wrote no {request.out}")


MODEL = Model("refvlm", "the reference model", False, answer)
