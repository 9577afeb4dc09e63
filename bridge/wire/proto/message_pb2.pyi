from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Message(_message.Message):
    __slots__ = ("conversation", "sender_key_distribution", "image", "contact", "location", "extended_text", "document", "audio", "video", "call", "protocol", "contacts", "live_location", "sticker", "group_invite", "device_sent", "context_info", "view_once", "ephemeral", "reaction", "poll", "poll_update", "keep_in_chat", "document_with_caption", "view_once_v2", "encrypted_reaction", "edited", "poll_v3", "round_video", "placeholder", "album", "sticker_pack")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SENDER_KEY_DISTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    EXTENDED_TEXT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CONTACTS_FIELD_NUMBER: _ClassVar[int]
    LIVE_LOCATION_FIELD_NUMBER: _ClassVar[int]
    STICKER_FIELD_NUMBER: _ClassVar[int]
    GROUP_INVITE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_SENT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_INFO_FIELD_NUMBER: _ClassVar[int]
    VIEW_ONCE_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
    REACTION_FIELD_NUMBER: _ClassVar[int]
    POLL_FIELD_NUMBER: _ClassVar[int]
    POLL_UPDATE_FIELD_NUMBER: _ClassVar[int]
    KEEP_IN_CHAT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_WITH_CAPTION_FIELD_NUMBER: _ClassVar[int]
    VIEW_ONCE_V2_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTED_REACTION_FIELD_NUMBER: _ClassVar[int]
    EDITED_FIELD_NUMBER: _ClassVar[int]
    POLL_V3_FIELD_NUMBER: _ClassVar[int]
    ROUND_VIDEO_FIELD_NUMBER: _ClassVar[int]
    PLACEHOLDER_FIELD_NUMBER: _ClassVar[int]
    ALBUM_FIELD_NUMBER: _ClassVar[int]
    STICKER_PACK_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    sender_key_distribution: bytes
    image: bytes
    contact: bytes
    location: bytes
    extended_text: ExtendedText
    document: bytes
    audio: bytes
    video: bytes
    call: bytes
    protocol: bytes
    contacts: bytes
    live_location: bytes
    sticker: bytes
    group_invite: bytes
    device_sent: bytes
    context_info: bytes
    view_once: bytes
    ephemeral: bytes
    reaction: bytes
    poll: bytes
    poll_update: bytes
    keep_in_chat: bytes
    document_with_caption: bytes
    view_once_v2: bytes
    encrypted_reaction: bytes
    edited: bytes
    poll_v3: bytes
    round_video: bytes
    placeholder: bytes
    album: bytes
    sticker_pack: bytes
    def __init__(self, conversation: _Optional[str] = ..., sender_key_distribution: _Optional[bytes] = ..., image: _Optional[bytes] = ..., contact: _Optional[bytes] = ..., location: _Optional[bytes] = ..., extended_text: _Optional[_Union[ExtendedText, _Mapping]] = ..., document: _Optional[bytes] = ..., audio: _Optional[bytes] = ..., video: _Optional[bytes] = ..., call: _Optional[bytes] = ..., protocol: _Optional[bytes] = ..., contacts: _Optional[bytes] = ..., live_location: _Optional[bytes] = ..., sticker: _Optional[bytes] = ..., group_invite: _Optional[bytes] = ..., device_sent: _Optional[bytes] = ..., context_info: _Optional[bytes] = ..., view_once: _Optional[bytes] = ..., ephemeral: _Optional[bytes] = ..., reaction: _Optional[bytes] = ..., poll: _Optional[bytes] = ..., poll_update: _Optional[bytes] = ..., keep_in_chat: _Optional[bytes] = ..., document_with_caption: _Optional[bytes] = ..., view_once_v2: _Optional[bytes] = ..., encrypted_reaction: _Optional[bytes] = ..., edited: _Optional[bytes] = ..., poll_v3: _Optional[bytes] = ..., round_video: _Optional[bytes] = ..., placeholder: _Optional[bytes] = ..., album: _Optional[bytes] = ..., sticker_pack: _Optional[bytes] = ...) -> None: ...

class ExtendedText(_message.Message):
    __slots__ = ("text", "context_info")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_INFO_FIELD_NUMBER: _ClassVar[int]
    text: str
    context_info: bytes
    def __init__(self, text: _Optional[str] = ..., context_info: _Optional[bytes] = ...) -> None: ...

class ContextInfo(_message.Message):
    __slots__ = ("stanza_id", "participant", "quoted_message", "expiration")
    STANZA_ID_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANT_FIELD_NUMBER: _ClassVar[int]
    QUOTED_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_FIELD_NUMBER: _ClassVar[int]
    stanza_id: str
    participant: str
    quoted_message: bytes
    expiration: int
    def __init__(self, stanza_id: _Optional[str] = ..., participant: _Optional[str] = ..., quoted_message: _Optional[bytes] = ..., expiration: _Optional[int] = ...) -> None: ...
