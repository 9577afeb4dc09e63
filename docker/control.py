#!/opt/bridge/bin/python
"""Call the sandbox's control API from inside its container: ``sandbox-control PATH [BODY] [-X METHOD]``.

``docs/guide/sandbox.md`` lists the calls. The API listens in the container only, so this is the way in.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from pathlib import Path

import click
from ruamel.yaml import YAML

CONTROL = Path("/sandbox/control.yaml")
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@click.command()
@click.argument("path")
@click.argument("body", required=False)
@click.option("-X", "--method", help="GET without a body, POST with one, unless it is said here.")
def control(path: str, body: str | None, method: str | None) -> None:
    """Call PATH with BODY, which is JSON, and print the answer; ends with 1 when it is a refusal."""
    access = YAML(typ="safe").load(CONTROL)
    request = urllib.request.Request(
        access["url"] + path,
        body.encode() if body is not None else None,
        {"Authorization": f"Bearer {access['token']}", "Content-Type": "application/json"},
        method=method,
    )
    try:
        with NO_PROXY.open(request) as answer:
            click.echo(answer.read().decode())
    except urllib.error.HTTPError as refusal:
        click.echo(refusal.read().decode(), err=True)
        sys.exit(1)


if __name__ == "__main__":
    control()
