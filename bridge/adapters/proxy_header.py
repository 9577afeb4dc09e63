"""The PROXY protocol header, version 2: how a proxy passes on the address of its client.

https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, section 2.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
VERSION_AND_LOCAL = 0x20
VERSION_AND_PROXY = 0x21
UNSPECIFIED = 0x00
TCP_OVER_IPV4 = 0x11
TCP_OVER_IPV6 = 0x21


@dataclass(frozen=True)
class Endpoint:
    """One end of a connection. Personal data: never logged."""

    address: IPv4Address | IPv6Address
    port: int


def proxy_v2(client: Endpoint | None, server: Endpoint) -> bytes:
    """The header for ``client``'s connection to ``server``.

    An unknown client is not invented: the header then says that the connection is the proxy's own
    (LOCAL).
    """
    if client is None:
        return SIGNATURE + bytes([VERSION_AND_LOCAL, UNSPECIFIED]) + struct.pack("!H", 0)
    if isinstance(client.address, IPv4Address) and isinstance(server.address, IPv4Address):
        family, addresses = TCP_OVER_IPV4, client.address.packed + server.address.packed
    else:
        family, addresses = TCP_OVER_IPV6, _as_ipv6(client) + _as_ipv6(server)
    body = addresses + struct.pack("!HH", client.port, server.port)
    return SIGNATURE + bytes([VERSION_AND_PROXY, family]) + struct.pack("!H", len(body)) + body


def _as_ipv6(endpoint: Endpoint) -> bytes:
    if isinstance(endpoint.address, IPv6Address):
        return endpoint.address.packed
    return bytes(10) + b"\xff\xff" + endpoint.address.packed
