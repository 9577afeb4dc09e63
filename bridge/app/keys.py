"""The installation's own keys: the master key given or kept in a file, and what it wraps."""

from __future__ import annotations

from pathlib import Path

from bridge.adapters.private_files import PrivateFile
from bridge.config import Config
from bridge.ports import Random, Row, Store
from bridge.store import kinds
from bridge.store.master_key import load_master_key, other_key, parse_master_key
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
    try:
        return vault, vault.keeper(keeper), vault.open(_DERIVING_KEY, secret)
    except Unreadable as error:
        where = _GIVEN if config.bridge.master_key is not None else config.bridge.master_key_file
        raise other_key(where, "is not the master key that this database was sealed with.") from error


def _master_key(config: Config, random: Random, *, may_make: bool) -> bytes:
    """The key from the environment, or from its file."""
    given = config.bridge.master_key
    if given is not None:
        return parse_master_key(given.get_secret_value(), _GIVEN)
    return load_master_key(PrivateFile(Path(config.bridge.master_key_file)), random, may_make=may_make)


def _new_keys(vault: Vault, random: Random) -> list[Row]:
    fresh = {
        _KEEPER_KEY: vault.new_keeper_key(random),
        _DERIVING_KEY: vault.seal(_DERIVING_KEY, random.bytes(32), random),
    }
    return [{"name": name, "value": value} for name, value in fresh.items()]
