"""The sandbox's folder: keys and ports made once, the profile written at each start.

    keys.yaml         private keys, ports, the control token (0600)
    profile.yaml      the profile for the bridge's config
    control.yaml      URL and token of the control API (0600)
    clock-offset      seconds that the shared clock is ahead of real time
    lock              held while a sandbox runs; the process id of the last one

The profile has the clock file's whole path, so that both programs find it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bridge.curve import KEY_BYTES, KeyPair, key_pair
from bridge.errors import Misconfigured
from bridge.sandbox.rules.variant import Variant

SHIPPED = Path(__file__).parents[1] / "variants"
KEYS, PROFILE, CONTROL = "keys.yaml", "profile.yaml", "control.yaml"
CLOCK, LOCK = "clock-offset", "lock"
FOLDER_EXIT_CODE = 43
"""Exit code: the sandbox cannot use its folder: another sandbox uses it, or it is not writable or damaged."""
PID_BYTES = 20
"""More than any process id has digits."""
MAX_PORT = 65_535
PRIVATE_MODE, PRIVATE_FOLDER_MODE = 0o600, 0o700
LOOPBACK = "127.0.0.1"
"""The control API listens nowhere else."""
RSA_BITS = 2048
TOKEN_BYTES = 24

Rng = Callable[[int], bytes]


@dataclass(frozen=True)
class Keys:
    """Keys and the control token, made once."""

    root: KeyPair
    intermediate: KeyPair
    server: KeyPair
    seed: bytes = field(repr=False)
    push_kid: str
    push_pem: bytes = field(repr=False)
    control_token: str = field(repr=False)


@dataclass(frozen=True)
class Ports:
    """TCP ports; 0 takes a free one."""

    chat: int = 0
    web: int = 0
    control: int = 0


def load_variant(name: str | Path) -> Variant:
    """A shipped variant by name, or one from a YAML file."""
    path = Path(name)
    if path.suffix != ".yaml":
        path = SHIPPED / f"{name}.yaml"
    return Variant.model_validate(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))


def offset_file(directory: Path) -> Path:
    """The file with the shared clock's offset."""
    return directory.resolve() / CLOCK


class Folder:
    """The folder, locked against a second sandbox until ``close``."""

    def __init__(self, directory: Path) -> None:
        """Make and lock it, or raise ``Misconfigured``."""
        self.directory = directory
        try:
            directory.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
            self._lock = os.open(
                directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_MODE
            )
        except OSError as error:
            raise _refusal(
                directory,
                f"this can't be the sandbox's folder ({_why(error)}).",
                "Name a folder that this user may write to with --dir.",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._lock, PID_BYTES, 0).decode("ascii", "replace").strip()
            os.close(self._lock)
            named = f" (process {holder})" if holder.isdigit() else ""
            raise _refusal(
                directory,
                f"another sandbox{named} is using this folder.",
                "Stop it first, or name another folder with --dir.",
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Release the lock. The lock's file stays: deleting it would let two processes hold one each."""
        os.close(self._lock)

    def load(self, rng: Rng) -> tuple[Keys, Ports]:
        """Keys and ports of an earlier start, or fresh keys and no ports. ``Misconfigured`` when damaged."""
        if not offset_file(self.directory).exists():
            self.set_clock_offset(0.0)
        try:
            self.clock_offset()
        except (OSError, ValueError) as error:
            raise _refusal(
                offset_file(self.directory), "the clock's offset is not a number.", "Write 0 into it."
            ) from error
        kept = self.directory / KEYS
        try:
            return _read(YAML(typ="safe", pure=True).load(kept.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return _make(rng), Ports()
        except (OSError, YAMLError, LookupError, TypeError, ValueError) as error:
            raise _refusal(
                kept,
                "the sandbox's keys can't be read.",
                "Restore the file, or start over: delete this folder and the bridge's database.",
            ) from error

    def save(self, keys: Keys, ports: Ports, *, profile: Mapping[str, Any]) -> None:
        """Write everything. The profile is last: when it is there, the rest is too."""
        data = {
            "root": keys.root.private.hex(),
            "intermediate": keys.intermediate.private.hex(),
            "server": keys.server.private.hex(),
            "seed": keys.seed.hex(),
            "push_kid": keys.push_kid,
            "push_pem": keys.push_pem.decode(),
            "control_token": keys.control_token,
            "ports": {"chat": ports.chat, "web": ports.web, "control": ports.control},
        }
        control = {"url": f"http://{LOOPBACK}:{ports.control}", "token": keys.control_token}
        for name, content in ((KEYS, data), (CONTROL, control), (PROFILE, profile)):
            try:
                _write(self.directory / name, content)
            except OSError as error:
                raise _refusal(
                    self.directory / name,
                    f"the file can't be written ({_why(error)}).",
                    "Let this user write in the folder and make room on the disk.",
                ) from error

    def clock_offset(self) -> float:
        """How many seconds the shared clock is ahead."""
        return float(offset_file(self.directory).read_text(encoding="ascii") or 0)

    def set_clock_offset(self, seconds: float) -> None:
        """Move the shared clock, in one step."""
        _replace(offset_file(self.directory), f"{seconds!r}\n")


def _refusal(where: Path, what: str, remedy: str) -> Misconfigured:
    return Misconfigured(str(where), what, remedy, exit_code=FOLDER_EXIT_CODE)


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _make(rng: Rng) -> Keys:
    private = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    return Keys(
        root=key_pair(rng(KEY_BYTES)),
        intermediate=key_pair(rng(KEY_BYTES)),
        server=key_pair(rng(KEY_BYTES)),
        seed=rng(KEY_BYTES),
        push_kid=rng(4).hex(),
        push_pem=private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        control_token=rng(TOKEN_BYTES).hex(),
    )


def _read(data: Mapping[str, Any]) -> tuple[Keys, Ports]:
    pairs = {name: key_pair(bytes.fromhex(data[name])) for name in ("root", "intermediate", "server")}
    load_pem_private_key(data["push_pem"].encode(), None)
    keys = Keys(
        **pairs,
        seed=bytes.fromhex(data["seed"]),
        push_kid=data["push_kid"],
        push_pem=data["push_pem"].encode(),
        control_token=data["control_token"],
    )
    ports = Ports(**data["ports"])
    if not all(isinstance(port, int) and 0 <= port <= MAX_PORT for port in vars(ports).values()):
        raise ValueError("a port is not a port number")
    return keys, ports


def _write(path: Path, data: Mapping[str, Any]) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    beside = path.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_MODE), "w") as file:
        yaml.dump(dict(data), file)
    beside.replace(path)


def _replace(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="ascii")
    beside.replace(path)
