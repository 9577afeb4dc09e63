"""Connections to PostgreSQL: checked, a guard that holds the lock and listens, and a few readers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from bridge.errors import Misconfigured
from bridge.ports import Clock
from bridge.store.engine import WAIT_FOR_LOCK_MS
from bridge.store.errors import Fenced, cannot_open, locked

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
CONNECTIONS = 5
"""Reads are short; more would only compete with the writing connection for the server's cores."""
NOT_READING = 2
"""The writing connection, and the guard's."""
IDLE_IN_TRANSACTION_MS = 60_000
"""The server ends a transaction that was left open by a process that hangs."""
OLDEST_SERVER = 15
STATEMENT_CACHE = 500
"""More than there are statements."""
CHANNEL = "interop_bridge_work"
WAIT_FOR_LEASE_MS = 1_000
"""The server needs a moment to notice that an owner was killed; a second process must end within 2 s."""
TRIES_FOR_LOCK = 5
"""How often, when it is our own former session that still has the lock: it was told to end."""
LOOK_SECONDS = 30.0
"""So often the guard is asked for a sign of life: of a connection that a firewall or a router has
forgotten neither end hears anything, for hours."""
ANSWER_SECONDS = 5.0
"""A server that takes longer for ``SELECT 1`` does not answer."""
LOCK_CLASS = 0x1B
"""The first half of the advisory lock's key; the second is a hash of the schema."""

_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
"""What a connection says that the server has ended while it was idle."""
_TAKE_LOCK = "SELECT pg_advisory_lock($1, hashtext(current_schema()))"
_END_FORMER_OWNER = """SELECT pg_terminate_backend(pid)
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = $1::int::oid AND objid = hashtext(current_schema())::oid
        AND application_name = $2"""
_END_FORMER = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = $1 AND pid <> pg_backend_pid()"""
_SAFE = """SELECT current_setting('server_version_num')::int / 10000 AS version,
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('server_encoding') AS server_encoding,
    current_schema() AS schema,
    pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only"""


def place(url: str) -> str:
    """Host and database of an address, without user and password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "database"
    return f"{parts.hostname or 'localhost'}{parts.path}"


def unusable(url: str, error: Exception) -> Misconfigured:
    """PostgreSQL does not let us in."""
    return cannot_open(
        place(url),
        f"PostgreSQL cannot be used: {_why(error)}.",
        "Check database.uri, and that the server runs and lets this user in.",
    )


def _why(error: Exception) -> str:
    """The reason in words. Texts of ``asyncpg`` itself are not told, they may quote the address."""
    if isinstance(error, TimeoutError):
        return f"nothing came in {CONNECT_SECONDS:g} s, so perhaps another program has this port"
    if isinstance(error, ssl.SSLError):
        return "no TLS, or none that is trusted; sslmode in database.uri says what is asked for"
    if isinstance(error, asyncpg.PostgresError | OSError) and str(error):
        return str(error).rstrip(".")
    if isinstance(error, ValueError):
        return "its address cannot be read"
    return "what answers there is no PostgreSQL server, or it ended the connection"


async def connect(url: str, name: str, clock: Clock, *, writing: bool) -> Any:
    """A connection with our settings. A writing one is refused where commits would not last."""
    settings = {
        "application_name": name,
        "jit": "off",
        "lock_timeout": str(WAIT_FOR_LOCK_MS),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
    }
    if not writing:
        settings["default_transaction_read_only"] = "on"
    async with clock.limit(CONNECT_SECONDS):
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, server_settings=settings, statement_cache_size=STATEMENT_CACHE
        )
    try:
        if writing:
            check_safe(place(url), dict(await connection.fetchrow(_SAFE)))
        for kind, decode in (("numeric", _number), ("bool", _truth)):
            await connection.set_type_codec(
                kind, schema="pg_catalog", encoder=str, decoder=decode, format="text"
            )
    except BaseException:
        connection.terminate()
        raise
    return connection


async def check_server(connection: Any, where: str) -> None:
    """The same for a connection that itself only reads."""
    settings = dict(await connection.fetchrow(_SAFE))
    settings["read_only"] = await connection.fetchval("SELECT pg_is_in_recovery()")
    check_safe(where, settings)


def check_safe(where: str, settings: dict[str, Any]) -> None:
    """Refuse a server that would lose a confirmed commit, or on which we cannot write (F27)."""
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        if settings[name] == "off":
            raise cannot_open(
                where,
                f"PostgreSQL runs with {name}=off and may lose what it confirmed.",
                f"Set {name} to on.",
            )
    if settings["version"] < OLDEST_SERVER:
        raise cannot_open(
            where,
            f"PostgreSQL {settings['version']} is too old.",
            f"Version {OLDEST_SERVER} or newer is needed.",
        )
    if settings["server_encoding"] != "UTF8":
        raise cannot_open(
            where, "is not in UTF-8.", "Make it with: createdb --encoding=UTF8 --template=template0"
        )
    if settings["schema"] is None:
        raise cannot_open(where, "has no schema that this user may use.", "Set the role's search_path.")
    if settings["read_only"]:
        raise cannot_open(where, "can only be read: it is a replica.", "Name the primary server.")


