"""compose.yaml as an admin runs it: one command starts everything, and a conversation goes through it."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from demo.client import Client
from demo.script import PHONE, Watcher, be_written_to, opt_in, write_first
from tests.docker.daemon import Docker
from tests.docker.images import BRIDGE, build_bridge, build_neighbours
from tests.docker.stack import ADMIN, COMPOSE_FILE, SERVER_NAME, SandboxInside, Stack
from tests.house.source import text_of

pytestmark = [pytest.mark.deep, pytest.mark.timeout(1_200)]  # three images from nothing: four minutes

SERVICES = {"bridge": "1337", "sandbox": "1337", "synapse": "991", "postgres": "999"}
"""Service -> its user."""
PASSWORD = secrets.token_urlsafe(12)
STOPPED_IN_TIME = 0
"""137 would be the SIGKILL that Docker sends after ten seconds."""
MISSED, UNSEEN = "Written while nobody was there.", "Written into the dark."
SECRET_KEYS = re.compile(
    r"token|password|secret|key|uri|seed|root|intermediate|server$|postgres|bridge|synapse"
)
"""Keys of the files below whose values no log may show."""
FILES_WITH_SECRETS = (
    "passwords.json",
    "bridge/registration.yaml",
    "bridge/doublepuppet.yaml",
    "synapse/homeserver.yaml",
    "sandbox/control.yaml",
    "sandbox/keys.yaml",
)
SHORTEST_SECRET = 20
"""Fewer characters are a name or a port."""


@pytest.fixture(scope="module")
def stack(docker: Docker) -> Iterator[Stack]:
    build_bridge(docker)
    build_neighbours(docker)
    data = Path(tempfile.mkdtemp(prefix="ib-compose-"))
    stack = Stack(docker, data)
    try:
        stack.compose("up", "--detach", "--no-build")
        yield stack
    finally:
        stack.attempt("down", "--volumes", "--timeout", "10")
        shutil.rmtree(data)


def written(data: Path) -> Mapping[str, tuple[int, bytes]]:
    """Every file that the first start writes: its owner and mode in one number, its bytes."""
    found = {}
    for folder in ("bridge", "synapse", "postgres-first-start", "."):
        for path in (data / folder).iterdir():
            if path.is_file() and path.suffix in {".yaml", ".json", ".key", ".pem", ".sql", ""}:
                status = path.stat()
                found[str(path.relative_to(data))] = (status.st_uid << 16 | status.st_mode, path.read_bytes())
    return found


async def test_conversation_survives_a_kill_and_a_second_start(stack: Stack) -> None:
    sandbox = SandboxInside(stack)
    stack.execute("synapse", *register("ada", PASSWORD))
    async with await Client.login(stack.homeserver_url, "ada", PASSWORD) as client:
        async with watching(client) as watcher:
            room = await opt_in(client, watcher, f"@interopbot:{SERVER_NAME}", "Ada", print)
            await write_first(client, watcher, sandbox, room, print)
            portal = (await watcher.text("Got it:")).room
            stack.compose("kill", "bridge")
            await sandbox.write(PHONE, ADMIN, MISSED)
            await client.send_text(portal, UNSEEN)
            stack.compose("start", "bridge")
            assert (await watcher.text(MISSED)).room == portal
            assert await sandbox.received(PHONE, UNSEEN) == UNSEEN
            await watcher.text(f"Got it: {UNSEEN}", room=portal)
        before = written(stack.data)
        assert {"bridge/config.yaml", "bridge/master.key", "synapse/homeserver.yaml"} <= before.keys()
        # All but the sandbox: it forgets accounts when it stops, as its guide says.
        stop(stack, "bridge", "synapse", "postgres")
        stack.compose("up", "--detach", "--no-build")
        assert written(stack.data) == before
        async with watching(client) as watcher:
            await be_written_to(client, watcher, sandbox, ADMIN, print)
    stop(stack, "sandbox")
    stack.compose("start", "sandbox")
    check_logs(stack)


def stop(stack: Stack, *services: str) -> None:
    """Stop services, none of which has to be killed."""
    stack.compose("stop", *services)
    codes = {service: stack.inspect(service)["State"]["ExitCode"] for service in services}
    assert codes == dict.fromkeys(services, STOPPED_IN_TIME)


def check_logs(stack: Stack) -> None:
    """Nothing that was said, no key, token, password or phone number stands in any container's log."""
    logs = stack.logs()
    assert all(f"{service}" in logs for service in SERVICES)
    for word in (PASSWORD, PHONE, PHONE.lstrip("+"), MISSED, UNSEEN, "Hello Jonas", *secrets_of(stack.data)):
        assert word not in logs


