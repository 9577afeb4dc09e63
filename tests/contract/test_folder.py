"""What the admin reads when the sandbox cannot use its folder or cannot listen."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import invoke
from bridge.sandbox.edges.folder import CONTROL, FOLDER_EXIT_CODE, KEYS, PROFILE
from bridge.sandbox.main import LISTEN_EXIT_CODE
from tests.contract.support import LOOPBACK, Running, control_of, read_yaml, sandbox_process

Ended = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Ended:
    """Starts a sandbox that must end with the exit code; what it says on standard error."""

    def start(folder: Path, code: int = FOLDER_EXIT_CODE, *flags: str) -> str:
        assert invoke(["sandbox", "--dir", str(folder), *flags]) == code
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    return start


@pytest.fixture(scope="module")
def stopped_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with sandbox_process(tmp_path_factory.mktemp("stopped")) as running:
        return running.folder


@pytest.fixture
def used_folder(stopped_folder: Path, tmp_path: Path) -> Path:
    """The folder of a sandbox that has stopped; a copy for each test."""
    return Path(shutil.copytree(stopped_folder, tmp_path / "sandbox"))


def test_second_sandbox_is_refused_and_the_first_goes_on(running: Running, refused: Ended) -> None:
    profile = running.profile
    said = refused(running.folder)
    assert f"{running.folder}: another sandbox (process {running.process.pid}) is using this folder." in said
    assert "--dir" in said
    assert running.profile == profile
    assert asyncio.run(shown(running))["profile"] == profile.id


async def shown(running: Running) -> Any:
    async with control_of(running) as control:
        return await control.call("GET", "/")


@pytest.mark.parametrize("where", ["file/inside", "file/deep/inside", "/proc/sandbox"])
def test_impossible_folder_is_refused(tmp_path: Path, refused: Ended, where: str) -> None:
    (tmp_path / "file").touch()
    said = refused(tmp_path / where)
    assert f"{tmp_path / where}: this can't be the sandbox's folder" in said
    assert "--dir" in said


@pytest.mark.parametrize("file", [KEYS, CONTROL, PROFILE])
def test_folder_in_place_of_a_file_is_refused(tmp_path: Path, refused: Ended, file: str) -> None:
    (tmp_path / file).mkdir()
    assert f"{tmp_path / file}: " in refused(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"garbage",
        lambda _: b"a: [",
        lambda _: b"\xff",
        lambda text: text.replace(b"root:", b"roof:"),
        lambda text: text.replace(b"BEGIN PRIVATE KEY", b"BEGIN SOMETHING"),
        lambda text: text.replace(b"chat: ", b"chat: 9999999"),
        lambda text: text.replace(b"chat: ", b"chat: x"),
        lambda text: text.replace(b"seed: ", b"seed: zz"),
    ],
    ids=["empty", "text", "syntax", "binary", "name", "pem", "range", "port", "hexadecimal"],
)
def test_damaged_keys_are_refused(
    used_folder: Path, refused: Ended, damage: Callable[[bytes], bytes]
) -> None:
    keys = used_folder / KEYS
    keys.write_bytes(damage(keys.read_bytes()))
    said = refused(used_folder)
    assert f"{keys}: the sandbox's keys can't be read." in said
    assert "Restore" in said


def test_clock_offset_that_is_no_number_is_refused(used_folder: Path, refused: Ended) -> None:
    (used_folder / "clock-offset").write_text("tomorrow")
    assert "Write 0 into it." in refused(used_folder)


@pytest.mark.parametrize("listener", ["chat", "web", "control"])
def test_used_port_is_named(used_folder: Path, refused: Ended, listener: str) -> None:
    port = read_yaml(used_folder / KEYS)["ports"][listener]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((LOOPBACK, port))
        other.listen()
        said = refused(used_folder, LISTEN_EXIT_CODE)
    assert f"port {port} on {LOOPBACK} is in use by another program." in said
    assert f"`{listener}`" in said and KEYS in said


@pytest.mark.parametrize("address", ["203.0.113.7", "no.such.host.invalid"])
def test_foreign_address_is_refused(tmp_path: Path, refused: Ended, address: str) -> None:
    said = refused(tmp_path, LISTEN_EXIT_CODE, "--bind", address)
    assert f"can't listen on {address}" in said and "--bind" in said


def test_refused_start_leaves_the_folder_free(used_folder: Path, refused: Ended) -> None:
    refused(used_folder, LISTEN_EXIT_CODE, "--bind", "203.0.113.7")
    with sandbox_process(used_folder) as running:
        assert running.profile.chat.port == read_yaml(used_folder / KEYS)["ports"]["chat"]
