"""The image, and compose.yaml as an admin runs it: one command starts all, a conversation goes through it.

One file, because its tests share a Docker daemon.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.config.findings import NO_DOMAIN, NOT_CONFIGURED
from demo.client import Client
from demo.script import PHONE, Watcher, be_written_to, opt_in, write_first
from tests.docker.daemon import Docker, running_docker
from tests.docker.evidence import check_it_fits_together, secrets_of, written
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
STORED_LATER = "Written while nothing could be stored."
HARDENED = ("--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
"""How the admin's guide runs the image, and without a network."""


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    with running_docker() as found:
        yield found


@pytest.fixture(scope="module")
def image(docker: Docker) -> str:
    return build_bridge(docker)


@pytest.fixture(scope="module")
def stack(docker: Docker, image: str) -> Iterator[Stack]:
    build_neighbours(docker)
    data = Path(tempfile.mkdtemp(prefix="ib-compose-"))
    stack = Stack(docker, data)
    try:
        stack.compose("up", "--detach", "--no-build")
        yield stack
    finally:
        stack.attempt("down", "--volumes", "--timeout", "10")
        shutil.rmtree(data)


def test_version_is_printed(docker: Docker, image: str) -> None:
    assert docker.run("run", *HARDENED, image, "--version").startswith("interop-bridge ")


def test_first_starts_lead_from_an_example_to_a_running_bridge(
    docker: Docker, image: str, tmp_path: Path
) -> None:
    def start(expected: int) -> str:
        done = docker.attempt("run", *HARDENED, "--volume", f"{tmp_path}:/data", image)
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "cannot write" in start(1)
    os.chown(tmp_path, 1337, 1337)
    assert "five values" in start(0)
    config = tmp_path / "config.yaml"
    assert "homeserver.domain" in start(NO_DOMAIN)
    config.write_text(re.sub("domain: example.com", "domain: home.test", config.read_text()))
    assert "Wrote /data/registration.yaml" in start(0)
    assert "network.profile" in start(NOT_CONFIGURED)
    for name in ("config.yaml", "registration.yaml"):
        status = (tmp_path / name).stat()
        assert (status.st_mode & 0o777, status.st_uid) == (0o600, 1337)


def test_image_holds_no_secret_of_the_build_and_no_pip(docker: Docker, image: str) -> None:
    look = "test ! -e /run/secrets && test ! -e /etc/pip.conf && ls /opt/bridge/bin"
    assert "pip" not in docker.run("run", *HARDENED, "--entrypoint", "sh", image, "-c", look)


async def test_conversation_survives_kill_restart_and_database_outage(stack: Stack) -> None:
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
        held = [each["text"] for each in (await sandbox.person(PHONE))["received"]]
        assert held.count(UNSEEN) == 1
        before = written(stack.data)
        assert {"bridge/config.yaml", "bridge/master.key", "synapse/homeserver.yaml"} <= before.keys()
        # All but the sandbox: it forgets accounts when it stops, as its guide says.
        stop(stack, "bridge", "synapse", "postgres")
        stack.compose("up", "--detach", "--no-build")
        assert written(stack.data) == before
        async with watching(client) as watcher:
            await be_written_to(client, watcher, sandbox, ADMIN, print)

        stack.compose("stop", "postgres")
        await sandbox.write(PHONE, ADMIN, STORED_LATER)
        stack.compose("up", "--detach", "--no-build")
        # Synapse answers 500 once for each connection that it had; the bridge has to do without a restart.
        stack.compose("restart", "synapse")
        stack.compose("up", "--detach", "--no-build")
        async with watching(client) as watcher:
            await watcher.text(STORED_LATER, room=portal)
        assert stack.inspect("bridge")["RestartCount"] == 0
        stack.execute("bridge", "healthcheck")
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
    for word in (
        PASSWORD,
        PHONE,
        PHONE.lstrip("+"),
        MISSED,
        UNSEEN,
        STORED_LATER,
        "Hello Jonas",
        *secrets_of(stack.data),
    ):
        assert word not in logs


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


@pytest.mark.parametrize("lines", [1, 4, 5, 7])
def test_prepare_goes_on_where_it_was_interrupted(
    docker: Docker, image: str, tmp_path: Path, lines: int
) -> None:
    # Each line tells of a file; the first one after `head` has ended ends the program.
    script = f"prepare | head -n {lines}; prepare >/dev/null"
    values = {
        "SERVER_NAME": SERVER_NAME,
        "ADMIN": ADMIN,
        "NETWORK_PROFILE": "/p",
        "HOMESERVER_URL": "http://hs",
    }
    given = [f"--env={name}={value}" for name, value in values.items()]
    mount = ("--user=0:0", "--entrypoint=sh", f"--volume={tmp_path}:/volumes")
    docker.run("run", "--rm", "--network=none", *given, *mount, image, "-c", script)
    check_it_fits_together(tmp_path)


def test_compose_file_names_the_synapse_that_the_tests_use() -> None:
    [pin] = re.findall(r"^matrix-synapse==(\S+)", text_of("requirements/synapse.in"), re.MULTILINE)
    assert f"matrixdotorg/synapse:v{pin}}}" in COMPOSE_FILE.read_text()