def secrets_of(data: Path) -> Iterator[str]:
    """Every secret that the first start made."""
    for name in FILES_WITH_SECRETS:
        found = list(_secrets(YAML(typ="safe").load(data / name)))
        assert found, name
        yield from found
    for name in ("bridge/master.key", "bridge/signing-key.pem", "synapse/signing.key"):
        yield from (line for line in (data / name).read_text().split() if len(line) >= SHORTEST_SECRET)


def _secrets(values: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(values, Mapping):
        for key, inner in values.items():
            yield from _secrets(inner, secret=secret or bool(SECRET_KEYS.search(key)))
    elif secret and isinstance(values, str) and len(values) >= SHORTEST_SECRET:
        yield values


@asynccontextmanager
async def watching(client: Client) -> AsyncIterator[Watcher]:
    """What the user is shown, until the block ends."""
    watcher = Watcher(client)
    try:
        yield watcher
    finally:
        await watcher.stop()


def register(localpart: str, password: str) -> tuple[str, ...]:
    """Synapse's own command for a new user."""
    who = ("--user", localpart, "--password", password, "--no-admin")
    return ("register_new_matrix_user", "--config", "/data/homeserver.yaml", *who, "http://localhost:8008")


@pytest.mark.threat("S48")
@pytest.mark.parametrize("service", SERVICES)
def test_container_has_no_root_no_capability_and_nowhere_to_write(stack: Stack, service: str) -> None:
    described = stack.inspect(service)
    host, config = described["HostConfig"], described["Config"]
    assert config["User"] == f"{SERVICES[service]}:{SERVICES[service]}"
    assert host["ReadonlyRootfs"]
    assert (host["CapDrop"], host["CapAdd"] or []) == (["ALL"], [])
    assert host["SecurityOpt"] == ["no-new-privileges:true"], "and Docker's own seccomp profile"
    assert not host["Privileged"]
    assert host["PidsLimit"] and host["Memory"]
    assert (host["PidMode"], host["NetworkMode"] == "host", host["Devices"] or []) == ("", False, [])
    assert not [each for each in described["Mounts"] if "docker.sock" in each["Source"]]
    status = stack.execute(service, "cat", "/proc/self/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert stack.attempt("exec", "-T", service, "touch", "/usr/here").returncode != 0


@pytest.mark.threat("S48")
def test_only_prepare_is_root_and_it_has_no_network(stack: Stack) -> None:
    host = stack.inspect("prepare")["HostConfig"]
    assert (host["NetworkMode"], host["CapDrop"], host["ReadonlyRootfs"]) == ("none", ["ALL"], True)
    assert {each.removeprefix("CAP_") for each in host["CapAdd"]} == {"CHOWN", "DAC_OVERRIDE", "FOWNER"}


def test_environment_of_a_container_holds_no_secret(stack: Stack) -> None:
    shown = json.dumps([stack.inspect(service)["Config"] for service in (*SERVICES, "prepare")])
    assert not [secret for secret in secrets_of(stack.data) if secret in shown]


def test_only_those_that_need_postgresql_reach_it(stack: Stack) -> None:
    networks = {service: set(stack.inspect(service)["NetworkSettings"]["Networks"]) for service in SERVICES}
    database = networks["postgres"]
    assert len(database) == 1
    assert {service for service in SERVICES if networks[service] & database} == {
        "bridge",
        "synapse",
        "postgres",
    }
    assert not stack.inspect("postgres")["NetworkSettings"]["Ports"].get("5432/tcp")


@pytest.mark.parametrize("name", ["SERVER_NAME", "ADMIN"])
def test_missing_value_is_named_before_anything_starts(stack: Stack, name: str) -> None:
    done = stack.attempt("config", values={**stack.values, name: ""})
    assert done.returncode != 0
    assert f"write {name} into docker/.env" in done.stderr


def test_admin_of_another_server_is_refused(stack: Stack) -> None:
    values = ("--env", "SERVER_NAME=one.test", "--env", "ADMIN=@ada:two.test")
    done = stack.docker.attempt("run", "--rm", *values, "--entrypoint", "/usr/local/bin/prepare", BRIDGE)
    assert done.returncode == 1
    assert done.stderr == "ADMIN is @ada:two.test, but users of one.test look like @you:one.test.\n"


def test_compose_file_names_the_synapse_that_the_tests_use() -> None:
    [pin] = re.findall(r"^matrix-synapse==(\S+)", text_of("requirements/synapse.in"), re.MULTILINE)
    assert f"matrixdotorg/synapse:v{pin}}}" in COMPOSE_FILE.read_text()
