"""The client's login payload: the last part of the handshake.

The fields are our choice, with public field numbers; which fields the network requires
is not public (docs/differences.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire.proto import handshake_pb2 as proto

PRODUCT_INTEROP: Final = 2
CONNECT_TYPE_ANY: Final = 1
"""The kind of access network is nobody's business: "unknown Wi-Fi" is what is always said."""

MAX_TOKEN_BYTES = 4096
"""The published bound of the enlistment form's token; the same token is used here."""
MAX_ACCOUNT_ID = 2**64 - 1
MAX_UINT32 = 2**32 - 1

REASON_PUSH: Final = 0
REASON_USER_ACTIVATED: Final = 1
REASON_SCHEDULED: Final = 2
REASON_ERROR_RECONNECT: Final = 3
REASON_NETWORK_SWITCH: Final = 4
REASON_PING_RECONNECT: Final = 5


@dataclass(frozen=True)
class ClientPayload:
    """Account, token, and reason of a login.

    ``account_id`` is the numeric part of the internal identifier (up to 64 bits),
    ``token`` the signed identity token (ASCII, at most 4096 bytes), ``version`` the
    protocol version, ``connect_reason`` one of the ``REASON_`` numbers.
    """

    account_id: int
    token: bytes = field(repr=False)
    read_receipts: bool
    version: tuple[int, int, int]
    connect_reason: int = REASON_USER_ACTIVATED

    def to_bytes(self) -> bytes:
        if not 0 <= self.account_id <= MAX_ACCOUNT_ID or len(self.token) > MAX_TOKEN_BYTES:
            raise LocalProtocolError("the account id or the token is too long")
        if any(not 0 <= number <= MAX_UINT32 for number in (*self.version, self.connect_reason)):
            raise LocalProtocolError("version and reason have 32 bits")
        primary, secondary, tertiary = self.version
        return proto.ClientPayload(
            user_agent=proto.UserAgent(
                app_version=proto.AppVersion(primary=primary, secondary=secondary, tertiary=tertiary)
            ),
            connect_type=CONNECT_TYPE_ANY,
            connect_reason=self.connect_reason,
            product=PRODUCT_INTEROP,
            interop_data=proto.InteropData(
                account_id=self.account_id,
                token=self.token,
                enable_read_receipts=self.read_receipts,
            ),
        ).SerializeToString(deterministic=True)

    @staticmethod
    def from_bytes(data: bytes) -> ClientPayload:
        """Read a login; RemoteProtocolError when it is malformed or of another product."""
        try:
            found = proto.ClientPayload.FromString(data)
        except DecodeError as error:
            raise RemoteProtocolError("the login payload cannot be read") from error
        if found.product != PRODUCT_INTEROP:
            raise RemoteProtocolError("the login is for another product")
        interop, version = found.interop_data, found.user_agent.app_version
        if not interop.HasField("account_id") or not interop.HasField("token"):
            raise RemoteProtocolError("the login names no account or brings no token")
        if len(interop.token) > MAX_TOKEN_BYTES:
            raise RemoteProtocolError("the token is over 4096 bytes")
        return ClientPayload(
            account_id=interop.account_id,
            token=interop.token,
            read_receipts=interop.enable_read_receipts,
            version=(version.primary, version.secondary, version.tertiary),
            connect_reason=found.connect_reason,
        )
