"""Rules about the database, the keys, the listeners and other parts."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from bridge.config.findings import DATABASE, Finding, Findings, warning
from bridge.config.model import Config
from bridge.config.rules.placeholders import (
    PLACEHOLDER_DATABASE,
    PLACEHOLDER_DOMAINS,
    is_address,
    shown_address,
)

MASTER_KEY_DIGITS = 64
MAX_PORT = 65535
SSL_MODES = dict.fromkeys(("disable", "allow", "prefer", "require", "verify-ca", "verify-full"))
"""PostgreSQL's, from the weakest on."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def database(config: Config) -> Findings:
    """The database's address fits its type."""
    uri = config.database.uri.get_secret_value()
    is_postgres = uri.startswith(("postgres://", "postgresql://"))
    if uri.startswith(PLACEHOLDER_DATABASE):
        yield Finding(
            "database.uri",
            "it is still the example's.",
            "Write the address of your database, or remove type and uri to keep everything in one file.",
        )
    elif config.database.type == "postgres" and not is_postgres:
        yield Finding(
            "database.uri",
            "type is postgres, but this is not a postgres:// address.",
            "Write postgres://user:password@host/name, or the type sqlite3-fk-wal.",
        )
    elif config.database.type != "postgres" and (is_postgres or not uri.split("?")[0].removeprefix("file:")):
        yield Finding(
            "database.uri",
            "type is sqlite3-fk-wal, but this is not a file.",
            "Write file:bridge.db?_txlock=immediate, or the type postgres.",
            exit_code=DATABASE,
        )
    elif is_postgres:
        yield from _postgres(uri)
    else:
        yield from _sqlite(uri)


def _sqlite(uri: str) -> Findings:
    """A database that is kept, in a file that can be written to."""
    path, _, options = uri.removeprefix("file:").partition("?")
    modes = parse_qs(options).get("mode", [])
    if path.startswith(":memory:") or "memory" in modes:
        yield Finding(
            "database.uri",
            "a database in memory would be gone, with every key in it, when the bridge stops.",
            "Write the name of a file: file:bridge.db?_txlock=immediate.",
            exit_code=DATABASE,
        )
    elif set(modes) - {"rw", "rwc"}:
        yield Finding(
            "database.uri",
            f"the bridge cannot work with mode={modes[-1]!r}: it makes the file and writes to it.",
            "Leave mode out: file:bridge.db?_txlock=immediate.",
            exit_code=DATABASE,
        )


def _postgres(uri: str) -> Findings:
    """What of an address can be seen to be wrong without a server. Nothing of a password is shown."""
    hosts, _, query = uri.partition("://")[2].partition("?")
    for host in hosts.partition("/")[0].rpartition("@")[2].split(","):
        port = host.rpartition("]")[2].rpartition(":")
        if port[1] and not (port[2].isdecimal() and 0 < int(port[2]) <= MAX_PORT):
            yield Finding(
                "database.uri",
                f"the part after the host is not a port from 1 to {MAX_PORT}.",
                "Write postgres://user:password@host:5432/name; in a password write / as %2F and @ as %40.",
            )
            return
    if set(parse_qs(query).get("sslmode", ())) - SSL_MODES.keys():
        yield Finding(
            "database.uri", "PostgreSQL has no such sslmode.", f"Write one of {', '.join(SSL_MODES)}."
        )


def keys(config: Config) -> Findings:
    """The master key, when it is given and not in a file."""
    given = config.bridge.master_key
    if given is None:
        return
    text = given.get_secret_value()
    if len(text) != MASTER_KEY_DIGITS or not re.fullmatch("[0-9a-fA-F]+", text):
        yield Finding(
            "bridge.master_key",
            f"it is not {MASTER_KEY_DIGITS} hexadecimal digits.",
            "Make one with `openssl rand -hex 32`, or leave it out: a key file is made at the first start.",
        )


def listeners(config: Config) -> Findings:
    """Three listeners, three ports; the admin's stays at home."""
    taken: dict[int, str] = {}
    for name, section in (
        ("appservice", config.appservice),
        ("public", config.public),
        ("admin", config.admin),
    ):
        if section.port in taken:
            yield Finding(
                f"{name}.port",
                f"{section.port} is {taken[section.port]}.port as well.",
                "Write another number: each listener needs its own port.",
            )
        taken.setdefault(section.port, name)
    if config.public.address and not is_address(config.public.address):
        yield Finding(
            "public.address",
            f"{shown_address(config.public.address)} is not an address.",
            "Write where the network reaches the public listener, such as https://bridge.my.domain.",
        )
    if config.admin.hostname not in LOOPBACK:
        yield warning(
            "admin.hostname",
            f"{config.admin.hostname} can be reached from other machines.",
            "Write 127.0.0.1, unless a firewall or a container's own network protects it.",
        )


def secrets(config: Config) -> Findings:
    """Secrets have the form the ecosystem gives them."""
    for domain, secret in config.double_puppet.secrets.items():
        if domain in PLACEHOLDER_DOMAINS:
            continue
        if not secret.get_secret_value().startswith("as_token:"):
            yield Finding(
                f"double_puppet.secrets.{domain}",
                "it does not begin with as_token:.",
                "Write as_token: and the token of the second registration, in quotes.",
            )


def encryption(config: Config) -> Findings:
    """What this version cannot promise is refused, not ignored."""
    if config.encryption.require:
        yield Finding(
            "encryption.require",
            "this version cannot encrypt on the Matrix side yet.",
            "Write false, and know that the homeserver can read the chats.",
        )
    elif config.encryption.allow or config.encryption.default:
        yield warning(
            "encryption",
            "this version cannot encrypt on the Matrix side yet: the homeserver can read the chats.",
            "Write false for allow and default to say that you know.",
        )


def logging(config: Config) -> Findings:
    """One writer, to standard output."""
    for writer in config.logging.writers:
        if writer.type != "stdout":
            yield warning(
                "logging.writers",
                f"a writer of type {writer.type!r} is ignored.",
                "Write type: stdout; systemd or the container keeps the log.",
            )
