"""A gatekeeper in memory: no socket, no clock, seeded randomness."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bridge.curve import KeyPair, key_pair
from bridge.e2ee.keys import new_own_keys, new_signed_prekey
from bridge.ids import Jid
from bridge.sandbox.connections import Connections, HangUp, ServerKeys, Write
from bridge.sandbox.edges.folder import load_variant
from bridge.sandbox.gatekeeper import Gatekeeper
from bridge.sandbox.rules.outputs import FetchKeys, WakeUp
from bridge.sandbox.rules.state import PushSigner, State, make_state
from bridge.sandbox.rules.variant import profile, profile_data
from bridge.wire.connection import ClientConnection, StanzaReceived
from bridge.wire.login import ClientPayload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import PeopleNames, Word, parse

NOW = 1_790_000_000.0
PARTNER = "http://127.0.0.1:9"
KID = "key-1"


def dice(seed: str) -> Callable[[int], bytes]:
    """Deterministic randomness: SHA-256 in counter mode over a seed."""
    state = [0]

    def draw(count: int) -> bytes:
        out = b""
        while len(out) < count:
            state[0] += 1
            out += hashlib.sha256(f"{seed}/{state[0]}".encode()).digest()
        return out[:count]

    return draw


def pair(name: str) -> KeyPair:
    return key_pair(hashlib.sha256(name.encode()).digest())


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_world(variant: str = "default", seed: str = "world") -> State:
    """An empty network with one partner."""
    seen = load_variant(variant)
    data = profile_data(
        seen,
        host="127.0.0.1",
        chat_port=1,
        web_port=2,
        root_key=pair("root").public,
        partner_url=PARTNER,
        clock_offset_file="clock-offset",
    )
    signer = PushSigner("push-1", pem(rsa_key()))
    return make_state(profile(data), seen, dice(seed), signer, b"seed", PARTNER)


def key_set(*keys: tuple[str, rsa.RSAPrivateKey]) -> bytes:
    """A partner's key set."""
    made = []
    for kid, key in keys or ((KID, rsa_key()),):
        entry = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        made.append({**entry, "kid": kid, "use": "sig", "alg": "RS256"})
    return json.dumps({"keys": made}).encode()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class User:
    """A partner's user in memory; ``seen``: everything received, parsed."""

    def __init__(self, world: Memory, identifier: str) -> None:
        self.world, self.identifier = world, identifier
        self.rng = dice(identifier)
        self.static = key_pair(self.rng(32))
        self.own = new_own_keys(self.rng)
        self.signed = new_signed_prekey(self.own, 1, self.rng)
        self.jid = Jid("", "")
        self.link = 0
        self.seen: list[Word] = []
        self.connection: ClientConnection | None = None
        self._tokens = 0

    def claims(self, now: float) -> dict[str, Any]:
        rules = self.world.state.profile.token
        self._tokens += 1
        return {
            "iss": self.world.state.profile.own.iss,
            "aud": rules.aud,
            "sub": self.identifier,
            rules.claims.name: "Alice",
            "iat": int(now),
            "exp": int(now) + rules.ttl_s,
            "jti": str(self._tokens),
            rules.claims.confirmation: {
                rules.claims.auth_key: hashlib.sha256(self.static.public).hexdigest(),
                rules.claims.identity: hashlib.sha256(self.own.identity.public).hexdigest(),
            },
        }

    def token(self, now: float, **changes: Any) -> str:
        return jwt.encode(self.claims(now) | changes, rsa_key(), algorithm="RS256", headers={"kid": KID})

    def form(self, token: str) -> dict[str, list[str]]:
        fields = {
            "authkey": self.static.public,
            "e_keytype": b"\x05",
            "e_regid": self.own.registration_id.to_bytes(4, "big"),
            "e_ident": self.own.identity.public,
            "e_skey_id": self.signed.id.to_bytes(3, "big"),
            "e_skey_val": self.signed.pair.public,
            "e_skey_sig": self.signed.signature,
        }
        return {"token": [token], **{name: [base64url(value)] for name, value in fields.items()}}

    def enlist(self) -> Any:
        world = self.world
        reply = world.enlist(self.form(self.token(world.now)))
        if reply["status"] == "ok":
            self.jid = Jid.parse(reply["login"])
        return reply

    def log_in(self) -> None:
        """Connect through frames and Noise."""
        state = self.world.state
        login = ClientPayload(
            int(self.jid.user), self.token(self.world.now).encode(), True, state.profile.chat.protocol_version
        )
        self.seen = []
        self.connection = ClientConnection(
            static=self.static,
            ephemeral=key_pair(self.rng(32)),
            header=state.profile.chat.header,
            prologue=state.profile.chat.prologue,
            mix_empty_payload=state.profile.chat.mix_empty_payload,
            root_key=state.profile.chat.root_key,
            login=login.to_bytes(),
            now=self.world.now,
        )
        self.link = self.world.connections.open(self.world.now)
        self.world.carry()

    def send(self, stanza: Stanza) -> None:
        assert self.connection is not None
        self.connection.send(stanza)
        self.world.carry()


class Memory:
    """The gatekeeper, its links and its users; bytes are carried until none are left."""

    def __init__(self, variant: str = "default", seed: str = "world") -> None:
        self.state = make_world(variant, seed)
        self.gatekeeper = Gatekeeper(self.state)
        keys = ServerKeys(pair("root"), pair("intermediate"), pair("server"))
        self.connections = Connections(self.gatekeeper, keys)
        self.now = NOW
        self.users: list[User] = []
        self.pushes: list[WakeUp] = []
        self.hung_up: list[int] = []
        self.bytes_sent = b""
        self.key_fetches = 0
        seen = self.state.profile.stanzas
        self.names = PeopleNames(seen.namespace, seen.resolve, seen.reach, seen.delete)

    def user(self, identifier: str) -> User:
        self.users.append(User(self, identifier))
        return self.users[-1]

    def enlist(self, form: dict[str, list[str]]) -> Any:
        reply = self.gatekeeper.enlist(form, self.now, may_fetch=True)
        if isinstance(reply, FetchKeys):
            self._fetch(reply)
            reply = self.gatekeeper.enlist(form, self.now, may_fetch=False)
        self.carry()
        return reply

    def carry(self) -> None:
        """Carry bytes both ways until none are left."""
        moved = True
        while moved:
            moved = False
            for user in self.users:
                data = user.connection.data_to_send() if user.connection is not None else b""
                if data:
                    moved = True
                    needed = self.connections.receive(user.link, data, self.now)
                    if needed is not None:
                        self._fetch(needed)
                        assert self.connections.resume(user.link, self.now, may_fetch=False) is None
            for effect in self.connections.take_effects(self.now):
                moved = True
                self._do(effect)

    def _do(self, effect: Write | HangUp | WakeUp) -> None:
        match effect:
            case WakeUp():
                self.pushes.append(effect)
            case HangUp():
                self.hung_up.append(effect.connection)
            case Write():
                self.bytes_sent += effect.data
                for user in self.users:
                    if user.link == effect.connection:
                        self._receive(user, effect.data)

    def _receive(self, user: User, data: bytes) -> None:
        assert user.connection is not None
        for event in user.connection.receive(data):
            if isinstance(event, StanzaReceived):
                user.seen.append(parse(event.stanza, "from", self.names))

    def _fetch(self, needed: FetchKeys) -> None:
        self.key_fetches += 1
        self.gatekeeper.keys_fetched(needed.integrator, key_set(), self.now)
