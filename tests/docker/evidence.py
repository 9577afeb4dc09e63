"""What the first start wrote, and which of it no log may show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.docker.stack import SERVER_NAME

SECRET_KEYS = re.compile(
    r"token|password|secret|key|uri|seed|root|intermediate|server$|postgres|bridge|synapse"
)
"""Keys of the files below whose values no log may show."""
FILES_WITH_SECRETS = (
    "passwords.json",
    "bridge/registration.yaml",
    "bridge/doublepuppet.yaml",
    "synapse/homeserver.yaml",
    "sandbox/control.yaml",
    "sandbox/keys.yaml",
)
SHORTEST_SECRET = 20
"""Fewer characters are a name or a port."""


def written(data: Path) -> Mapping[str, tuple[int, bytes]]:
    """Every file that the first start writes: its owner and mode in one number, its bytes."""
    found = {}
    for folder in ("bridge", "synapse", "postgres-first-start", "."):
        for path in (data / folder).iterdir():
            if path.is_file() and path.suffix in {".yaml", ".json", ".key", ".pem", ".sql", ""}:
                status = path.stat()
                found[str(path.relative_to(data))] = (status.st_uid << 16 | status.st_mode, path.read_bytes())
    return found


def secrets_of(data: Path) -> Iterator[str]:
    """Every secret that the first start made."""
    for name in FILES_WITH_SECRETS:
        found = list(_secrets(YAML(typ="safe").load(data / name)))
        assert found, name
        yield from found
    for name in ("bridge/master.key", "bridge/signing-key.pem", "synapse/signing.key"):
        yield from (line for line in (data / name).read_text().split() if len(line) >= SHORTEST_SECRET)


def _secrets(values: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(values, Mapping):
        for key, inner in values.items():
            yield from _secrets(inner, secret=secret or bool(SECRET_KEYS.search(key)))
    elif secret and isinstance(values, str) and len(values) >= SHORTEST_SECRET:
        yield values


def check_it_fits_together(data: Path) -> None:
    """Each password and token is the same at both ends."""
    read: Callable[[Path], Any] = YAML(typ="safe").load
    config, homeserver = read(data / "bridge/config.yaml"), read(data / "synapse/homeserver.yaml")
    passwords = read(data / "passwords.json")
    roles = (data / "postgres-first-start/roles.sql").read_text()
    assert f":{passwords['bridge']}@" in config["database"]["uri"]
    assert homeserver["database"]["args"]["password"] == passwords["synapse"]
    assert (data / "postgres-first-start/password").read_text() == passwords["postgres"]
    assert passwords["bridge"] in roles and passwords["synapse"] in roles
    for path in homeserver["app_service_config_files"]:
        name = Path(path).name
        assert read(data / "synapse" / name) == read(data / "bridge" / name)
    registration, puppets = read(data / "bridge/registration.yaml"), read(data / "bridge/doublepuppet.yaml")
    for token in ("as_token", "hs_token"):
        assert config["appservice"][token] == registration[token]
    assert config["double_puppet"]["secrets"] == {SERVER_NAME: f"as_token:{puppets['as_token']}"}
    assert not list(data.rglob("*.new"))
