"""The stanza as a value, and the limits of both directions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid

AttributeValue = str | Jid

MAX_DEPTH = 32
"""Stanzas in use nest five deep. The bound is what keeps every later walk over a tree
from being led astray (reliability S19); the codec itself does not recurse."""

MAX_NODES = 10_000
"""The largest stanza in use, an upload of 812 keys, has 2,440. Ten thousand small
objects take about 5 MB of memory (reliability S19)."""

MAX_ATTRIBUTES_PER_NODE = 1_000
"""No node in use has more than 20 (reliability S19)."""

MAX_ATTRIBUTES = 10_000
"""In the whole stanza: one for each node, as in a list of message ids. Without it
10,000 nodes of 1,000 attributes each would be allowed."""

SERVER_NAME = re.compile(r"[a-z.]{1,32}")


@dataclass(frozen=True)
class Stanza:
    """One node: a tag, attributes, and nodes or bytes as content (None: no content).

    Text is bytes in ``content`` and str in ``attributes``; an identifier in an
    attribute may be a ``Jid``, which has its own token, or its printed form.
    """

    tag: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    content: tuple[Stanza, ...] | bytes | None = None

    def children(self, tag: str | None = None) -> tuple[Stanza, ...]:
        """The child nodes, or those with ``tag``; none when the content is bytes."""
        if not isinstance(self.content, tuple):
            return ()
        return tuple(node for node in self.content if tag is None or node.tag == tag)

    def child(self, tag: str) -> Stanza | None:
        """The first child node with ``tag``, or None."""
        return next(iter(self.children(tag)), None)


class UnreadableStanza(RemoteProtocolError):
    """Bytes that are no stanza. ``head`` is the outermost node without what is inside it, where so much
    could be read: enough to tell the sender which of its stanzas it was."""

    def __init__(self, why: str, head: Stanza | None) -> None:
        super().__init__(why)
        self.head = head
