"""Keys, linked connections, and strategies that the wire's tests share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st

from bridge.curve import KeyPair, key_pair
from bridge.ids import Jid
from bridge.wire import certificate
from bridge.wire.connection import ClientConnection, ServerConnection
from bridge.wire.stanza import AttributeValue, Stanza

HEADER = b"WA\x06\x03"
PROLOGUE = b"a prologue"
LOGIN = b"a login payload"
NOW = 1_790_000_000.0

QUICK = settings(max_examples=150, derandomize=True, deadline=None)


def key(name: str) -> KeyPair:
    """The same pair for the same name in every run."""
    return key_pair(hashlib.sha256(name.encode()).digest())


def dice(seed: str) -> Callable[[int], bytes]:
    """Randomness that is the same in every run."""
    state = [0]

    def draw(count: int) -> bytes:
        out = b""
        while len(out) < count:
            state[0] += 1
            out += hashlib.sha256(f"{seed}/{state[0]}".encode()).digest()
        return out[:count]

    return draw


def certificates() -> bytes:
    """A valid chain for the server called ``server``."""
    return certificate.make_chain(key("root"), key("intermediate"), key("server").public, NOW, dice("chain"))


def client(*, root_key: bytes | None = None, now: float = NOW) -> ClientConnection:
    return ClientConnection(
        static=key("client"),
        ephemeral=key("client ephemeral"),
        header=HEADER,
        prologue=PROLOGUE,
        root_key=key("root").public if root_key is None else root_key,
        login=LOGIN,
        now=now,
    )


def server(*, prologue: bytes = PROLOGUE, chain: bytes | None = None) -> ServerConnection:
    return ServerConnection(
        static=key("server"),
        ephemeral=key("server ephemeral"),
        header=HEADER,
        prologue=prologue,
        certificates=certificates() if chain is None else chain,
    )


@dataclass(frozen=True)
class Pair:
    """Two connections that have shaken hands."""

    client: ClientConnection
    server: ServerConnection


def pair() -> Pair:
    """Both ends, after the handshake."""
    ends = Pair(client(), server())
    ends.server.receive(ends.client.data_to_send())
    ends.client.receive(ends.server.data_to_send())
    ends.server.receive(ends.client.data_to_send())
    return ends


def rings(depth: int, tag: str = "x") -> Stanza:
    """A stanza that nests ``depth`` deep."""
    stanza = Stanza(tag)
    for _ in range(depth - 1):
        stanza = Stanza(tag, {}, (stanza,))
    return stanza


WORDS = ("message", "to", "id", "type", "text", "body", "iq", "xmlns", "s.whatsapp.net", "interop")

texts = st.one_of(
    st.sampled_from(WORDS),
    st.text(alphabet="0123456789-.", max_size=130),
    st.text(alphabet="0123456789ABCDEF", max_size=130),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
names = texts.filter(bool)

users = st.one_of(
    st.text(alphabet="0123456789", min_size=1, max_size=20),
    st.text(alphabet="abcdefxyz0123456789._-", min_size=1, max_size=20),
)
_16_bits = st.integers(0, 0xFFFF)


def _readable(jid: Jid) -> bool:
    return Jid.parse(str(jid)) == jid


jids = st.one_of(
    st.builds(Jid, users, st.just("interop"), _16_bits, _16_bits),
    st.builds(Jid, users, st.just("msgr"), st.just(0), _16_bits),
    st.builds(Jid, users, st.sampled_from(["s.whatsapp.net", "lid", "hosted", "hosted.lid"])),
    st.builds(
        Jid,
        users,
        st.sampled_from(["s.whatsapp.net", "lid", "hosted", "hosted.lid"]),
        st.just(0),
        st.integers(0, 0xFF),
    ),
    st.builds(Jid, users, st.sampled_from(["g.us", "broadcast", "newsletter", "bot"])),
    st.builds(Jid, st.just(""), st.sampled_from(["s.whatsapp.net", "interop", "g.us"])),
).filter(_readable)

values: st.SearchStrategy[AttributeValue] = st.one_of(texts, jids)
attributes = st.dictionaries(names, values, max_size=5)
leaves = st.builds(Stanza, names, attributes, st.one_of(st.none(), st.just(()), st.binary(max_size=300)))
stanzas: st.SearchStrategy[Stanza] = st.recursive(
    leaves,
    lambda inner: st.builds(Stanza, names, attributes, st.lists(inner, max_size=4).map(tuple)),
    max_leaves=12,
)
