"""The endpoint over real HTTP: what is stored, what is answered, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bridge.matrix.endpoint import MAX_CONCURRENT
from tests.matrix.support import HS_TOKEN, HandClock, Shelf, endpoint
from tests.matrix.test_transactions import EVENT, RECEIPT

GOOD = {"Authorization": f"Bearer {HS_TOKEN}"}
TRANSACTION = {"events": [EVENT], "ephemeral": [RECEIPT]}


class Homeserver:
    """The homeserver's side of the endpoint."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def call(
        self, method: str, path: str, *, headers: Any = None, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        headers = GOOD if headers is None else headers
        async with self.session.request(method, self.url + path, headers=headers, **options) as answer:
            return answer.status, await answer.json()

    async def push(self, id_: str, transaction: object, **options: Any) -> tuple[int, dict[str, Any]]:
        return await self.call("PUT", f"/_matrix/app/v1/transactions/{id_}", json=transaction, **options)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def homeserver(shelf: Shelf) -> AsyncIterator[Homeserver]:
    async with endpoint(shelf, HandClock()) as port, aiohttp.ClientSession() as session:
        yield Homeserver(session, f"http://127.0.0.1:{port}")


async def test_a_transaction_is_answered_200_after_it_was_stored(
    shelf: Shelf, homeserver: Homeserver
) -> None:
    shelf.gate = asyncio.Event()
    push = asyncio.create_task(homeserver.push("1", TRANSACTION))
    await shelf.waiting.acquire()
    assert not push.done()
    shelf.gate.set()
    assert await push == (200, {})
    assert shelf.stored() == ["$one"] and len(shelf.stored("receipt")) == 3


@pytest.mark.fault("F22")
@pytest.mark.parametrize("failure", [RuntimeError("disk full"), TimeoutError(), ValueError("$one hallo")])
async def test_what_could_not_be_stored_is_answered_503_and_taken_the_next_time(
    shelf: Shelf, homeserver: Homeserver, failure: Exception
) -> None:
    shelf.failure = failure
    status, body = await homeserver.push("1", TRANSACTION)
    assert (status, body["errcode"]) == (503, "M_UNKNOWN")
    assert "hallo" not in str(body)
    shelf.failure = None
    assert await homeserver.push("1", TRANSACTION) == (200, {})
    assert shelf.stored() == ["$one"]


@pytest.mark.fault("F18")
@pytest.mark.fault("F19")
async def test_a_repeated_transaction_is_harmless_under_the_same_or_another_id(
    shelf: Shelf, homeserver: Homeserver
) -> None:
    for id_ in ("1", "1", "77"):
        assert await homeserver.push(id_, TRANSACTION) == (200, {})
    assert shelf.stored() == ["$one"] and len(shelf.stored("receipt")) == 3


@pytest.mark.fault("F18")
async def test_new_events_in_a_changed_body_under_a_known_id_are_taken(
    shelf: Shelf, homeserver: Homeserver
) -> None:
    await homeserver.push("1", {"events": [EVENT]})
    await homeserver.push("1", {"events": [EVENT, {**EVENT, "event_id": "$two"}]})
    assert shelf.stored() == ["$one", "$two"]


async def test_an_empty_transaction_is_answered_without_the_store(
    shelf: Shelf, homeserver: Homeserver
) -> None:
    shelf.failure = RuntimeError("must not be asked")
    assert await homeserver.push("1", {"events": []}) == (200, {})


WRONG = {
    "another": "Bearer " + "x" * len(HS_TOKEN),
    "a beginning": f"Bearer {HS_TOKEN[:-1]}",
    "longer": f"Bearer {HS_TOKEN}x",
    "empty": "Bearer ",
    "non-ASCII": "Bearer t\u00f6ken",
    "another scheme": f"Basic {HS_TOKEN}",
    "no scheme": HS_TOKEN,
}


@pytest.mark.threat("S1")
@pytest.mark.parametrize("header", WRONG.values(), ids=list(WRONG))
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/_matrix/app/v1/transactions/1"),
        ("POST", "/_matrix/app/v1/ping"),
        ("GET", "/_matrix/app/v1/users/%40ib_a%3Ahs.test"),
        ("GET", "/_matrix/app/v1/rooms/%23ib_a%3Ahs.test"),
        ("GET", "/_matrix/client/v3/sync"),
    ],
)
async def test_a_wrong_token_is_forbidden_and_stores_nothing(
    shelf: Shelf, homeserver: Homeserver, header: str, method: str, path: str
) -> None:
    body = TRANSACTION if method == "PUT" else None
    status, answer = await homeserver.call(method, path, headers={"Authorization": header}, json=body)
    assert (status, answer["errcode"]) == (403, "M_FORBIDDEN")
    assert shelf.parts == {}


