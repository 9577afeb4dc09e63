"""Opening a connection: dial, Noise handshake, login, and the server's word on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.curve import KEY_BYTES, key_pair
from bridge.errors import LONGEST_ASKED_SECONDS, RemoteProtocolError, TryAgain
from bridge.ids import Jid
from bridge.network.connector import Credentials
from bridge.network.errors import UNKNOWN_LOGIN_FAILURE, LoginRefused
from bridge.network.tokens import IdentityTokens
from bridge.ports import Clock, Dialer, Random, Step, Stream
from bridge.profile import Profile
from bridge.wire.connection import ClientConnection, ConnectionEnded, Event, StanzaReceived, StanzaUnreadable
from bridge.wire.login import MAX_ACCOUNT_ID, ClientPayload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import login
from bridge.wire.vocabulary.login import LoginFailure, StreamError

DIAL_SECONDS = 15.0
"""A TCP connection takes two round trips; this allows for three lost packets."""
LOGIN_SECONDS = 30.0
"""Handshake and login together are three round trips and one lookup on the server."""
LONGEST_BAN_SECONDS = 86_400.0
"""A ban is not a wait: asking every hour for weeks makes it worse. Asking once a day finds one that was
lifted early, and a time that is a mistake keeps nobody away for ever."""
RETRY_AFTER_DETAILS = {"retry_after": LONGEST_ASKED_SECONDS, "expire": LONGEST_BAN_SECONDS}
"""Attributes of a refusal that say for how many seconds it stands, and how many of them are believed."""


@dataclass(frozen=True)
class LoggedIn:
    """A connection whose login was accepted; ``waiting`` arrived in one piece with the acceptance."""

    stream: Stream
    connection: ClientConnection
    server_time: int | None
    waiting: Sequence[Event]


@dataclass(frozen=True)
class Opener:
    """What every opening needs."""

    profile: Profile
    tokens: IdentityTokens
    dialer: Dialer
    clock: Clock
    random: Random

    async def open(self, credentials: Credentials, reason: int) -> LoggedIn:
        """Log in. ``LoginRefused`` when the network says no, ``TryAgain`` for everything else."""
        chat = self.profile.chat
        payload = self._payload(credentials, reason)
        stream = await self.dialer.dial(chat.host, chat.port, timeout=DIAL_SECONDS)
        connection = ClientConnection(
            static=credentials.static,
            ephemeral=key_pair(self.random.bytes(KEY_BYTES)),
            header=chat.header,
            prologue=chat.prologue,
            mix_empty_payload=chat.mix_empty_payload,
            root_key=chat.root_key,
            login=payload.to_bytes(),
            now=self.clock.now(),
        )
        accepted = False
        try:
            async with self.clock.limit(LOGIN_SECONDS):
                logged_in = await self._log_in(stream, connection)
            accepted = True
        except TimeoutError as error:
            raise TryAgain(f"login: no answer in {LOGIN_SECONDS:.0f} s") from error
        except RemoteProtocolError as error:
            raise TryAgain(f"login: {error}") from error
        finally:
            if not accepted:
                await stream.close()
        return logged_in

    def _payload(self, credentials: Credentials, reason: int) -> ClientPayload:
        return ClientPayload(
            account_id=account_id(credentials.login),
            token=self.tokens.make(credentials.subject).encode(),
            read_receipts=credentials.read_receipts,
            version=self.profile.chat.protocol_version,
            connect_reason=reason,
        )

    async def _log_in(self, stream: Stream, connection: ClientConnection) -> LoggedIn:
        while True:
            data = connection.data_to_send()
            if data:
                await stream.send(data, step=Step.HANDSHAKE)
            events = connection.receive(await stream.receive())
            for position, event in enumerate(events):
                if isinstance(event, ConnectionEnded):
                    raise TryAgain("login: the connection ended")
                if isinstance(event, StanzaUnreadable):
                    raise TryAgain("login: the server's word cannot be read")
                if isinstance(event, StanzaReceived):
                    time = self._accepted(event.stanza)
                    return LoggedIn(stream, connection, time, events[position + 1 :])

    def _accepted(self, stanza: Stanza) -> int | None:
        """The server's time in its acceptance; anything else is an error."""
        word = login.parse(stanza)
        if isinstance(word, LoginFailure):
            raise refusal(word, self.profile)
        if isinstance(word, StreamError):
            raise TryAgain(f"login: the server ends the connection ({word.code})")
        return word.t


def refusal(word: LoginFailure, profile: Profile) -> LoginRefused:
    """What the profile says of a refusal; one it does not list suspends the account."""
    reason = profile.login_failures.get(word.reason, UNKNOWN_LOGIN_FAILURE)
    named = (
        min(float(text), longest)
        for name, longest in RETRY_AFTER_DETAILS.items()
        if (text := word.details.get(name, "")).isascii() and text.isdigit()
    )
    return LoginRefused(word.reason, reason, retry_after=next(named, None))


def account_id(login_jid: Jid) -> int:
    """The number in our internal identifier, which a login names; ValueError when there is none."""
    user = login_jid.user
    if not (user.isascii() and user.isdigit()) or int(user) > MAX_ACCOUNT_ID:
        raise ValueError("our internal identifier has no account number of 64 bits")
    return int(user)
