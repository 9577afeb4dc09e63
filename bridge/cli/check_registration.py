"""The part of ``check`` that looks at registrations: ours, and others of the same homeserver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bridge.cli.check_state import Checked
from bridge.cli.files import read_text
from bridge.config import Config, Finding
from bridge.config.findings import warning
from bridge.matrix.registration import OwnNames, clashes, faults, main_document, new_registration
from bridge.sentences import render

_AGAIN = "Run `interop-bridge -g` again."


def check_registrations(config: Config, path: str, others: Sequence[str]) -> Iterator[Checked]:
    """Our registration, and each of ``others``: files that the homeserver loads as well."""
    yield Checked("registration", tuple(_registration(config, path)))
    own = _expected(config)
    for other in others:
        yield Checked(f"registration {other}", tuple(_other(config, own, other)))


def _registration(config: Config, path: str) -> Iterator[Finding]:
    try:
        document = _read(path)
    except FileNotFoundError:
        yield warning(
            path, "there is no registration file here.", "Run `interop-bridge -g`, or name it with -r."
        )
        return
    except (OSError, ValueError, YAMLError, RecursionError) as error:
        yield Finding(path, f"it cannot be read ({_why(error)}).", _AGAIN)
        return
    yield from _registered(config, path, document)


def _registered(config: Config, path: str, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the registration is sound and says what the config says."""
    section = config.appservice
    for fault in faults(
        document,
        server=config.homeserver.domain,
        bot_localpart=section.bot.username,
        ghost_prefix=section.ghost_prefix,
    ):
        yield Finding(f"{path} {fault.where}", render(fault.sentence), _AGAIN)
    expected = _expected(config)
    for key in ("id", "url", "as_token", "hs_token"):
        if document.get(key) != expected[key]:
            yield Finding(
                f"{path} {key}",
                f"it is not what the config says in appservice.{'address' if key == 'url' else key}.",
                "Run `interop-bridge -g` and restart the homeserver.",
            )


def _other(config: Config, own: Mapping[str, Any], path: str) -> Iterator[Finding]:
    try:
        document = _read(path)
    except (OSError, ValueError, YAMLError, RecursionError) as error:
        yield Finding(
            path, f"it cannot be read ({_why(error)}).", "Name registration files of the homeserver."
        )
        return
    if all(document.get(key) == own[key] for key in ("id", "as_token", "hs_token")):
        return  # ours: the folder of all registrations was named
    for fault in clashes(own, document, _names(config)):
        yield Finding(f"{path} {fault.where}", render(fault.sentence), "")


def _read(path: str) -> Mapping[str, Any]:
    document = YAML(typ="safe", pure=True).load(read_text(path))
    if not isinstance(document, Mapping):
        raise ValueError("not a registration")
    return document


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return "it is not a registration" if type(error) is ValueError else "it is not YAML"


def _names(config: Config) -> OwnNames:
    section = config.appservice
    return OwnNames(config.homeserver.domain, section.bot.username, section.ghost_prefix)


def _expected(config: Config) -> Mapping[str, Any]:
    """The registration as the config describes it; its sender is random, so it says nothing."""
    section = config.appservice
    made = new_registration(section.id, section.address, bytes)
    document = main_document(
        made,
        server=config.homeserver.domain,
        bot_localpart=section.bot.username,
        ghost_prefix=section.ghost_prefix,
    )
    tokens = {
        "as_token": section.as_token.get_secret_value(),
        "hs_token": section.hs_token.get_secret_value(),
    }
    return {**document, **tokens, "sender_localpart": None}
