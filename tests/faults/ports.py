"""The faulty forms of the ports: a step is killed, hung, failed or refused before or after its n-th hit.

A *failpoint* is a port and a step, such as ``stream.send`` or ``store.seal`` (a unit's kind is its
step), and a side of it, ``before`` or ``after``. Each one that is passed is written to a report at
once; the report outlives the process, and hits are counted over all processes that share it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from bridge.errors import TryAgain
from bridge.ids import EventId, RoomId, UserId
from bridge.matrix.errors import Rejected
from bridge.ports import (
    Dialer,
    Homeserver,
    RoomSpec,
    Row,
    Step,
    Store,
    Stream,
    Unit,
    Value,
    Web,
    WebAnswer,
)

Side = Literal["before", "after"]
Action = Literal["kill", "hang", "fail", "reject"]
"""``reject``: a homeserver refuses it for good; only before a call, and only where it is one of ours."""
Passed = tuple[str, Side]
"""A failpoint: where, and on which side of the call."""

FAULTS = "BRIDGE_TEST_FAULTS"
REPORT = "BRIDGE_TEST_REPORT"
"""Names in the environment of ``bridge_main``: faults as JSON, and the path of the report."""
FIRED = "!"
"""Begins a line of the report that says which fault came to pass."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Fault:
    """What happens at the ``hit``-th pass of a failpoint. ``cut``: so many bytes of a stream leave first."""

    where: str
    side: Side
    action: Action = "kill"
    hit: int = 1
    cut: int | None = None

    def __str__(self) -> str:
        behind = "" if self.cut is None else f"+{self.cut}bytes"
        return f"{self.action}-{self.side}-{self.where}#{self.hit}{behind}"


@dataclass(frozen=True)
class Report:
    """What a report says."""

    passed: Mapping[Passed, int]
    fired: Sequence[str]


def read_report(path: Path) -> Report:
    """The report as far as it is written."""
    passed: Counter[Passed] = Counter()
    fired: list[str] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.startswith(FIRED):
            fired.append(line.removeprefix(FIRED))
        else:
            side, _, where = line.partition(" ")
            passed[where, "before" if side == "before" else "after"] += 1
    return Report(passed, fired)


def environment(report: Path, faults: Sequence[Fault]) -> dict[str, str]:
    """What ``bridge_main`` is started with."""
    return {REPORT: str(report), FAULTS: json.dumps([asdict(fault) for fault in faults])}


class Failpoints:
    """Counts what is passed, and makes the faults."""

    def __init__(self, report: Path, faults: Sequence[Fault]) -> None:
        self._passed: Counter[Passed] = Counter(read_report(report).passed)
        self._faults = {(fault.where, fault.side, fault.hit): fault for fault in faults}
        self._file = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @staticmethod
    def from_environment(values: Mapping[str, str]) -> Failpoints:
        """As ``environment`` wrote it."""
        faults = [Fault(**each) for each in json.loads(values.get(FAULTS, "[]"))]
        return Failpoints(Path(values[REPORT]), faults)

    def at(self, where: str, side: Side) -> Fault | None:
        """Note that a failpoint is passed; the fault that is due here."""
        self._passed[where, side] += 1
        self._write(f"{side} {where}")
        return self._faults.get((where, side, self._passed[where, side]))

    async def happen(self, fault: Fault, *, first: Callable[[], Awaitable[None]] | None = None) -> None:
        """Kill, hang, refuse or fail; before it fails, ``first``."""
        self._write(f"{FIRED}{fault}")
        if fault.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.action == "hang":
            await asyncio.get_running_loop().create_future()
        if fault.action == "reject":
            raise Rejected("M_FORBIDDEN", 403)
        if first is not None:
            await first()
        raise TryAgain(f"a fault of the test {fault.side} {fault.where}")

    async def passing(self, where: str, side: Side) -> None:
        """Pass a failpoint."""
        fault = self.at(where, side)
        if fault is not None:
            await self.happen(fault)

    async def around(self, where: str, work: Awaitable[_Answer]) -> _Answer:
        """Both sides of a call; its coroutine has not begun before the first."""
        try:
            await self.passing(where, "before")
        except BaseException:
            if asyncio.iscoroutine(work):
                work.close()
            raise
        answer = await work
        await self.passing(where, "after")
        return answer

    def _write(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())


class FaultyStore:
    """The store; the step of a commit is its unit's kind."""

    def __init__(self, inner: Store, points: Failpoints) -> None:
        self._inner, self._points = inner, points

    async def commit(self, unit: Unit) -> None:
        await self._points.around(f"store.{unit.kind.name}", self._inner.commit(unit))

    async def truncate_log(self) -> None:
        await self._inner.truncate_log()

    async def read(self, sql: str, **parameters: Value) -> Sequence[Row]:
        return await self._inner.read(sql, **parameters)


