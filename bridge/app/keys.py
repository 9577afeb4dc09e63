"""The installation's own keys: the master key given or kept in a file, and what it wraps."""

from __future__ import annotations

from pathlib import Path

from bridge.config import Config
from bridge.ports import Random, Row, Store
from bridge.store import kinds
from bridge.store.master_key import load_master_key, parse_master_key
from bridge.store.tables import installation
from bridge.store.vault import KeeperBox, Vault

_KEEPER_KEY = "keeper-key"
_DERIVING_KEY = "deriving-key"
"""Names under which they are kept."""


def master_key(config: Config, random: Random) -> bytes:
    """The key from the environment, or from its file, which is made at the first start."""
    given = config.bridge.master_key
    if given is not None:
        return parse_master_key(given.get_secret_value(), "bridge.master_key")
    return load_master_key(Path(config.bridge.master_key_file), random)


async def installation_keys(store: Store, vault: Vault, random: Random) -> tuple[KeeperBox, bytes]:
    """The keeper's box and the secret all names are derived from; made at the first start."""
    fresh = {
        _KEEPER_KEY: vault.new_keeper_key(random),
        _DERIVING_KEY: vault.seal(_DERIVING_KEY, random.bytes(32), random),
    }
    rows: list[Row] = [{"name": name, "value": value} for name, value in fresh.items()]
    await store.commit(kinds.unit(kinds.INSTALL, install=rows))
    keeper, secret = (
        await installation.value(store, _KEEPER_KEY),
        await installation.value(store, _DERIVING_KEY),
    )
    assert keeper is not None
    assert secret is not None
    return vault.keeper(keeper), vault.open(_DERIVING_KEY, secret)
