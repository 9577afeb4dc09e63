"""What the config file may say, checked, with the line that is wrong.

``load`` and ``examine`` are pure; ``bridge.cli`` reads the files.
"""

from __future__ import annotations

from bridge.config.example import EXAMPLE_FILE, example_text
from bridge.config.findings import Finding, ReadFile, Severity
from bridge.config.loader import Examined, Loaded, examine, load
from bridge.config.model import OPERATOR_ACKNOWLEDGEMENT, Config
from bridge.config.modes import FileFacts, judge_key_file, judge_readable
from bridge.config.profiles import read_profile
from bridge.config.rules import Purpose
from bridge.config.writing import write_back
from bridge.states import Level

__all__ = [
    "EXAMPLE_FILE",
    "OPERATOR_ACKNOWLEDGEMENT",
    "Config",
    "Examined",
    "FileFacts",
    "Finding",
    "Level",
    "Loaded",
    "Purpose",
    "ReadFile",
    "Severity",
    "examine",
    "example_text",
    "judge_key_file",
    "judge_readable",
    "load",
    "read_profile",
    "write_back",
]
