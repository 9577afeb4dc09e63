"""A config that is complete, and ways to change one thing in it."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.config import Config, Examined, Purpose, examine, load
from bridge.errors import Misconfigured

TOKEN = "token-that-nobody-may-read-" + "a" * 37
OTHER = "token-that-nobody-may-read-" + "b" * 37

MINIMAL = f"""\
network:
    profile: profile.yaml
bridge:
    permissions:
        "@anna:home.test": admin
homeserver:
    address: http://localhost:8008
    domain: home.test
appservice:
    address: http://localhost:29317
    as_token: {TOKEN}
    hs_token: {OTHER}
"""


class Files:
    """A file reader over a table; what is not in it does not exist."""

    def __init__(self, **contents: str) -> None:
        self.contents = {name.replace("__", "/"): text for name, text in contents.items()}

    def __call__(self, path: str) -> str:
        if path not in self.contents:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.contents[path]


def config(
    text: str = MINIMAL, environment: Mapping[str, str] | None = None, files: Files | None = None
) -> Config:
    """The config in ``text``."""
    return load(text, environment=environment, read_file=files).config


def seen(text: str, purpose: Purpose | None = None) -> Examined:
    """Everything there is to say about ``text``."""
    return examine(text, purpose=purpose)


def refusal(
    text: str, environment: Mapping[str, str] | None = None, purpose: Purpose | None = None
) -> Misconfigured:
    """Why ``text`` is refused."""
    try:
        load(text, environment=environment, purpose=purpose)
    except Misconfigured as error:
        return error
    raise AssertionError("nothing was refused")
