"""Reading the network's profile, with the line that is wrong."""

from __future__ import annotations

from pydantic import ValidationError

from bridge.config.document import read_document
from bridge.config.findings import NOT_CONFIGURED, ReadFile
from bridge.config.model import Config
from bridge.errors import Misconfigured
from bridge.profile import Profile

FROM_A_PROFILE = (
    "Write the path of your network's profile; `interop-bridge sandbox --dir sandbox` makes one to try with."
)


def read_profile(path: str, read_file: ReadFile) -> Profile:
    """The profile at ``path``; Misconfigured (10 unreadable YAML, else 11) with file, line and key."""
    try:
        text = read_file(path)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise Misconfigured(
            "network.profile",
            f"{path} cannot be read ({str(why).lower()}).",
            "Write the path of your network's profile, seen from the folder the bridge is started in.",
            exit_code=NOT_CONFIGURED,
        ) from None
    document = read_document(text, path, begin=FROM_A_PROFILE)
    try:
        return Profile.model_validate(dict(document.values))
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        first = errors[0]
        keys = tuple(str(part) for part in first["loc"])
        more = f" ({len(errors) - 1} more.)" if len(errors) > 1 else ""
        raise Misconfigured(
            f"{'.'.join(keys) or 'profile'} ({document.where(keys)})",
            f"{first['msg'][0].lower()}{first['msg'][1:]}.",
            f"Correct it as docs/reference/profile.md says.{more}",
            exit_code=NOT_CONFIGURED,
        ) from None


def check_connection(config: Config, profile: Profile) -> None:
    """Check that the agreement allows the configured kind of connection; ``Misconfigured`` when not."""
    wanted = config.network.connection
    if profile.connection not in ("either", wanted):
        raise Misconfigured(
            "network.connection",
            f"it is {wanted}, but the agreement of this network allows only {profile.connection}.",
            f"Write {profile.connection}.",
        )
