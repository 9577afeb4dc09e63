"""What the server says by itself: logins, the mailbox, news."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import RemoteProtocolError
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import info, login, notification, parse
from bridge.wire.vocabulary.info import Info, OfflineBatch, OfflineDone, OfflinePreview, OtherInfo
from bridge.wire.vocabulary.login import LoginFailure, LoginWord, StreamError, Success
from bridge.wire.vocabulary.notification import IdentityChanged, KeysLow, OtherNotification, Reachability
from tests.wire.support import QUICK
from tests.wire.vocabulary import CONTACT, NAMES, SERVER, T, counts, ids, persons, sent, times, words

login_words = st.one_of(
    st.builds(Success, times),
    st.builds(LoginFailure, words, st.dictionaries(words.filter(lambda word: word != "reason"), words)),
    st.builds(StreamError, st.none() | words, st.none() | words),
)
infos = st.one_of(
    st.builds(OfflinePreview, counts, counts, counts, counts),
    st.builds(OfflineBatch, counts),
    st.builds(OfflineDone, counts),
)
encrypt_news = st.one_of(
    st.builds(KeysLow, ids, persons | st.just(SERVER), counts, times, st.booleans()),
    st.builds(IdentityChanged, ids, persons, times, st.booleans()),
)
reachabilities = st.builds(Reachability, ids, persons, st.booleans(), times, st.booleans())


@QUICK
@given(login_words)
def test_login_answer_round_trips(word: LoginWord) -> None:
    assert parse(sent(word.to_stanza()), "from", NAMES) == word


@QUICK
@given(infos)
def test_mailbox_notification_round_trips(
    word: OfflinePreview | OfflineBatch | OfflineDone,
) -> None:
    read: Info = info.parse(sent(word.to_stanza()))
    assert read == word
    assert parse(sent(word.to_stanza()), "from", NAMES) == word


@QUICK
@given(encrypt_news, reachabilities)
def test_notification_round_trips(news: KeysLow | IdentityChanged, reachability: Reachability) -> None:
    assert parse(sent(news.to_stanza()), "from", NAMES) == news
    assert parse(sent(reachability.to_stanza(NAMES)), "from", NAMES) == reachability
    assert notification.type_of(news, NAMES) == "encrypt"
    assert notification.type_of(reachability, NAMES) == "between"


def test_server_stanzas_have_documented_shape() -> None:
    assert Success(T).to_stanza() == Stanza("success", {"t": str(T)})
    assert LoginFailure("402", {"code": "101", "expire": "60"}).to_stanza() == Stanza(
        "failure", {"reason": "402", "code": "101", "expire": "60"}
    )
    assert StreamError(None, login.CONFLICT_REPLACED).to_stanza() == Stanza(
        "stream:error", {}, (Stanza("conflict", {"type": "replaced"}),)
    )
    assert StreamError("503").to_stanza() == Stanza("stream:error", {"code": "503"})
    preview = OfflinePreview(5, 3, 1, 1).to_stanza()
    assert preview.child("offline_preview") == Stanza(
        "offline_preview", {"count": "5", "message": "3", "receipt": "1", "notification": "1"}
    )
    assert KeysLow("1", SERVER, 4).to_stanza() == Stanza(
        "notification",
        {"id": "1", "from": SERVER, "type": "encrypt"},
        (Stanza("count", {"value": "4"}),),
    )
    assert Reachability("1", CONTACT, False).to_stanza(NAMES) == Stanza(
        "notification", {"id": "1", "from": CONTACT, "type": "between"}, (Stanza("unreachable"),)
    )


def test_unused_notification_can_be_acknowledged() -> None:
    stanza = Stanza("notification", {"id": "1", "from": CONTACT, "type": "account_sync", "t": "5"})
    other = notification.parse(stanza, "from", NAMES)
    assert other == OtherNotification("1", CONTACT, "account_sync", 5)
    assert notification.type_of(other, NAMES) == "account_sync"
    for type_ in ("encrypt", "between"):
        strange = Stanza("notification", {"id": "1", "from": CONTACT, "type": type_}, (Stanza("new"),))
        assert notification.parse(strange, "from", NAMES) == OtherNotification("1", CONTACT, type_)


def test_unused_information_is_named() -> None:
    assert info.parse(Stanza("ib", {}, (Stanza("dirty", {"type": "groups"}),))) == OtherInfo("dirty")


@pytest.mark.parametrize(
    "stanza",
    [
        Stanza("failure"),
        Stanza("success", {"t": "soon"}),
        Stanza("stream:error", {}, (Stanza("conflict"),)),
        Stanza("ib"),
        Stanza("ib", {}, b"bytes"),
        Stanza("ib", {}, (Stanza("offline"),)),
        Stanza("ib", {}, (Stanza("offline_preview", {"count": "x"}),)),
        Stanza("notification", {"id": "1", "from": CONTACT}),
        Stanza("notification", {"id": "1", "type": "encrypt"}),
        Stanza("notification", {"from": CONTACT, "type": "encrypt"}),
        Stanza("notification", {"id": "1", "from": CONTACT, "type": "encrypt"}, (Stanza("count"),)),
    ],
)
def test_malformed_notification_is_rejected(stanza: Stanza) -> None:
    with pytest.raises(RemoteProtocolError):
        parse(stanza, "from", NAMES)


def test_malformed_login_answer_is_rejected() -> None:
    with pytest.raises(RemoteProtocolError):
        login.parse(Stanza("iq"))
