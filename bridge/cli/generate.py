"""``-e`` and ``-g``: the example config, and the registrations with their tokens."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

import click
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from bridge.cli.files import read_config, read_text, write_private
from bridge.cli.outcomes import FATAL, NO_UPDATE, REGISTRATION_NOT_SAVED
from bridge.config import NOT_SAVED, Config, Purpose, example_text, load, write_back
from bridge.errors import Misconfigured
from bridge.matrix.registration import main_document, new_registration, puppet_document
from bridge.ports import Random

STDOUT = "-"
PUPPETS = "doublepuppet.yaml"


def generate_example(path: str) -> None:
    """Write the example to ``path``, never over a file; ``-`` prints it."""
    if path == STDOUT:
        click.echo(example_text(), nl=False)
        return
    write_private(path, example_text(), exit_code=FATAL, new=True)
    click.echo(f"Wrote {path}. Fill in the five values marked >>>, then run `interop-bridge -g`.")


def generate_registration(
    config_path: str,
    registration_path: str,
    *,
    no_update: bool,
    environment: Mapping[str, str],
    random: Random,
) -> None:
    """Write the registrations and their tokens; Misconfigured 5, 10, 11, 20, 21 or 22."""
    if no_update:
        raise Misconfigured(
            "--generate-registration",
            "it writes the tokens into the config, which --no-update forbids.",
            "Leave out one of the two.",
            exit_code=NO_UPDATE,
        )
    text = read_config(config_path)
    config = load(
        text,
        name=config_path,
        environment=environment,
        read_file=read_text,
        purpose=Purpose(generating=True),
    ).config
    documents, values = _made(config, random)
    changed = write_back(text, values, name=config_path)
    if registration_path == STDOUT:
        click.echo(_yaml(documents[0]), nl=False)
    else:
        write_private(registration_path, _yaml(documents[0]), exit_code=REGISTRATION_NOT_SAVED)
    beside = os.path.join(os.path.dirname(registration_path), PUPPETS)
    if len(documents) > 1:
        write_private(beside, _yaml(documents[1]), exit_code=REGISTRATION_NOT_SAVED)
    # The config last: until it has the new tokens the old registration still fits.
    write_private(config_path, changed, exit_code=NOT_SAVED)
    shown = "the registration (above)" if registration_path == STDOUT else registration_path
    names = " and ".join([shown, beside][: len(documents)])
    click.echo(
        f"Wrote {names}, and the tokens into {config_path}. Add each registration to your homeserver's "
        "configuration and restart the homeserver.",
        err=registration_path == STDOUT,
    )


def _made(config: Config, random: Random) -> tuple[list[Mapping[str, Any]], dict[tuple[str, ...], str]]:
    """The registrations, and what the config has to say to fit them."""
    server, section = config.homeserver.domain, config.appservice
    main = new_registration(section.id, section.address, random.bytes)
    documents: list[Mapping[str, Any]] = [
        main_document(
            main,
            server=server,
            bot_localpart=section.bot.username,
            ghost_prefix=section.ghost_prefix,
        )
    ]
    values: dict[tuple[str, ...], str] = {
        ("appservice", "as_token"): main.as_token,
        ("appservice", "hs_token"): main.hs_token,
    }
    # A domain that has a token already keeps it: it may be shared with other bridges.
    if config.double_puppet.token_for(server) is None:
        puppets = new_registration(f"{section.id}-{PUPPETS.removesuffix('.yaml')}", None, random.bytes)
        documents.append(puppet_document(puppets, server=server))
        values["double_puppet", "secrets", server] = f"as_token:{puppets.as_token}"
    return documents, values


def _yaml(document: Mapping[str, Any]) -> str:
    """YAML that every reader takes the same: texts are quoted, since a token may look like a number."""
    writer = YAML()
    writer.width = 4096
    text = io.StringIO()
    writer.dump(_quoted(document), text)
    return text.getvalue()


def _quoted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _quoted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_quoted(inner) for inner in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value
