"""What the network's framework leaves open is data of a profile, and no profile's word stands in code."""

from __future__ import annotations

import ast
import re

from tests.house.source import docstrings, modules, show

PROFILE_CODE = ("bridge/profile.py", "bridge/sandbox/rules/reasons.py")
"""The schema of profiles, which has default names, and the sandbox's own names of why it refuses. The words
on its wire are data beside them, and differ between its variants."""

PUBLIC_DICTIONARY = {"bridge/wire/codec/jid.py"}
"""The binary form of identifiers is public and has this server name's number in it."""

HOST = re.compile(r"whatsapp\.(net|com)|facebook\.com|fbcdn|meta\.com|birdy\.?chat|haiket", re.IGNORECASE)
SERVICES = {"whatsapp", "birdychat", "haiket"}
PATHS = re.compile(r"interop_reg|/3p/")
HEADER = re.compile(r"57410603|574106")
CLAIMS = {"authkey", "ident", "cnf"}
REASONS = {
    "bad_integrator", "bad_token", "token_expired", "identifier_mismatch", "missing_param", "bad_param",
    "bad_key", "bad_signature", "not_eligible", "too_many", "temporarily_unavailable",
}  # fmt: skip

CONTROL_WORDS = ("bridge/sandbox/control/", "bridge/sandbox/rules/accounts/push.py")
"""Tests name conditions and forgeries to the sandbox by its own words; some networks have the same ones."""

ENLISTMENT_FORM = {"authkey"}
"""Also an argument of the enlistment form, whose names are published."""


def is_profile_word(value: object) -> bool:
    if isinstance(value, bytes):
        return value.startswith(b"WA\x06") or b"whatsapp" in value.lower()
    if not isinstance(value, str):
        return False
    return (
        any(pattern.search(value) for pattern in (HOST, PATHS, HEADER))
        or value.lower() in SERVICES
        or value in REASONS
        or value in CLAIMS - ENLISTMENT_FORM
    )


def test_no_word_of_a_profile_stands_in_code() -> None:
    problems = []
    for module in modules("bridge"):
        if module.path.startswith(PROFILE_CODE) or module.path in PUBLIC_DICTIONARY:
            continue
        quiet = docstrings(module.tree)
        problems += [
            f"{module.path}:{node.lineno}: {node.value!r}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Constant) and id(node) not in quiet and is_profile_word(node.value)
            if not (module.path.startswith(CONTROL_WORDS) and node.value in REASONS)
        ]
    assert not problems, show(problems)


def test_no_service_is_treated_apart_by_name() -> None:
    problems = [
        f"{module.path}:{node.lineno}"
        for module in modules("bridge")
        if not module.path.startswith(PROFILE_CODE)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and str(side.value).lower() in SERVICES
    ]
    assert not problems, show(problems)
