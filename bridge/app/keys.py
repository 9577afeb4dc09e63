"""The installation's own keys: the master key given or kept in a file, and what it wraps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge.adapters.private_files import PrivateFile
from bridge.config import Config
from bridge.network import signing_keys
from bridge.ports import Random, Row, Store
from bridge.store import kinds, master_key
from bridge.store.master_key import load_master_key, other_key, parse_master_key, read_master_key
from bridge.store.tables import installation
from bridge.store.vault import KeeperBox, Unreadable, Vault

_KEEPER_KEY = "keeper-key"
_DERIVING_KEY = "deriving-key"
"""Names under which they are kept."""
_GIVEN = "bridge.master_key"


async def installation_keys(store: Store, config: Config, random: Random) -> tuple[Vault, KeeperBox, bytes]:
    """The vault, the keeper's box, and the secret all names are derived from; made at the first start.

    The store is asked first: where something is sealed, only the key that sealed it will do.
    ``Misconfigured`` (42) when that one is missing or is another one.
    """
    is_new = await installation.is_new(store)
    vault = Vault(_master_key(config, random, may_make=is_new))
    if is_new:
        await store.commit(kinds.unit(kinds.INSTALL, install=_new_keys(vault, random)))
    keeper, secret = (
        await installation.value(store, _KEEPER_KEY),
        await installation.value(store, _DERIVING_KEY),
    )
    assert keeper is not None
    assert secret is not None
    return vault, *_unwrapped(vault, keeper, secret, config)


def check_master_key(kept: Mapping[str, bytes], config: Config) -> None:
    """Check that the master key opens what the database keeps; ``Misconfigured`` as at a start.

    ``kept``: the rows of ``installation``. Without any the next start may make the key.
    """
    given = config.bridge.master_key
    if given is not None:
        key: bytes | None = parse_master_key(given.get_secret_value(), _GIVEN)
    else:
        key = read_master_key(master_key_file(config))
    if key is None and kept:
        raise other_key(config.bridge.master_key_file, "does not exist, and this database is sealed with it.")
    if key is None:
        master_key_file(config).check_folder()
    if key is not None and kept:
        _unwrapped(Vault(key), kept.get(_KEEPER_KEY, b""), kept.get(_DERIVING_KEY, b""), config)


def master_key_file(config: Config) -> PrivateFile:
    """The file of the master key."""
    return PrivateFile(Path(config.bridge.master_key_file), exposed=master_key.EXPOSED)


def signing_key_file(config: Config) -> PrivateFile:
    """The file of the keys that sign identity tokens."""
    return PrivateFile(Path(config.network.signing_key_file), exposed=signing_keys.EXPOSED)


def _unwrapped(vault: Vault, keeper: bytes, secret: bytes, config: Config) -> tuple[KeeperBox, bytes]:
    """The keeper's box and the deriving key; ``Misconfigured`` (42) when another key sealed them."""
    try:
        return vault.keeper(keeper), vault.open(_DERIVING_KEY, secret)
    except Unreadable as error:
        where = _GIVEN if config.bridge.master_key is not None else config.bridge.master_key_file
        raise other_key(where, "is not the master key that this database was sealed with.") from error


def _master_key(config: Config, random: Random, *, may_make: bool) -> bytes:
    """The key from the environment, or from its file."""
    given = config.bridge.master_key
    if given is not None:
        return parse_master_key(given.get_secret_value(), _GIVEN)
    return load_master_key(master_key_file(config), random, may_make=may_make)


def _new_keys(vault: Vault, random: Random) -> list[Row]:
    fresh = {
        _KEEPER_KEY: vault.new_keeper_key(random),
        _DERIVING_KEY: vault.seal(_DERIVING_KEY, random.bytes(32), random),
    }
    return [{"name": name, "value": value} for name, value in fresh.items()]
