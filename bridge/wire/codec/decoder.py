"""Tokens to stanza. Iterative; counts and lengths are checked before anything is built.

A node is a list: tag, names and values of attributes in turn, and, when the list's
size is even, its content: a list of nodes, or bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.codec import jid as jids
from bridge.wire.codec import packed
from bridge.wire.codec import tokens as t
from bridge.wire.codec.node import (
    MAX_ATTRIBUTES,
    MAX_ATTRIBUTES_PER_NODE,
    MAX_DEPTH,
    MAX_NODES,
    AttributeValue,
    Stanza,
    UnreadableStanza,
)

_JIDS = (t.JID_PAIR, t.AD_JID, t.FB_JID, t.INTEROP_JID)
_LISTS = (t.LIST_EMPTY, t.LIST_8, t.LIST_16)
_BINARIES = {t.BINARY_8: 1, t.BINARY_20: 3, t.BINARY_32: 4}
"""Token -> bytes of the length that follows. BINARY_20 uses 20 bits of its three bytes."""
_BINARY_20_MASK = (1 << 20) - 1


@dataclass
class _Open:
    """A node whose children are being read; ``missing`` is the number still to read."""

    tag: str
    attributes: dict[str, AttributeValue]
    missing: int
    children: list[Stanza] = field(default_factory=list)


def decode_tokens(data: bytes) -> Stanza:
    """Read the single stanza in ``data``; UnreadableStanza otherwise."""
    reader = _Reader(data)
    try:
        return _tree(reader)
    except RemoteProtocolError as error:
        raise UnreadableStanza(str(error), reader.head) from error


def _tree(reader: _Reader) -> Stanza:
    stack: list[_Open] = []
    while True:
        done = reader.node_head(len(stack) + 1)
        if isinstance(done, _Open):
            stack.append(done)
            continue
        # ``done`` is a finished stanza: it may complete its parent, and so on upward.
        while stack:
            parent = stack[-1]
            parent.children.append(done)
            if len(parent.children) < parent.missing:
                break
            stack.pop()
            done = Stanza(parent.tag, parent.attributes, tuple(parent.children))
        else:
            reader.expect_end()
            return done


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._nodes = 0
        self._attributes = 0
        self.head: Stanza | None = None

    def node_head(self, depth: int) -> Stanza | _Open:
        """Read a node up to its children."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise RemoteProtocolError("a stanza is too deep or has too many nodes")
        token = self._byte()
        if token not in _LISTS:
            raise RemoteProtocolError("a node does not start with a list")
        size = self._list_size(token)
        if size == 0:
            raise RemoteProtocolError("a node without a tag")
        tag = self._text()
        if not tag:
            raise RemoteProtocolError("a node with an empty tag")
        attributes = self._attribute_pairs((size - 1) // 2)
        self.head = self.head or Stanza(tag, attributes)
        if size % 2:
            return Stanza(tag, attributes)
        token = self._byte()
        if token not in _LISTS:
            return Stanza(tag, attributes, self._content_bytes(token))
        count = self._list_size(token)
        if self._nodes + count > MAX_NODES:
            raise RemoteProtocolError("a stanza has too many nodes")
        return _Open(tag, attributes, count) if count else Stanza(tag, attributes, ())

    def expect_end(self) -> None:
        if self._at != len(self._data):
            raise RemoteProtocolError("something follows the stanza")

    def _attribute_pairs(self, count: int) -> dict[str, AttributeValue]:
        self._attributes += count
        if count > MAX_ATTRIBUTES_PER_NODE or self._attributes > MAX_ATTRIBUTES:
            raise RemoteProtocolError("a stanza has too many attributes")
        attributes: dict[str, AttributeValue] = {}
        for _ in range(count):
            name = self._text()
            if not name or name in attributes:
                raise RemoteProtocolError("an attribute has no name or stands twice")
            attributes[name] = self._value(self._byte())
        return attributes

    def _content_bytes(self, token: int) -> bytes:
        if token in _BINARIES:
            return self._binary(token)
        # Other encoders write short texts as tokens or identifiers here as well.
        return str(self._value(token)).encode("utf-8")

    def _value(self, token: int) -> AttributeValue:
        return self._jid(token) if token in _JIDS else self._string(token)

    def _text(self) -> str:
        return self._string(self._byte())

    def _string(self, token: int) -> str:
        # Identifiers are made of strings; that a string is never an identifier is what
        # keeps one inside another from recursing.
        if token < t.SINGLE_COUNT:
            return t.DICTIONARY.single[token]
        if token < t.DICTIONARY_0 + t.DICTIONARY_COUNT:
            return t.DICTIONARY.double[token - t.DICTIONARY_0][self._byte()]
        if token in _BINARIES:
            try:
                return self._binary(token).decode("utf-8")
            except UnicodeDecodeError as error:
                raise RemoteProtocolError("a text is not UTF-8") from error
        if token in (t.NIBBLE_8, t.HEX_8):
            length = self._byte()
            alphabet = packed.NIBBLE_ALPHABET if token == t.NIBBLE_8 else packed.HEX_ALPHABET
            return packed.unpack(length, self._take(length & ~packed.ODD), alphabet)
        raise RemoteProtocolError(f"token {token} has no meaning where a word was expected")

    def _jid(self, token: int) -> Jid:
        if token == t.JID_PAIR:
            return jids.from_pair(self._text(), self._text())
        if token == t.AD_JID:
            return jids.from_ad(self._byte(), self._byte(), self._text())
        if token == t.FB_JID:
            return jids.from_messenger(self._text(), self._number(2), self._text())
        return jids.from_interop(self._text(), self._number(2), self._number(2), self._text())

    def _list_size(self, token: int) -> int:
        if token == t.LIST_EMPTY:
            return 0
        return self._number(1 if token == t.LIST_8 else 2)

    def _binary(self, token: int) -> bytes:
        length = self._number(_BINARIES[token])
        return self._take(length & _BINARY_20_MASK if token == t.BINARY_20 else length)

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _byte(self) -> int:
        if self._at >= len(self._data):
            raise RemoteProtocolError("a stanza is cut off")
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise RemoteProtocolError("a stanza is cut off")
        taken = self._data[self._at : end]
        self._at = end
        return taken
