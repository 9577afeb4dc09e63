"""Who else may read a file that holds secrets (threat table, row S28).

The config: others may not read it, nobody else may write it. Its group may read it (a common way of
deployment gives it mode 0640), and it may be a link or belong to root (mounted secrets do both).
Files named by ``*_FILE`` variables only get a warning: containers mount them readable by all, where
there is nobody else. Key files are judged where they are read (``bridge.adapters.private_files``).
"""

from __future__ import annotations

import stat
from dataclasses import dataclass

from bridge.config.findings import Finding, warning

OTHERS_READ_OR_WRITE = 0o007
GROUP_WRITES = 0o020
GROUP_READS = 0o040
ROOT = 0


@dataclass(frozen=True)
class FileFacts:
    """What the file system says about a file. ``mode`` as in stat; a link is judged by its target."""

    mode: int
    owner: int
    own_user: int
    is_link: bool = False


def judge_readable(path: str, facts: FileFacts) -> Finding | None:
    """Whether a config with secrets in it may be used."""
    mode = stat.S_IMODE(facts.mode)
    if mode & (OTHERS_READ_OR_WRITE | GROUP_WRITES):
        return Finding(
            path,
            f"it holds secrets, and with mode {mode:04o} other users of this machine have access.",
            f"Run `chmod 600 {path}`.",
        )
    if facts.owner not in (ROOT, facts.own_user):
        return Finding(
            path,
            "it holds secrets and belongs to another user.",
            f"Give it to the user that runs the bridge: `chown {facts.own_user} {path}`.",
        )
    if mode & GROUP_READS:
        return warning(
            path,
            f"with mode {mode:04o} its group can read the secrets.",
            f"Run `chmod 600 {path}` unless that is meant.",
        )
    return None


def judge_secret_file(variable: str, path: str, facts: FileFacts) -> Finding | None:
    """What to say of a file that the environment names for a secret."""
    mode = stat.S_IMODE(facts.mode)
    if not mode & OTHERS_READ_OR_WRITE:
        return None
    return warning(
        path,
        f"{variable} reads a secret from it, and with mode {mode:04o} others on this machine have access.",
        f"Run `chmod 600 {path}`, unless a container has it to itself.",
    )
