"""Connections to PostgreSQL: safety checks, the lock and its listener, the pool of readers."""

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
"""The writing connection and the guard's."""
IDLE_IN_TRANSACTION_MS = 60_000
"""The server ends a transaction that was left open by a process that hangs."""
OLDEST_SERVER = 15
STATEMENT_CACHE = 500
"""More than there are statements."""
CHANNEL = "interop_bridge_work"
WAIT_FOR_LEASE_MS = 1_000
"""The server needs a moment to notice that an owner was killed; a second process must end within 2 s."""
TRIES_FOR_LOCK = 5
"""Attempts while our own former session, which was told to end, still holds the lock."""
LOOK_SECONDS = 30.0
"""Interval of liveness checks: neither end notices for hours when a router drops a connection."""
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
"""Errors of a connection that the server ended while it was idle."""
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
    """PostgreSQL refuses the connection."""
    return cannot_open(
        place(url),
        f"PostgreSQL cannot be used: {_why(error)}.",
        "Check database.uri, and that the server runs and lets this user in.",
    )


def _why(error: Exception) -> str:
    """The reason in words, without texts of ``asyncpg`` itself, which may quote the address."""
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
    """Connect with our settings; ``Misconfigured`` for a writing connection whose commits would not last."""
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
    """Decode ``numeric``: PostgreSQL's type for a sum of 64-bit integers, which SQLite returns as integer."""
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _truth(text: str) -> int:
    """Booleans are 0 and 1, as in SQLite."""
    return int(text == "t")


async def end_former(connection: Any, name: str) -> None:
    """End earlier sessions called ``name`` that the server does not know to be dead."""
    await connection.fetch(_END_FORMER, name)


class Guard:
    """The connection that holds the advisory lock and listens for notifications of other processes.

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
        """Hold the lock; if another process has it, ``Misconfigured`` (40) at first, ``Fenced`` later."""
        async with self._turn:
            if not self._lives():
                await self._connect()

    @property
    def look_in(self) -> float:
        """Seconds until the next liveness check."""
        return self._looked_at + LOOK_SECONDS - self._clock.monotonic()

    async def look(self) -> None:
        """Check that the connection is alive; if not, drop it and ``take`` the lock again."""
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
            self._wake()  # for notifications missed in between
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
        """Release the lock now, so that the next process need not wait until the server notices."""
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
        if not self._is_own(session):  # our own commits wake the pump directly
            self._wake()

    def _lost(self, _: object) -> None:
        self._wake()


class Readers:
    """A pool of at most ``connections`` that can only read, opened when needed."""

    def __init__(self, url: str, name: str, clock: Clock, connections: int) -> None:
        self._url = url
        self._name = name
        self._clock = clock
        self._connections = connections
        self._pool: Any = None

    async def open(self) -> None:
        """Make the pool, which connects at the first read."""

        async def one(*_: object, **__: object) -> Any:
            return await connect(self._url, self._name, self._clock, writing=False)

        self._pool = await asyncpg.create_pool(
            min_size=0,
            max_size=self._connections,
            connect=one,
            reset=_nothing_to_reset,
            max_inactive_connection_lifetime=0,
        )

    async def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Any]:
        """The records of a SELECT. If the connection is dead, replace all connections and try once more."""
        try:
            return await self._fetch(sql, values)
        except _LOST:
            await self._pool.expire_connections()
            return await self._fetch(sql, values)

    async def _fetch(self, sql: str, values: Sequence[object]) -> Sequence[Any]:
        async with self._pool.acquire() as connection:
            try:
                found: Sequence[Any] = await connection.fetch(sql, *values)
            except asyncpg.PostgresError:
                raise
            except BaseException:  # cancelled or timed out: do not wait for its answer
                connection.terminate()
                raise
            return found

    async def close(self) -> None:
        """Wait for reads under way, as long as a read may take; then cut them."""
        if self._pool is None:
            return
        try:
            async with self._clock.limit(READ_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def _nothing_to_reset(_connection: object) -> None:
    """Reads leave nothing behind; the default would be another exchange for each of them."""
