"""The keys of the config, read from the model: which exist, which are secret, which are meant by a typo."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, SecretStr

from bridge.config.document import Document, Path
from bridge.config.findings import Finding, Findings, Severity
from bridge.config.model import Config

IGNORED_SECTIONS = ("analytics", "public_media", "direct_media", "backfill", "provisioning")

ECOSYSTEM_KEYS = frozenset(
    {
        "homeserver.software",
        "homeserver.status_endpoint",
        "homeserver.message_send_checkpoint_endpoint",
        "homeserver.async_media",
        "homeserver.websocket",
        "homeserver.ping_interval_seconds",
        "appservice.public_address",
        "appservice.async_transactions",
        "appservice.msc4190",
        "appservice.ephemeral_events",
        "appservice.bot.avatar",
        "database.max_idle_conns",
        "database.max_conn_idle_time",
        "database.max_conn_lifetime",
        "matrix.message_error_notices",
        "matrix.sync_direct_chat_list",
        "matrix.upload_file_threshold",
        "matrix.federate_rooms",
        "bridge.personal_filtering_spaces",
        "bridge.private_chat_portal_meta",
        "bridge.async_events",
        "bridge.split_portals",
        "bridge.resend_bridge_info",
        "bridge.bridge_status_notices",
        "bridge.unknown_error_auto_reconnect",
        "bridge.bridge_matrix_leave",
        "bridge.bridge_notices",
        "bridge.tag_only_on_create",
        "bridge.only_bridge_tags",
        "bridge.mute_only_on_create",
        "bridge.deduplicate_matrix_messages",
        "bridge.cross_room_replies",
        "bridge.revert_failed_state_changes",
        "bridge.kick_matrix_users",
        "bridge.cleanup_on_logout",
        "bridge.relay",
        "double_puppet.servers",
        "double_puppet.allow_discovery",
        "encryption.appservice",
        "encryption.msc4190",
        "encryption.msc4392",
        "encryption.self_sign",
        "encryption.allow_key_sharing",
        "encryption.pickle_key",
        "encryption.delete_keys",
        "encryption.verification_levels",
        "encryption.rotation",
    }
)
"""Keys other bridges of the ecosystem have and this one does not act on; they are not typing errors."""


@dataclass(frozen=True)
class Keys:
    """The known keys. Below a path in ``open_maps`` any key may stand."""

    fields: frozenset[Path]
    open_maps: frozenset[Path]
    secrets: frozenset[Path]

    def knows(self, path: Path) -> bool:
        """Whether ``path`` is a key of the config."""
        return path in self.fields or self.open_map_of(path) is not None

    def open_map_of(self, path: Path) -> Path | None:
        """The map above ``path`` whose keys are free."""
        return next((path[:n] for n in range(1, len(path)) if path[:n] in self.open_maps), None)

    def is_secret(self, path: Path) -> bool:
        """Whether the value at ``path``, or anything in it, must not be shown."""
        if path[:1] and path[0] in IGNORED_SECTIONS:
            return True  # another bridge's section may hold that bridge's secrets
        return any(path[: len(s)] == s or s[: len(path)] == path for s in self.secrets)


def _read(model: type[BaseModel], above: Path) -> Iterator[tuple[Path, bool, bool]]:
    """(path, its keys are free, its value is secret) of every key."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        kind = field.annotation
        inner = kind if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) else None
        if inner is not None and issubclass(inner, BaseModel):
            yield path, False, False
            yield from _read(inner, path)
        else:
            holds = {kind, *typing.get_args(kind)}
            yield path, typing.get_origin(kind) is not None and _is_map(kind), SecretStr in holds


def _is_map(kind: object) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _keys() -> Keys:
    rows = tuple(_read(Config, ()))
    return Keys(
        fields=frozenset(path for path, _, _ in rows),
        open_maps=frozenset(path for path, free, _ in rows if free),
        secrets=frozenset(path for path, _, secret in rows if secret),
    )


KEYS = _keys()


def unknown_keys(document: Document) -> Findings:
    """A warning for each key that means nothing here, and one for those of other bridges."""
    without_effect: list[str] = [s for s in IGNORED_SECTIONS if document.values.get(s)]
    for path in _unknown(document.values, ()):
        dotted = ".".join(path)
        if dotted in ECOSYSTEM_KEYS:
            without_effect.append(dotted)
            continue
        near = nearest(path)
        yield Finding(
            dotted,
            "this key is unknown and has no effect.",
            f"Did you mean {near}?" if near else "Remove it, or look for its name in config.example.yaml.",
            severity=Severity.WARNING,
            where=document.where(path),
            unknown_key=True,
        )
    if without_effect:
        yield Finding(
            "",
            f"these have no effect in this bridge: {', '.join(without_effect)}.",
            "You can leave them.",
            severity=Severity.WARNING,
            where=document.name,
        )


def _unknown(values: Mapping[str, object], above: Path) -> Iterator[Path]:
    for key, value in values.items():
        path = (*above, key)
        if not KEYS.knows(path):
            yield path
        elif isinstance(value, Mapping) and path not in KEYS.open_maps:
            yield from _unknown(value, path)


def nearest(path: Path) -> str | None:
    """The known key most likely meant: a sibling with a similar name, or the same name elsewhere."""
    siblings = [field[-1] for field in KEYS.fields if field[:-1] == path[:-1]]
    close = difflib.get_close_matches(path[-1], sorted(siblings), n=1)
    if close:
        return ".".join((*path[:-1], close[0]))
    same = sorted(".".join(field) for field in KEYS.fields if field[-1] == path[-1])
    return same[0] if same else None