@pytest.mark.threat("S1")
async def test_a_token_anywhere_but_in_the_header_is_missing(shelf: Shelf, homeserver: Homeserver) -> None:
    status, answer = await homeserver.push("1?access_token=" + HS_TOKEN, TRANSACTION, headers={})
    assert (status, answer["errcode"]) == (401, "M_MISSING_TOKEN")
    assert shelf.parts == {}


@pytest.mark.threat("S1")
async def test_two_tokens_are_forbidden_even_when_one_is_right(shelf: Shelf, homeserver: Homeserver) -> None:
    headers = [("Authorization", f"Bearer {HS_TOKEN}"), ("Authorization", "Bearer other")]
    status, _ = await homeserver.push("1", TRANSACTION, headers=headers)
    assert status == 403 and shelf.parts == {}


@pytest.mark.threat("S2")
async def test_all_wrong_tokens_are_answered_alike(homeserver: Homeserver) -> None:
    answers = [await homeserver.push("1", {}, headers={"Authorization": header}) for header in WRONG.values()]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.threat("S2")
@pytest.mark.parametrize("header", [*WRONG.values(), None])
async def test_every_token_and_none_is_compared_over_digests_of_one_length(
    homeserver: Homeserver, monkeypatch: pytest.MonkeyPatch, header: str | None
) -> None:
    lengths: list[tuple[int, int]] = []

    def compare(left: bytes, right: bytes) -> bool:
        lengths.append((len(left), len(right)))
        return False

    monkeypatch.setattr("hmac.compare_digest", compare)
    await homeserver.push("1", {}, headers={} if header is None else {"Authorization": header})
    assert lengths == [(32, 32)]


@pytest.mark.parametrize(
    ("body", "errcode"), [(b"", "M_NOT_JSON"), (b"{'events'", "M_NOT_JSON"), (b"[]", "M_BAD_JSON")]
)
async def test_a_malformed_body_is_refused_and_stores_nothing(
    shelf: Shelf, homeserver: Homeserver, body: bytes, errcode: str
) -> None:
    status, answer = await homeserver.call("PUT", "/_matrix/app/v1/transactions/1", data=body)
    assert (status, answer["errcode"]) == (400, errcode)
    assert shelf.parts == {}


async def test_no_more_than_a_few_transactions_are_taken_at_once(
    shelf: Shelf, homeserver: Homeserver
) -> None:
    shelf.gate = asyncio.Event()
    pushes = [asyncio.create_task(homeserver.push(str(n), TRANSACTION)) for n in range(MAX_CONCURRENT)]
    for _ in pushes:
        await shelf.waiting.acquire()
    status, _ = await homeserver.push("more", TRANSACTION)
    assert status == 503
    shelf.gate.set()
    assert [status for status, _ in await asyncio.gather(*pushes)] == [200] * MAX_CONCURRENT
    assert (await homeserver.push("later", TRANSACTION))[0] == 200


async def test_a_ping_is_answered(homeserver: Homeserver) -> None:
    path = "/_matrix/app/v1/ping"
    assert await homeserver.call("POST", path, json={"transaction_id": "x"}) == (200, {})
    status, answer = await homeserver.call("POST", path, data=b"?")
    assert (status, answer["errcode"]) == (400, "M_NOT_JSON")


@pytest.mark.parametrize("path", ["users/%40ib_aaaa%3Ahs.test", "rooms/%23ib_aaaa%3Ahs.test"])
async def test_nobody_makes_or_finds_a_ghost_or_a_room_by_its_name(homeserver: Homeserver, path: str) -> None:
    status, answer = await homeserver.call("GET", f"/_matrix/app/v1/{path}")
    assert (status, answer["errcode"]) == (404, "M_NOT_FOUND")


async def test_an_unknown_path_is_unrecognised(homeserver: Homeserver) -> None:
    status, answer = await homeserver.call("GET", "/_matrix/app/v1/thirdparty/protocol/x")
    assert (status, answer["errcode"]) == (404, "M_UNRECOGNIZED")


@pytest.mark.parametrize(
    ("path", "wrong", "right"),
    [
        ("transactions/1", "POST", "PUT"),
        ("users/%40ib_aaaa%3Ahs.test", "PUT", "GET"),
        ("rooms/%23ib_aaaa%3Ahs.test", "DELETE", "GET"),
        ("ping", "GET", "POST"),
    ],
)
async def test_a_known_path_by_another_method_is_405_and_names_the_right_one(
    homeserver: Homeserver, path: str, wrong: str, right: str
) -> None:
    url = f"{homeserver.url}/_matrix/app/v1/{path}"
    async with homeserver.session.request(wrong, url, headers=GOOD) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, right)
        assert (await answer.json())["errcode"] == "M_UNRECOGNIZED"
    assert (await homeserver.call(wrong, f"/_matrix/app/v1/{path}", headers={}))[0] == 401
