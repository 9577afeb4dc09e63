"""What the config file may say, checked, with the line that is wrong.

``load`` and ``examine`` are pure; ``bridge.cli`` reads the files.
"""

from __future__ import annotations

from bridge.config.example import EXAMPLE_FILE, example_text
from bridge.config.findings import UNREADABLE, Finding, ReadFile, Severity
from bridge.config.loader import Examined, Loaded, examine, load
from bridge.config.model import OPERATOR_ACKNOWLEDGEMENT, Config
from bridge.config.modes import FileFacts, judge_readable, judge_secret_file
from bridge.config.profiles import check_connection, read_profile
from bridge.config.rules import Purpose
from bridge.config.rules.placeholders import is_address
from bridge.config.secret_values import holds_secrets
from bridge.config.writing import NOT_SAVED, write_back
from bridge.states import Level

__all__ = [
    "EXAMPLE_FILE",
    "NOT_SAVED",
    "OPERATOR_ACKNOWLEDGEMENT",
    "UNREADABLE",
    "Config",
    "Examined",
    "FileFacts",
    "Finding",
    "Level",
    "Loaded",
    "Purpose",
    "ReadFile",
    "Severity",
    "check_connection",
    "examine",
    "example_text",
    "holds_secrets",
    "is_address",
    "judge_readable",
    "judge_secret_file",
    "load",
    "read_profile",
    "write_back",
]