class FaultyStream:
    """An open connection. A ``cut`` lets only the first bytes leave before its fault."""

    def __init__(self, inner: Stream, points: Failpoints) -> None:
        self._inner, self._points = inner, points

    async def receive(self) -> bytes:
        return await self._inner.receive()

    async def send(self, data: bytes, *, step: Step) -> None:
        where = f"stream.{step.value}"
        fault = self._points.at(where, "before")
        if fault is not None:
            if fault.cut is not None:
                await self._inner.send(data[: fault.cut], step=step)
            await self._points.happen(fault, first=self._inner.close)
        await self._inner.send(data, step=step)
        await self._points.passing(where, "after")

    async def finish(self, *, step: Step) -> None:
        await self._points.around(f"stream.{step.value}", self._inner.finish(step=step))

    async def close(self) -> None:
        await self._inner.close()


class FaultyDialer:
    """Opens faulty connections."""

    def __init__(self, inner: Dialer, points: Failpoints) -> None:
        self._inner, self._points = inner, points

    async def dial(self, host: str, port: int, *, timeout: float) -> Stream:
        work = self._inner.dial(host, port, timeout=timeout)
        return FaultyStream(await self._points.around(f"dialer.{Step.DIAL.value}", work), self._points)


class FaultyWeb:
    """HTTP calls to the network."""

    def __init__(self, inner: Web, points: Failpoints) -> None:
        self._inner, self._points = inner, points

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
        work = self._inner.request(
            method, url, step=step, headers=headers, body=body, max_bytes=max_bytes, timeout=timeout
        )
        return await self._points.around(f"web.{step.value}", work)


class FaultyHomeserver:
    """The client API; each call's step is the one that the real form names."""

    def __init__(self, inner: Homeserver, points: Failpoints) -> None:
        self._inner, self._points = inner, points

    async def _do(self, step: Step, work: Awaitable[_Answer]) -> _Answer:
        return await self._points.around(f"homeserver.{step.value}", work)

    async def whoami(self) -> UserId:
        return await self._do(Step.ASK, self._inner.whoami())

    async def versions(self) -> Sequence[str]:
        return await self._do(Step.ASK, self._inner.versions())

    async def ping(self, transaction_id: str) -> None:
        await self._do(Step.PING, self._inner.ping(transaction_id))

    async def register(self, localpart: str) -> None:
        await self._do(Step.REGISTER_GHOST, self._inner.register(localpart))

    async def set_display_name(self, as_user: UserId, name: str) -> None:
        await self._do(Step.PROFILE, self._inner.set_display_name(as_user, name))

    async def create_room(self, as_user: UserId, spec: RoomSpec) -> RoomId:
        return await self._do(Step.CREATE_ROOM, self._inner.create_room(as_user, spec))

    async def resolve_alias(self, alias: str) -> RoomId | None:
        return await self._do(Step.LOOK_UP, self._inner.resolve_alias(alias))

    async def invite(self, as_user: UserId, room: RoomId, user: UserId) -> None:
        await self._do(Step.INVITE, self._inner.invite(as_user, room, user))

    async def join(self, as_user: UserId, room: RoomId) -> None:
        await self._do(Step.JOIN, self._inner.join(as_user, room))

    async def leave(self, as_user: UserId, room: RoomId) -> None:
        await self._do(Step.LEAVE, self._inner.leave(as_user, room))

    async def members(self, as_user: UserId, room: RoomId) -> Mapping[UserId, str]:
        return await self._do(Step.LOOK_UP, self._inner.members(as_user, room))

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
        work = self._inner.send(
            as_user,
            room,
            event_type,
            content,
            transaction_id=transaction_id,
            sent_at_ms=sent_at_ms,
            step=step,
        )
        return await self._do(step, work)

    async def set_state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str, content: Mapping[str, Any]
    ) -> EventId:
        work = self._inner.set_state(as_user, room, event_type, state_key, content)
        return await self._do(Step.ROOM_STATE, work)

    async def state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str
    ) -> Mapping[str, Any] | None:
        return await self._do(Step.LOOK_UP, self._inner.state(as_user, room, event_type, state_key))

    async def redact(self, as_user: UserId, room: RoomId, event: EventId, *, transaction_id: str) -> EventId:
        work = self._inner.redact(as_user, room, event, transaction_id=transaction_id)
        return await self._do(Step.REDACT, work)

    async def mark_read(self, as_user: UserId, room: RoomId, event: EventId) -> None:
        await self._do(Step.MARK_READ, self._inner.mark_read(as_user, room, event))

    async def history(self, as_user: UserId, room: RoomId, *, limit: int) -> AsyncIterator[Mapping[str, Any]]:
        await self._points.passing(f"homeserver.{Step.LOOK_UP.value}", "before")
        async for event in self._inner.history(as_user, room, limit=limit):
            yield event
        await self._points.passing(f"homeserver.{Step.LOOK_UP.value}", "after")

    async def account_data(self, as_user: UserId, data_type: str) -> Mapping[str, Any]:
        return await self._do(Step.ACCOUNT_DATA, self._inner.account_data(as_user, data_type))

    async def set_account_data(self, as_user: UserId, data_type: str, content: Mapping[str, Any]) -> None:
        await self._do(Step.ACCOUNT_DATA, self._inner.set_account_data(as_user, data_type, content))
