"""The ports: every effect the bridge has goes through one of these.

Each has a real form (``adapters``, ``store``, ``matrix``), a simulated one and a faulty one (tests).
A call that can be interrupted names its ``Step``, so that a fault can be put before or after it
without a word of it in the flows; for the store a unit's kind is its step.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Protocol

from bridge.ids import EventId, RoomId, UserId

Value = bytes | str | int | float | None
"""What a column can hold; times are seconds since 1970."""
Row = Mapping[str, Value]


class Step(Enum):
    """The named steps of the two ways, for faults and for the log."""

    DIAL = "dial"
    HANDSHAKE = "handshake"
    SEND = "send"
    ACKNOWLEDGE = "acknowledge"
    RECEIPT = "receipt"
    ASK = "ask"
    KEEP_ALIVE = "keep-alive"
    FINISH = "finish"
    ENLIST = "enlist"
    FETCH_KEYS = "fetch-keys"
    REGISTER_GHOST = "register-ghost"
    PROFILE = "profile"
    CREATE_ROOM = "create-room"
    ROOM_STATE = "room-state"
    INVITE = "invite"
    JOIN = "join"
    LEAVE = "leave"
    SHOW = "show"
    NOTICE = "notice"
    REDACT = "redact"
    MARK_READ = "mark-read"
    LOOK_UP = "look-up"
    ACCOUNT_DATA = "account-data"
    PING = "ping"


class Clock(Protocol):
    """Time. ``now`` may jump; ``monotonic`` may not; timers run on the latter."""

    def now(self) -> float:
        """Seconds since 1970, by the wall."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never going back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        ...

    def limit(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """A block that is cancelled and raises ``TimeoutError`` after ``seconds``."""
        ...


class Random(Protocol):
    """The operating system's randomness."""

    def bytes(self, count: int, /) -> bytes:
        """``count`` unpredictable bytes."""
        ...


class KeyFile(Protocol):
    """A file that holds a key and that nobody else may read. Every refusal is ``Misconfigured``."""

    @property
    def name(self) -> str:
        """What the admin calls it."""
        ...

    def read(self, max_bytes: int) -> bytes | None:
        """At most ``max_bytes`` and one more, which shows that it is too long; None when there is no file."""
        ...

    def make(self, data: bytes) -> None:
        """Put ``data`` where there is no file yet, durably; a file that is there is left alone."""
        ...

    def replace(self, data: bytes) -> None:
        """Put ``data`` in the place of what the file holds, durably."""
        ...


class Stream(Protocol):
    """One open network connection. Every failure is ``TryAgain``."""

    async def receive(self) -> bytes:
        """The next bytes, ``b""`` at the end."""
        ...

    async def send(self, data: bytes, *, step: Step) -> None:
        """Hand ``data`` to the network; returns when its buffer has room again."""
        ...

    async def finish(self, *, step: Step) -> None:
        """Say that nothing more will be sent; what the other end still sends can be received."""
        ...

    async def close(self) -> None:
        """Close; harmless when already closed."""
        ...


class Dialer(Protocol):
    """Opens connections."""

    async def dial(self, host: str, port: int, *, timeout: float) -> Stream:
        """Connect within ``timeout`` seconds; ``TryAgain`` when that fails."""
        ...


@dataclass(frozen=True)
class WebAnswer:
    """What an HTTP server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Web(Protocol):
    """HTTP calls to the network's servers. No redirects, no proxies from the environment."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        step: Step,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int,
        timeout: float,
    ) -> WebAnswer:
        """One call; ``TryAgain`` when no whole answer (``max_bytes`` at most) came in ``timeout`` seconds."""
        ...


@dataclass(frozen=True)
class Statement:
    """One SQL statement with ``:name`` parameters, which both engines take.

    ``expect`` is how many rows it must touch for each row of parameters; ``None`` when any number
    will do. Another count raises ``error``, and its whole unit leaves no trace.
    A SELECT counts the rows it finds: that is a guard.

    ``merge_by`` names the parameters that tell apart the rows it touches: two runs that share no value
    of them do not touch a row which the other one writes, so they may change places. ``None``: it may
    touch any row, and units with it are never merged.
    """

    sql: str
    expect: int | None = None
    error: type[Exception] | None = None
    merge_by: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Kind:
    """A declared kind of unit; its name is the step that faults and measurements refer to."""

    name: str
    statements: Mapping[str, Statement]

    @cached_property
    def merge_by(self) -> frozenset[str] | None:
        """What tells apart the rows that units of this kind write; None where they are never merged."""
        each = [statement.merge_by for statement in self.statements.values()]
        return None if None in each else frozenset(name for names in each if names for name in names)


