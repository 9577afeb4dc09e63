from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HandshakeMessage(_message.Message):
    __slots__ = ("client_hello", "server_hello", "client_finish")
    CLIENT_HELLO_FIELD_NUMBER: _ClassVar[int]
    SERVER_HELLO_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FINISH_FIELD_NUMBER: _ClassVar[int]
    client_hello: ClientHello
    server_hello: ServerHello
    client_finish: ClientFinish
    def __init__(self, client_hello: _Optional[_Union[ClientHello, _Mapping]] = ..., server_hello: _Optional[_Union[ServerHello, _Mapping]] = ..., client_finish: _Optional[_Union[ClientFinish, _Mapping]] = ...) -> None: ...

class ClientHello(_message.Message):
    __slots__ = ("ephemeral", "static", "payload")
    EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ephemeral: bytes
    static: bytes
    payload: bytes
    def __init__(self, ephemeral: _Optional[bytes] = ..., static: _Optional[bytes] = ..., payload: _Optional[bytes] = ...) -> None: ...

class ServerHello(_message.Message):
    __slots__ = ("ephemeral", "static", "payload")
    EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ephemeral: bytes
    static: bytes
    payload: bytes
    def __init__(self, ephemeral: _Optional[bytes] = ..., static: _Optional[bytes] = ..., payload: _Optional[bytes] = ...) -> None: ...

class ClientFinish(_message.Message):
    __slots__ = ("static", "payload")
    STATIC_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    static: bytes
    payload: bytes
    def __init__(self, static: _Optional[bytes] = ..., payload: _Optional[bytes] = ...) -> None: ...

class CertChain(_message.Message):
    __slots__ = ("leaf", "intermediate")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    INTERMEDIATE_FIELD_NUMBER: _ClassVar[int]
    leaf: Certificate
    intermediate: Certificate
    def __init__(self, leaf: _Optional[_Union[Certificate, _Mapping]] = ..., intermediate: _Optional[_Union[Certificate, _Mapping]] = ...) -> None: ...

class Certificate(_message.Message):
    __slots__ = ("details", "signature")
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    details: bytes
    signature: bytes
    def __init__(self, details: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class CertificateDetails(_message.Message):
    __slots__ = ("serial", "issuer_serial", "key", "not_before", "not_after")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    ISSUER_SERIAL_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_FIELD_NUMBER: _ClassVar[int]
    serial: int
    issuer_serial: int
    key: bytes
    not_before: int
    not_after: int
    def __init__(self, serial: _Optional[int] = ..., issuer_serial: _Optional[int] = ..., key: _Optional[bytes] = ..., not_before: _Optional[int] = ..., not_after: _Optional[int] = ...) -> None: ...

class ClientPayload(_message.Message):
    __slots__ = ("user_agent", "connect_type", "connect_reason", "product", "interop_data")
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONNECT_REASON_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    INTEROP_DATA_FIELD_NUMBER: _ClassVar[int]
    user_agent: UserAgent
    connect_type: int
    connect_reason: int
    product: int
    interop_data: InteropData
    def __init__(self, user_agent: _Optional[_Union[UserAgent, _Mapping]] = ..., connect_type: _Optional[int] = ..., connect_reason: _Optional[int] = ..., product: _Optional[int] = ..., interop_data: _Optional[_Union[InteropData, _Mapping]] = ...) -> None: ...

class UserAgent(_message.Message):
    __slots__ = ("platform", "app_version")
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    APP_VERSION_FIELD_NUMBER: _ClassVar[int]
    platform: int
    app_version: AppVersion
    def __init__(self, platform: _Optional[int] = ..., app_version: _Optional[_Union[AppVersion, _Mapping]] = ...) -> None: ...

class AppVersion(_message.Message):
    __slots__ = ("primary", "secondary", "tertiary")
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    SECONDARY_FIELD_NUMBER: _ClassVar[int]
    TERTIARY_FIELD_NUMBER: _ClassVar[int]
    primary: int
    secondary: int
    tertiary: int
    def __init__(self, primary: _Optional[int] = ..., secondary: _Optional[int] = ..., tertiary: _Optional[int] = ...) -> None: ...

class InteropData(_message.Message):
    __slots__ = ("account_id", "token", "enable_read_receipts")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ENABLE_READ_RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    token: bytes
    enable_read_receipts: bool
    def __init__(self, account_id: _Optional[int] = ..., token: _Optional[bytes] = ..., enable_read_receipts: _Optional[bool] = ...) -> None: ...
