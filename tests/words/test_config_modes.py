"""Who else may read a file that holds secrets (threat S28)."""

from __future__ import annotations

import stat

import pytest

from bridge.config import FileFacts, Severity, judge_readable, judge_secret_file

OURS = 1337


@pytest.mark.threat("S28")
@pytest.mark.parametrize(
    ("mode", "verdict"),
    [
        (0o600, None),
        (0o400, None),
        (0o640, Severity.WARNING),
        (0o440, Severity.WARNING),
        (0o644, Severity.ERROR),
        (0o660, Severity.ERROR),
        (0o602, Severity.ERROR),
        (0o604, Severity.ERROR),
        (0o666, Severity.ERROR),
    ],
)
def test_config_open_to_others_is_refused(mode: int, verdict: Severity | None) -> None:
    found = judge_readable("config.yaml", FileFacts(stat.S_IFREG | mode, OURS, OURS))
    assert (found.severity if found else None) is verdict
    assert found is None or "chmod 600 config.yaml" in found.remedy


@pytest.mark.threat("S28")
@pytest.mark.parametrize(("owner", "verdict"), [(OURS, None), (0, None), (1000, Severity.ERROR)])
def test_config_must_belong_to_us_or_root(owner: int, verdict: Severity | None) -> None:
    found = judge_readable("config.yaml", FileFacts(stat.S_IFREG | 0o600, owner, OURS, is_link=True))
    assert (found.severity if found else None) is verdict


@pytest.mark.threat("S28")
@pytest.mark.parametrize(
    ("mode", "told"),
    [(0o400, False), (0o600, False), (0o640, False), (0o444, True), (0o604, True), (0o666, True)],
)
def test_world_readable_secret_file_is_a_warning(mode: int, told: bool) -> None:
    found = judge_secret_file("IB_X_FILE", "/run/x", FileFacts(stat.S_IFREG | mode, 0, OURS, is_link=True))
    assert (found is not None) is told
    assert found is None or (found.severity is Severity.WARNING and "IB_X_FILE" in found.what)
