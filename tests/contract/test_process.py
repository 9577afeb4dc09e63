"""The sandbox as a process: folder, restarts, access to the control API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from bridge.sandbox.main import READY
from tests.contract.bare_client import BareClient
from tests.contract.support import (
    LOOPBACK,
    PATIENCE_S,
    Refused,
    Running,
    SandboxControl,
    control_of,
    free_port,
    partner_at,
    read_yaml,
    sandbox_process,
)

PRIVATE_FILES = ("keys.yaml", "control.yaml")


async def test_restart_keeps_keys_ports_and_token_only(tmp_path: Path) -> None:
    folder, port = tmp_path / "deep" / "sandbox", free_port()
    with sandbox_process(folder, partner_port=port) as running:
        profile, control_file = running.profile, read_yaml(folder / "control.yaml")
        async with partner_at(running) as partner:
            client = BareClient(partner, "@alice:hs.example")
            before = await client.enlist()
            people = await people_of(running)
    with sandbox_process(folder, partner_port=port) as running:
        assert running.profile == profile
        assert read_yaml(folder / "control.yaml") == control_file
        async with control_of(running) as control, partner_at(running) as partner:
            assert (await control.call("GET", "/"))["accounts"] == []
            client.partner = partner
            assert await client.enlist() == before
        assert await people_of(running) == people


def test_console_command_runs_the_sandbox(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    command = [sys.executable, "-m", "bridge", "sandbox", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline().startswith(READY)
        assert (folder / "profile.yaml").exists()
        assert folder.stat().st_mode & 0o777 == 0o700
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


async def people_of(running: Running) -> list[str]:
    async with control_of(running) as control:
        return [each["jid"] for each in (await control.call("GET", "/people"))["people"]]


async def test_folder_has_a_complete_profile_and_private_files(running: Running) -> None:
    profile = running.profile
    assert profile.is_sandbox
    assert profile.chat.host == LOOPBACK
    for name in PRIVATE_FILES:
        assert (running.folder / name).stat().st_mode & 0o777 == 0o600


async def test_profile_has_every_word_of_the_variant(running: Running) -> None:
    profile, variant = running.profile, running.variant
    assert set(profile.enlist.reasons) == {each.word for each in variant.enlist.values()}
    assert set(profile.login_failures) == {each.word for each in variant.login.values()}
    assert set(profile.ack_errors) == {str(each.code) for each in variant.acks.values()}


async def test_profile_is_labelled_as_a_sandbox(running: Running) -> None:
    assert "SANDBOX" in running.profile.label
    assert all(each.simulated for each in running.profile.services if each.id != "whatsapp")


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer wrong", "Bearer ünknown"])
async def test_control_api_requires_its_token(running: Running, token: str | None) -> None:
    url = read_yaml(running.folder / "control.yaml")["url"]
    headers = {} if token is None else {"Authorization": token}
    async with aiohttp.ClientSession(headers=headers) as session:
        for path in ("/", "/log", "/people", "/faults", "/no/such/path"):
            async with session.get(url + path) as answer:
                assert answer.status == 401


async def test_invalid_control_calls_are_refused_with_a_reason(control: SandboxControl) -> None:
    cases = [
        ("POST", "/people", {"service": "whatsapp"}, 400),
        ("POST", "/people", {"service": "nowhere", "identifier": "x", "name": "X"}, 404),
        ("POST", "/people", [1], 400),
        ("GET", "/people/nobody", None, 404),
        ("POST", "/clock", {}, 400),
        ("POST", "/people/@tom/bundle", {"of": "@tom"}, 409),
    ]
    for method, path, body, status in cases:
        with pytest.raises(Refused) as refused:
            await control.call(method, path, body)
        assert refused.value.status == status and refused.value.answer["error"]
