"""Pin requirements/*.txt anew: ``make lock``; with UPGRADE=1 to newer versions where *.in allows them.

The files carry hashes for every platform and name no index host, so they serve behind any mirror.
"""

# ruff: noqa: S603 - starts the pinned installer

from __future__ import annotations

import os
import subprocess
import sys

LOCKS = {"runtime": (), "test": ("runtime",), "build": ("test",), "synapse": (), "bootstrap": ()}
"""File -> the files whose pins it must agree with, because both go into one environment."""
OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--universal",
    "--python-version=3.11",
    "--no-emit-index-url",
    "--no-annotate",
    "--custom-compile-command=make lock",
)


def main() -> int:
    """Write every lock file; 0 when all could be."""
    upgrade = ["--upgrade"] if os.environ.get("UPGRADE") else []
    for name, agrees_with in LOCKS.items():
        constraints = [f"--constraints=requirements/{other}.txt" for other in agrees_with]
        command = [".venv/bin/uv", "pip", "compile", *OPTIONS, *upgrade, *constraints]
        source, target = f"requirements/{name}.in", f"--output-file=requirements/{name}.txt"
        done = subprocess.run([*command, source, target], check=False, stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
