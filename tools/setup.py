"""Set up what a target needs: ``python3 tools/setup.py [runtime] [test] [synapse] [peers]``.

runtime   .venv with what the bridge runs on, and the bridge itself
test      .venv with what the tests and checks need besides
synapse   .synapse, an environment of its own for the homeserver of the demo and the tests
peers     the JavaScript peers of the tests (needs ``test``, which brings Node)

Everything is pinned with hashes in requirements/. What is there already is left alone: each part
is stamped with the hash of all that it was made from. Standard library only, and without syntax
that an old Python cannot read, so that it can say what is needed instead of failing on itself.
"""

# ruff: noqa: T201, S603 - a program for the terminal that starts programs of our own choice

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)
THIS = sys.version_info[:2]
VENV = ROOT / ".venv"
LOCKS = {"runtime": ("runtime", "build"), "test": ("test", "build")}
"""What goes into .venv -> the lock files it comes from."""
SYNAPSE = """
from demo import synapse
if synapse.installed() is None:
    print("Setting up .synapse ...", flush=True)
    synapse.install()
"""
PROJECT_FILES = ("pyproject.toml", "tools/setup.py", "requirements/bootstrap.txt")
DOWNLOAD_TIMEOUT_S = "180"
"""uv gives up after 30 seconds without a byte; the largest wheel has 70 MB and lines are slow."""
UV_NAMES = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX"}
"""pip's settings that uv does not read, so that a machine set up for pip needs no second set-up."""
PROBLEM = "{} could not be installed (the reason stands above). Is the package index reachable?"


class CannotSetUp(Exception):
    """One sentence for the person at the terminal, with the remedy."""


def main(parts: list[str]) -> int:
    """Make the named parts ready; 0 when they are."""
    if not parts or set(parts) - {*LOCKS, "synapse", "peers"}:
        print(__doc__)
        return 2
    if not OLDEST <= THIS <= NEWEST:
        return run_with_a_fitting_python(parts)
    os.chdir(ROOT)
    try:
        for part in parts:
            if part == "peers":
                install_peers()
            elif part == "synapse":
                install_synapse()
            elif not is_ready(part):
                make_ready(part)
    except CannotSetUp as error:
        print(f"Cannot set up: {error}", file=sys.stderr)
        return 1
    return 0


def run_with_a_fitting_python(parts: list[str]) -> int:
    """Look for another Python on the path; 1 when there is none."""
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        program = shutil.which(f"python3.{minor}")
        # A name on the path may be a shim that starts nothing.
        if program and succeeds(program, "-c", "", quiet=True):
            return subprocess.run([program, __file__, *parts], check=False).returncode
    print(
        f"Cannot set up: Python 3.11, 3.12 or 3.13 is needed, and this is {THIS[0]}.{THIS[1]}."
        " Install one (Debian: apt install python3 python3-venv)"
        " or name it: make PYTHON=/path/to/python3.12 ...",
        file=sys.stderr,
    )
    return 1


def is_ready(part: str) -> bool:
    """Whether .venv is there and made from the present files."""
    stamp = VENV / f".made-from-{part}"
    made = stamp.read_text() if stamp.exists() else ""
    if (VENV / "bin" / "python").exists() and made == fingerprint(LOCKS[part]):
        return True
    return part == "runtime" and is_ready("test")  # which contains it


def fingerprint(locks: tuple[str, ...]) -> str:
    """The hash of all that an environment is made from."""
    digest = hashlib.sha256(repr(THIS).encode())
    for name in (*PROJECT_FILES, *(f"requirements/{lock}.txt" for lock in locks)):
        digest.update(hashlib.sha256((ROOT / name).read_bytes()).digest())
    return digest.hexdigest()


def make_ready(part: str) -> None:
    """Install into .venv, the project too, and stamp it."""
    print(f"Setting up .venv ({part}) ...", flush=True)
    uv = installer()
    for lock in LOCKS[part]:
        install(uv, "--require-hashes", "-r", f"requirements/{lock}.txt")
    install(uv, "--no-deps", "--no-build-isolation", "--editable", ".")
    (VENV / f".made-from-{part}").write_text(fingerprint(LOCKS[part]))


def make_environment(home: Path) -> None:
    """A virtual environment at ``home``; one whose Python is gone or another is made anew."""
    if (home / "bin" / f"python{THIS[0]}.{THIS[1]}").exists():
        return
    try:
        import ensurepip  # noqa: F401 - asked for, not used: venv calls it as a program
        import venv
    except ImportError as error:
        raise CannotSetUp(
            f"this Python has no module {error.name}. Install it"
            f" (Debian, Ubuntu: apt install python{THIS[0]}.{THIS[1]}-venv) and run the same command again."
        ) from None
    if home.exists():
        shutil.rmtree(home)
    venv.create(home, with_pip=True, symlinks=True)


def installer() -> Path:
    """The pinned uv within .venv, installed by pip if it is not there."""
    make_environment(VENV)
    uv, lock = VENV / "bin" / "uv", "requirements/bootstrap.txt"
    pinned = next(line.split()[0] for line in Path(lock).read_text().splitlines() if line.startswith("uv=="))
    if uv.exists():
        told = subprocess.run([uv, "--version"], check=False, capture_output=True, text=True).stdout
        if told.split()[1:2] == [pinned.partition("==")[2]]:
            return uv
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if not succeeds(*pip, "--require-hashes", "-r", lock):
        raise CannotSetUp(PROBLEM.format(pinned))
    return uv


def install(uv: Path, *what: str) -> None:
    """Let uv install into .venv; CannotSetUp when it cannot."""
    python = VENV / "bin" / "python"
    if not succeeds(uv, "pip", "install", "--quiet", "--python", python, *what, environment=for_uv()):
        raise CannotSetUp(PROBLEM.format("the project" if what[-1] == "." else what[-1]))


def for_uv() -> dict[str, str]:
    """The environment that uv runs in; what is set there already rules."""
    return {"UV_HTTP_TIMEOUT": DOWNLOAD_TIMEOUT_S, **pip_settings(), **os.environ}


def pip_settings() -> dict[str, str]:
    """Where pip was told to look for packages, in uv's words."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "config", "list"]
    settings = {}
    for line in subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines():
        key, _, value = line.partition("=")
        name = UV_NAMES.get(key.rpartition(".")[2])
        if name:
            settings[name] = value.strip("'\"").replace("\\n", " ").strip()
    return settings


def install_synapse() -> None:
    """The homeserver, by the program that also starts it."""
    installer()
    if not succeeds(VENV / "bin" / "python", "-c", SYNAPSE, environment=for_uv()):
        raise CannotSetUp(PROBLEM.format("the homeserver"))


def install_peers() -> None:
    """Install each folder of JavaScript packages under tests/."""
    locks = (*ROOT.glob("tests/*/package-lock.json"), *ROOT.glob("tests/*/*/package-lock.json"))
    folders = sorted(lock.parent.relative_to(ROOT) for lock in locks)
    if not succeeds(VENV / "bin" / "python", "tests/peers/install.py", *folders):
        raise CannotSetUp(PROBLEM.format("one of the JavaScript peers"))


def succeeds(*command: str | Path, quiet: bool = False, environment: dict[str, str] | None = None) -> bool:
    """Whether a program ends well; its output is the terminal's."""
    out = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, check=False, stdout=out, stderr=out, env=environment).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
