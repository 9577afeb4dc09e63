"""The sandbox's folder: keys and ports made once, the profile written at every start.

    keys.yaml         private keys, ports, the control token (0600)
    profile.yaml      what the bridge's config names as its network's profile
    control.yaml      where the control API is, and its token (0600)
    clock-offset      seconds that the shared clock is ahead of real time

The clock file stands in the profile by its whole path, so that both programs find it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from ruamel.yaml import YAML

from bridge.curve import KEY_BYTES, KeyPair, key_pair
from bridge.sandbox.rules.variant import Variant

SHIPPED = Path(__file__).parents[1] / "variants"
KEYS, PROFILE, CONTROL, CLOCK = "keys.yaml", "profile.yaml", "control.yaml", "clock-offset"
PRIVATE_MODE, PRIVATE_FOLDER_MODE = 0o600, 0o700
LOOPBACK = "127.0.0.1"
"""The control API listens nowhere else."""
RSA_BITS = 2048
TOKEN_BYTES = 24

Rng = Callable[[int], bytes]


@dataclass(frozen=True)
class Keys:
    """What is made once. Ports are 0 before the first start."""

    root: KeyPair
    intermediate: KeyPair
    server: KeyPair
    seed: bytes = field(repr=False)
    push_kid: str
    push_pem: bytes = field(repr=False)
    control_token: str = field(repr=False)


@dataclass(frozen=True)
class Ports:
    """TCP ports; 0 where a free one is to be taken."""

    chat: int = 0
    web: int = 0
    control: int = 0


def load_variant(name: str | Path) -> Variant:
    """A shipped variant by its name, or one from a YAML file."""
    path = Path(name)
    if path.suffix != ".yaml":
        path = SHIPPED / f"{name}.yaml"
    return Variant.model_validate(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))


def offset_file(directory: Path) -> Path:
    """The file with the shared clock's offset."""
    return directory.resolve() / CLOCK


def open_folder(directory: Path, rng: Rng) -> tuple[Keys, Ports]:
    """Keys and ports of an earlier start, or fresh keys and no ports."""
    directory.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    if not (directory / CLOCK).exists():
        write_offset(directory, 0.0)
    kept = directory / KEYS
    if kept.exists():
        return _read(YAML(typ="safe", pure=True).load(kept.read_text(encoding="utf-8")))
    return _make(rng), Ports()


def save(directory: Path, keys: Keys, ports: Ports, *, profile: Mapping[str, Any]) -> None:
    """Write everything down. The profile comes last: who waits for it finds the rest."""
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
    _write(directory / KEYS, data)
    control = {"url": f"http://{LOOPBACK}:{ports.control}", "token": keys.control_token}
    _write(directory / CONTROL, control)
    _write(directory / PROFILE, profile)


def read_offset(directory: Path) -> float:
    """How many seconds the shared clock is ahead."""
    return float((directory / CLOCK).read_text(encoding="ascii") or 0)


def write_offset(directory: Path, seconds: float) -> None:
    """Move the shared clock, in one step."""
    _replace(directory / CLOCK, f"{seconds!r}\n")


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
    keys = Keys(
        **pairs,
        seed=bytes.fromhex(data["seed"]),
        push_kid=data["push_kid"],
        push_pem=data["push_pem"].encode(),
        control_token=data["control_token"],
    )
    return keys, Ports(**data["ports"])


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