def _number(text: str) -> int | float:
    """A sum of 64-bit integers is ``numeric`` in PostgreSQL and an integer in SQLite."""
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _truth(text: str) -> int:
    """SQLite has no truth values of its own but 0 and 1."""
    return int(text == "t")


async def end_former(connection: Any, name: str) -> None:
    """End earlier sessions called ``name`` that the server does not know to be dead."""
    await connection.fetch(_END_FORMER, name)


class Guard:
    """The connection that holds the advisory lock and hears notifications of other processes.

    When it is lost, the lock is: it is taken again before the next write or at the next look, unless
    another process was faster. ``is_own`` knows the number of the session that writes for us.
    """

    def __init__(
        self, url: str, name: str, clock: Clock, wake: Callable[[], None], is_own: Callable[[int], bool]
    ) -> None:
        self._url = url
        self._name = name
        self._clock = clock
        self._wake = wake
        self._is_own = is_own
        self._turn = asyncio.Lock()
        self._looked_at = clock.monotonic()
        self._connection: Any = None
        self._was_held = False
        self.notify = f"NOTIFY {CHANNEL}"

    async def take(self) -> None:
        """Hold the lock: ``Misconfigured`` (40) at the first try, ``Fenced`` later, when another has it."""
        async with self._turn:
            if not self._lives():
                await self._connect()

    @property
    def look_in(self) -> float:
        """Seconds until the next look is due."""
        return self._looked_at + LOOK_SECONDS - self._clock.monotonic()

    async def look(self) -> None:
        """Ask for a sign of life; without one, drop the connection and ``take`` the lock again."""
        self._looked_at = self._clock.monotonic()
        connection = self._connection
        if self._lives():
            try:
                async with self._clock.limit(ANSWER_SECONDS):
                    await connection.fetchval("SELECT 1")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()
        await self.take()

    def _lives(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def _connect(self) -> None:
        connection = await connect(self._url, self._name, self._clock, writing=True)
        try:
            await connection.execute(f"SET lock_timeout = {WAIT_FOR_LEASE_MS}")
            await self._lock(connection)
            await connection.add_listener(CHANNEL, self._heard)
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(self._lost)
        self._connection = connection
        if self._was_held:
            self._wake()  # whatever was notified in between
        self._was_held = True

    async def _lock(self, connection: Any) -> None:
        for _ in range(TRIES_FOR_LOCK):
            with suppress(asyncpg.LockNotAvailableError):
                await connection.fetchval(_TAKE_LOCK, LOCK_CLASS)
                return
            if not await connection.fetch(_END_FORMER_OWNER, LOCK_CLASS, self._name):
                break  # it is not ourselves
        if self._was_held:
            raise Fenced("another process has the database's lock")
        raise locked(place(self._url), "")

    async def close(self) -> None:
        """Give the lock back, so that the next process need not wait until the server notices."""
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        connection.remove_termination_listener(self._lost)
        try:
            async with self._clock.limit(CONNECT_SECONDS):
                await connection.fetchval("SELECT pg_advisory_unlock_all()")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # a lost connection has no lock any more
        finally:
            connection.terminate()

    def _heard(self, _connection: object, session: int, *_: object) -> None:
        if not self._is_own(session):  # what we commit ourselves wakes without a way through the server
            self._wake()

    def _lost(self, _: object) -> None:
        self._wake()


class Readers:
    """At most ``connections`` that can only read, opened when needed."""

    def __init__(self, url: str, name: str, clock: Clock, connections: int) -> None:
        self._url = url
        self._name = name
        self._clock = clock
        self._idle: list[Any] = []
        self._places = asyncio.Semaphore(connections)
        self._closed = False

    async def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Any]:
        """The records of a SELECT. An idle connection that turns out dead is replaced once."""
        async with self._places:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    try:
                        return await self._use(connection, sql, values)
                    except _LOST:
                        break
            connection = await connect(self._url, self._name, self._clock, writing=False)
            return await self._use(connection, sql, values)

    async def _use(self, connection: Any, sql: str, values: Sequence[object]) -> Sequence[Any]:
        try:
            found: Sequence[Any] = await connection.fetch(sql, *values)
        except asyncpg.PostgresError as error:
            if isinstance(error, _LOST):
                connection.terminate()
            else:
                self._keep(connection)
            raise
        except BaseException:
            connection.terminate()
            raise
        self._keep(connection)
        return found

    def _keep(self, connection: Any) -> None:
        if self._closed or connection.is_closed():
            connection.terminate()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close those that are idle; one in use is closed when its read ends."""
        self._closed = True
        while self._idle:
            self._idle.pop().terminate()
