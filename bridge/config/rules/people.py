"""Rules about who is let in, whose keys are held, and which network it is."""

from __future__ import annotations

from bridge.config.findings import Finding, Findings, warning
from bridge.config.model import OPERATOR_ACKNOWLEDGEMENT, Config
from bridge.config.permissions import EVERYBODY, EXAMPLE_KEYS
from bridge.config.rules.placeholders import PLACEHOLDER_PROFILE
from bridge.states import Custody, Level


def permissions(config: Config) -> Findings:
    """Who is let in."""
    rules = config.bridge.permissions
    if not rules:
        yield Finding(
            "bridge.permissions",
            "nobody is let in.",
            "Write one line with your Matrix ID: '@me:my.domain': admin.",
        )
    elif rules.keys() <= EXAMPLE_KEYS:
        yield Finding(
            "bridge.permissions",
            "there is nothing but the example.",
            "Replace '@admin:example.com' with your Matrix ID.",
        )
    elif not any(level >= Level.USER for level in rules.values()):
        yield Finding(
            "bridge.permissions", "nobody may log in.", "Give at least your own Matrix ID the level admin."
        )
    if rules.get(EVERYBODY, Level.BLOCK) is Level.ADMIN:
        yield Finding(
            "bridge.permissions.*",
            "everybody on every homeserver would be an admin.",
            "Write admin only beside the Matrix IDs of admins.",
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
            "several people are let in, but with custody: personal only the first can opt in.",
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
