"""One real Synapse for the whole run, with both registrations and a user."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from bridge.ids import UserId
from bridge.matrix.homeserver import HttpHomeserver
from bridge.matrix.limiter import Limiter
from bridge.matrix.registration import Registration, main_document, new_registration, puppet_document
from demo.client import Client
from demo.synapse import Synapse, free_port, installed
from tests.matrix.support import RealClock, Shelf, endpoint
from tests.matrix.world import Network, RealHomeserver, User, World, running_world
from tests.peers.presence import missing

SERVER = "hs.test"
BOT = UserId(f"@interopbot:{SERVER}")
PASSWORD = "correct horse"


@dataclass(frozen=True)
class RealSynapse:
    """The running homeserver, mostly a Synapse, and what it was configured with."""

    synapse: RealHomeserver
    main: Registration
    puppets: Registration
    port: int
    """Where the main registration says that the bridge listens."""


def fixed_bytes(seed: str) -> Callable[[int], bytes]:
    """Randomness that is the same in every run."""
    calls = itertools.count()
    return lambda count: hashlib.shake_256(f"{seed}/{next(calls)}".encode()).digest(count)


@pytest.fixture(scope="session")
def real_synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSynapse]:
    python = installed()
    if python is None:
        missing("Synapse", 'python -c "from demo.synapse import install; install()"')
        raise AssertionError
    port = free_port()
    main = new_registration("interop", f"http://127.0.0.1:{port}", fixed_bytes("main"))
    puppets = new_registration("interop-puppets", None, fixed_bytes("puppets"))
    synapse = Synapse(tmp_path_factory.mktemp("synapse"), python=python, server_name=SERVER)
    documents = [
        main_document(main, server=SERVER, bot_localpart="interopbot"),
        puppet_document(puppets, server=SERVER),
    ]
    synapse.configure(documents)
    synapse.start()
    try:
        for name in ("anna", "ben"):
            synapse.register(name, PASSWORD)
        yield RealSynapse(synapse, main, puppets, port)
    finally:
        synapse.stop()


def port_to(real: RealSynapse, registration: Registration, *, registers: bool = True) -> HttpHomeserver:
    clock = RealClock()
    return HttpHomeserver(
        url=real.synapse.url,
        token=registration.as_token,
        appservice_id=registration.id,
        clock=clock,
        limiter=Limiter(clock),
        registers=registers,
    )


@pytest.fixture
async def homeserver(real_synapse: RealSynapse) -> AsyncIterator[HttpHomeserver]:
    """The port with the main token; the bot is registered."""
    port = port_to(real_synapse, real_synapse.main)
    try:
        await port.register("interopbot")
        yield port
    finally:
        await port.close()


@pytest.fixture
async def puppets(real_synapse: RealSynapse) -> AsyncIterator[HttpHomeserver]:
    """The port with the token for double puppets."""
    port = port_to(real_synapse, real_synapse.puppets, registers=False)
    try:
        yield port
    finally:
        await port.close()


@pytest.fixture
async def anna(real_synapse: RealSynapse) -> AsyncIterator[Client]:
    """A user at her client."""
    async with await Client.login(real_synapse.synapse.url, "anna", PASSWORD) as client:
        yield client


@pytest.fixture
async def pushed(real_synapse: RealSynapse, homeserver: HttpHomeserver) -> AsyncIterator[Shelf]:
    """What Synapse pushes to our endpoint, which is up while the test runs; the ping recovers it."""
    shelf = Shelf()
    async with endpoint(shelf, RealClock(), token=real_synapse.main.hs_token, port=real_synapse.port):
        await homeserver.ping("start")
        yield shelf


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Synapse, sandbox and bridge, for all conversations of the run."""
    with running_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def network(world: World) -> AsyncIterator[Network]:
    """The other side of the bridge, without a fault."""
    async with world.network() as network:
        await network.clear_faults()
        yield network


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(world: World) -> AsyncIterator[User]:
    """A user who has opted in, the same for all tests of a file."""
    async with world.user("ada") as user:
        await user.opt_in()
        yield user


@pytest_asyncio.fixture(loop_scope="module")
async def eva(world: World) -> AsyncIterator[User]:
    """A user who has just opted in, for one test."""
    async with world.user("eva") as user:
        await user.opt_in()
        yield user