@dataclass(frozen=True)
class Unit:
    """A unit of work as data: for each statement of its kind (in the kind's order) rows of parameters."""

    kind: Kind
    rows: Mapping[str, Sequence[Row]]


class Store(Protocol):
    """The database. Units are committed whole or not at all, durably, in the order they were given."""

    async def commit(self, unit: Unit) -> None:
        """Return once ``unit`` is durable; raise its statement's error when a count did not fit.

        ``TryAgain`` means that it may have happened: read back by key before repeating.
        Shielded: cancelling the caller does not cancel the commit.
        """
        ...

    async def truncate_log(self) -> None:
        """After keys were destroyed: leave nothing of them in the write-ahead log. ``TryAgain``: not now."""
        ...

    async def read(self, sql: str, **parameters: Value) -> Sequence[Row]:
        """Rows of a SELECT with ``:name`` parameters, as committed."""
        ...


@dataclass(frozen=True)
class RoomSpec:
    """A room to be made: the body of createRoom without our decisions on the wire form."""

    alias_localpart: str
    name: str
    topic: str
    invite: Sequence[UserId]
    room_version: str
    creation_content: Mapping[str, Any]
    initial_state: Sequence[Mapping[str, Any]]
    power_levels: Mapping[str, Any]
    is_direct: bool = True


class Homeserver(Protocol):
    """The homeserver's client API as an appservice uses it.

    ``TryAgain`` for what may pass (no answer, 5xx, 429 with its wait); ``Rejected`` of
    ``bridge.matrix.errors`` (a ``GiveUp``) with the Matrix error code for what will not.
    ``as_user`` acts as one of our users; each call registers an unregistered one and repeats once.
    """

    async def whoami(self) -> UserId: ...
    async def versions(self) -> Sequence[str]: ...
    async def ping(self, transaction_id: str) -> None: ...
    async def register(self, localpart: str) -> None: ...
    async def set_display_name(self, as_user: UserId, name: str) -> None: ...
    async def create_room(self, as_user: UserId, spec: RoomSpec) -> RoomId:
        """Make a room; when its alias is taken, raise ``AliasTaken``."""
        ...

    async def resolve_alias(self, alias: str) -> RoomId | None: ...
    async def invite(self, as_user: UserId, room: RoomId, user: UserId) -> None:
        """Invite; already invited or joined is success."""
        ...

    async def join(self, as_user: UserId, room: RoomId) -> None: ...
    async def leave(self, as_user: UserId, room: RoomId) -> None: ...
    async def members(self, as_user: UserId, room: RoomId) -> Mapping[UserId, str]:
        """The membership of each user who has one."""
        ...

    async def send(
        self,
        as_user: UserId,
        room: RoomId,
        event_type: str,
        content: Mapping[str, Any],
        *,
        transaction_id: str,
        sent_at_ms: int | None = None,
        step: Step = Step.SHOW,
    ) -> EventId:
        """Send an event; the same transaction id gives the same event again."""
        ...

    async def set_state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str, content: Mapping[str, Any]
    ) -> EventId: ...
    async def state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str
    ) -> Mapping[str, Any] | None: ...
    async def redact(
        self, as_user: UserId, room: RoomId, event: EventId, *, transaction_id: str
    ) -> EventId: ...
    async def mark_read(self, as_user: UserId, room: RoomId, event: EventId) -> None: ...
    def history(self, as_user: UserId, room: RoomId, *, limit: int) -> AsyncIterator[Mapping[str, Any]]:
        """The room's newest ``limit`` events, newest first."""
        ...

    async def account_data(self, as_user: UserId, data_type: str) -> Mapping[str, Any]: ...
    async def set_account_data(self, as_user: UserId, data_type: str, content: Mapping[str, Any]) -> None: ...
