"""Values from the environment, from files it names, and from systemd credentials.

With ``env_config_prefix: INTEROP_`` the variable ``INTEROP_APPSERVICE__AS_TOKEN`` sets
``appservice.as_token``, and ``INTEROP_APPSERVICE__AS_TOKEN_FILE`` reads it from a file. Names are
lower-cased; levels are split at ``.``, or at ``__`` in a name without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.config.document import Document, Path
from bridge.config.findings import UNREADABLE, ReadFile
from bridge.config.schema import KEYS, nearest
from bridge.errors import Misconfigured

FILE_SUFFIX = "_file"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what ``LoadCredential=appservice.as_token:/path`` loads; files are named by the key."""


@dataclass(frozen=True)
class Overlay:
    """What the environment says: the value of each key, and where it came from."""

    values: Mapping[Path, str]
    origins: Mapping[Path, str]
    secret_files: Mapping[str, str]
    """Variable -> the file it names, for the files that a secret was read from."""


def read_environment(document: Document, environment: Mapping[str, str], read_file: ReadFile) -> Overlay:
    """Everything set outside the file; Misconfigured (exit 10) for a name that is not a key."""
    values: dict[Path, str] = {}
    origins: dict[Path, str] = {}
    for path, value, origin in _credentials(environment, read_file):
        values[path], origins[path] = value, origin
    named: dict[Path, str] = {}
    secret_files: dict[str, str] = {}
    prefix = document.values.get("env_config_prefix") or ""
    for variable in sorted(environment) if isinstance(prefix, str) and prefix else ():
        if not variable.startswith(prefix):
            continue
        path, value = _one(variable, variable[len(prefix) :], environment[variable], read_file)
        if path in named:
            raise Misconfigured(
                f"environment variables {named[path]} and {variable}",
                f"both set {'.'.join(path)}.",
                "Remove one of them.",
                exit_code=UNREADABLE,
            )
        named[path] = variable
        if variable.lower().endswith(FILE_SUFFIX) and KEYS.is_secret(path):
            secret_files[variable] = environment[variable]
        values[path], origins[path] = value, f"environment variable {variable}"
    return Overlay(values, origins, secret_files)


def laid_over(values: Mapping[str, Any], overlay: Overlay) -> dict[str, Any]:
    """``values`` with those of the environment in their places."""
    result = {key: _copy(value) for key, value in values.items()}
    for path, value in overlay.values.items():
        level = result
        for key in path[:-1]:
            below = level.get(key)
            if not isinstance(below, dict):
                below = level[key] = {}
            level = below
        level[path[-1]] = value
    return result


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


def _one(variable: str, name: str, value: str, read_file: ReadFile) -> tuple[Path, str]:
    path = path_of(name)
    if path is not None and path[-1].endswith(FILE_SUFFIX):
        # `..._FILE` reads a file wherever the name without it is a key (bridge.master_key_file too).
        bare = (*path[:-1], path[-1].removesuffix(FILE_SUFFIX))
        if bare in KEYS.fields or (KEYS.open_map_of(bare) is not None):
            return bare, _read(variable, value, read_file)
    if path is None or not KEYS.knows(path) or _is_section(path):
        meant = nearest(path) if path else None
        raise Misconfigured(
            f"environment variable {variable}",
            "it begins with env_config_prefix but names no key of the config.",
            f"Did you mean {meant}?" if meant else "Remove it, or choose another env_config_prefix.",
            exit_code=UNREADABLE,
        )
    return path, value


def path_of(name: str) -> Path | None:
    """The path that the rest of a variable's name means; None when a level is empty."""
    lowered = name.lower()
    by_dots, by_underscores = _split(lowered, "."), _split(lowered, "__")
    if "." in lowered and (by_dots is None or KEYS.knows(by_dots) or by_underscores is None):
        return by_dots
    return by_underscores


def _split(name: str, separator: str) -> Path | None:
    parts = tuple(name.split(separator))
    if not all(parts):
        return None
    # Below a map with free keys the rest is one key: a domain has dots of its own.
    for length in range(1, len(parts)):
        if parts[:length] in KEYS.open_maps:
            return (*parts[:length], ".".join(parts[length:]))
    return parts


def _is_section(path: Path) -> bool:
    return path in KEYS.open_maps or any(field[:-1] == path for field in KEYS.fields)


def _read(variable: str, file: str, read_file: ReadFile) -> str:
    try:
        return read_file(file).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"environment variable {variable}",
            f"the file {file} cannot be read ({_why(error)}).",
            "Correct the path, or give this program's user read access.",
            exit_code=UNREADABLE,
        ) from None


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or "not text").lower()


def _credentials(environment: Mapping[str, str], read_file: ReadFile) -> list[tuple[Path, str, str]]:
    directory = environment.get(CREDENTIALS)
    found: list[tuple[Path, str, str]] = []
    for path in sorted(KEYS.secrets - KEYS.open_maps) if directory else ():
        name = ".".join(path)
        try:
            value = read_file(f"{directory}/{name}").strip()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(
                f"credential {name}",
                f"it cannot be read ({_why(error)}).",
                "Correct LoadCredential in the unit.",
                exit_code=UNREADABLE,
            ) from None
        found.append((path, value, f"credential {name}"))
    return found
