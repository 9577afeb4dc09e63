"""Stanza to tokens. Iterative, with the same limits as the decoder."""

from __future__ import annotations

from bridge.errors import LocalProtocolError
from bridge.ids import INTEROP_SERVER, Jid
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
)


def encode_tokens(stanza: Stanza) -> bytes:
    """``stanza`` without the flag byte; LocalProtocolError when it exceeds a limit."""
    writer = _Writer()
    nodes = attributes = 0
    pending = [(stanza, 1)]
    while pending:
        node, depth = pending.pop()
        nodes += 1
        attributes += len(node.attributes)
        if depth > MAX_DEPTH or nodes > MAX_NODES or attributes > MAX_ATTRIBUTES:
            raise LocalProtocolError("a stanza is too deep or too large to send")
        writer.node(node)
        # Reversed, because a stack returns them in reverse.
        pending.extend((child, depth + 1) for child in reversed(node.children()))
    return bytes(writer.out)


class _Writer:
    def __init__(self) -> None:
        self.out = bytearray()

    def node(self, node: Stanza) -> None:
        """``node`` up to its children, which the caller writes next."""
        count = len(node.attributes)
        if not node.tag or "" in node.attributes:
            raise LocalProtocolError("a tag or the name of an attribute is empty")
        if count > MAX_ATTRIBUTES_PER_NODE:
            raise LocalProtocolError("a node has too many attributes")
        self._list_start(1 + 2 * count + (node.content is not None))
        self.text(node.tag)
        for name, value in node.attributes.items():
            self.text(name)
            self._value(value)
        if isinstance(node.content, bytes):
            self._binary(node.content)
        elif node.content is not None:
            self._list_start(len(node.content))

    def text(self, text: str) -> None:
        code = t.DICTIONARY.codes.get(text)
        if code is not None:
            self.out += code
            return
        alphabet = packed.alphabet_for(text)
        if alphabet is not None:
            self.out.append(t.NIBBLE_8 if alphabet == packed.NIBBLE_ALPHABET else t.HEX_8)
            self.out += packed.pack(text, alphabet)
            return
        try:
            self._binary(text.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise LocalProtocolError("a text holds a lone surrogate") from error

    def _value(self, value: AttributeValue) -> None:
        if isinstance(value, Jid):
            self._jid(value)
        else:
            self.text(value)

    def _jid(self, jid: Jid) -> None:
        jids.check_writable(jid)
        if jid.server == INTEROP_SERVER and jid.user:
            self.out.append(t.INTEROP_JID)
            self.text(jid.user)
            self.out += jid.device.to_bytes(2, "big") + jid.integrator.to_bytes(2, "big")
            self.text(jid.server)
        elif jid.server == jids.MESSENGER_SERVER and jid.user:
            self.out.append(t.FB_JID)
            self.text(jid.user)
            self.out += jid.device.to_bytes(2, "big")
            self.text(jid.server)
        elif jid.device:
            self.out += bytes([t.AD_JID, jids.SERVER_DOMAINS[jid.server], jid.device])
            self.text(jid.user)
        else:
            self.out.append(t.JID_PAIR)
            if jid.user:
                self.text(jid.user)
            else:
                self.out.append(t.LIST_EMPTY)
            self.text(jid.server)

    def _list_start(self, size: int) -> None:
        if size == 0:
            self.out.append(t.LIST_EMPTY)
        elif size < 1 << 8:
            self.out += bytes([t.LIST_8, size])
        elif size < 1 << 16:
            self.out.append(t.LIST_16)
            self.out += size.to_bytes(2, "big")
        else:
            raise LocalProtocolError("a list is too long to send")

    def _binary(self, data: bytes) -> None:
        size = len(data)
        if size < 1 << 8:
            self.out += bytes([t.BINARY_8, size])
        elif size < 1 << 20:
            self.out.append(t.BINARY_20)
            self.out += size.to_bytes(3, "big")
        elif size < 1 << 32:
            self.out.append(t.BINARY_32)
            self.out += size.to_bytes(4, "big")
        else:
            raise LocalProtocolError("a value is too long to send")
        self.out += data
