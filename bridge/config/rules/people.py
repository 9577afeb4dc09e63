"""Rules about who has access, whose keys are held, and which network it is."""

from __future__ import annotations

from bridge.config.findings import Finding, Findings, warning
from bridge.config.model import OPERATOR_ACKNOWLEDGEMENT, Config
from bridge.config.permissions import EVERYBODY, EXAMPLE_KEYS
from bridge.config.rules.placeholders import PLACEHOLDER_PROFILE
from bridge.states import Custody, Level


def permissions(config: Config) -> Findings:
    """Who has access."""
    rules = config.bridge.permissions
    if not rules:
        yield Finding(
            "bridge.permissions",
            "nobody has access.",
            "Write one line with your Matrix ID: '@me:my.domain': admin.",
        )
    elif {EVERYBODY} < {EVERYBODY, *rules} <= EXAMPLE_KEYS:
        yield Finding(
            "bridge.permissions",
            "there is nothing but the example.",
            "Replace '@admin:example.com' with your Matrix ID.",
        )
    elif not any(level >= Level.USER for level in rules.values()):
        yield Finding(
            "bridge.permissions", "nobody may log in.", "Give at least your own Matrix ID the level admin."
        )
    else:
        yield from _nobody_at_home(config)
    for key in rules:
        if not key.startswith("@") and not set(key) & set(".:*[") and key != config.homeserver.domain:
            yield Finding(
                f"bridge.permissions.{key}",
                f"it lets in a server of the name {key}.",
                f"Write '@{key}:{config.homeserver.domain}' if a person is meant, or the whole domain.",
            )
    if rules.get(EVERYBODY, Level.BLOCK) is Level.ADMIN:
        yield Finding(
            "bridge.permissions.*",
            "everybody on every homeserver would be an admin.",
            "Write admin only beside the Matrix IDs of admins.",
        )


def _nobody_at_home(config: Config) -> Findings:
    """The bridge serves only users of its own homeserver; whether one of them has access."""
    home = config.homeserver.domain
    can_log_in = [key for key, level in config.bridge.permissions.items() if level >= Level.USER]
    if not any(key in (EVERYBODY, home) or key.endswith(f":{home}") for key in can_log_in):
        yield warning(
            "bridge.permissions",
            f"nobody of {home} may log in, and the bridge serves only users of its own homeserver.",
            f"Write your Matrix ID as it is there, such as '@me:{home}'.",
        )


def commands(config: Config) -> Findings:
    """What commands begin with is one word."""
    prefix = config.bridge.command_prefix
    if any(each.isspace() or not each.isprintable() for each in prefix):
        yield Finding(
            "bridge.command_prefix",
            f"{prefix!r} is not a single word, so no command could begin with it.",
            "Write a word without spaces, such as !interop.",
        )


def custody(config: Config) -> Findings:
    """Whose keys are held, said in the operator's own words."""
    network = config.network
    if network.custody is Custody.OPERATOR and network.operator_acknowledgement != OPERATOR_ACKNOWLEDGEMENT:
        yield Finding(
            "network.operator_acknowledgement",
            "with custody: operator it must say, word for word, what that means.",
            f'Write: "{OPERATOR_ACKNOWLEDGEMENT}"',
        )
    users = [key for key, level in config.bridge.permissions.items() if level >= Level.USER]
    if network.custody is Custody.PERSONAL and (len(users) > 1 or any(not u.startswith("@") for u in users)):
        yield warning(
            "bridge.permissions",
            "several people have access, but with custody: personal only the first can opt in.",
            "Leave one Matrix ID, or read in config.example.yaml what custody: operator means.",
        )


def profile(config: Config) -> Findings:
    """Which network."""
    path = config.network.profile
    if not path or path == PLACEHOLDER_PROFILE:
        yield Finding(
            "network.profile",
            "it is not set." if not path else "it is still the example's.",
            "Write the path of your network's profile; `interop-bridge sandbox --dir "
            "sandbox` makes one to try things with.",
        )
