"""Strategies for the vocabulary's values, and the way through the codec."""

from __future__ import annotations

from hypothesis import strategies as st

from bridge.ids import Jid
from bridge.wire.stanza import Stanza, decode, encode
from bridge.wire.vocabulary import PeopleNames
from bridge.wire.vocabulary.keys import PublicBundle, PublicPreKey, PublicSignedPreKey, UploadedKeys
from tests.wire.support import jids

NAMES = PeopleNames(xmlns="between", resolve="who", reach="knock", delete="forget")
CONTACT = Jid("4915112345678", "s.whatsapp.net")
US = Jid("10853634039893", "interop", 7)
SERVER = Jid("", "s.whatsapp.net")
T = 1_790_000_000

ids = st.text("0123456789ABCDEFabc", min_size=1, max_size=30)
words = st.text("abcdefgh_", min_size=1, max_size=12)
times = st.none() | st.integers(0, 10**15 - 1)
counts = st.integers(0, 10**9)
persons = jids.filter(lambda jid: bool(jid.user))
key_ids = st.integers(0, 2**24 - 1)
public_keys = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)
registrations = st.integers(1, 16_380)

prekeys = st.builds(PublicPreKey, key_ids, public_keys)
signed_prekeys = st.builds(PublicSignedPreKey, key_ids, public_keys, signatures)
uploads = st.builds(
    UploadedKeys,
    registrations,
    public_keys,
    signed_prekeys,
    st.lists(prekeys, max_size=5, unique_by=lambda key: key.id).map(tuple),
)
bundles = st.one_of(
    st.builds(PublicBundle, registrations, public_keys, key_ids, public_keys, signatures),
    st.builds(
        PublicBundle, registrations, public_keys, key_ids, public_keys, signatures, key_ids, public_keys
    ),
)


def sent(stanza: Stanza) -> Stanza:
    """``stanza`` as the other end reads it."""
    return decode(encode(stanza))


def without(stanza: Stanza, *names: str) -> Stanza:
    """``stanza`` without these attributes."""
    return Stanza(
        stanza.tag,
        {name: value for name, value in stanza.attributes.items() if name not in names},
        stanza.content,
    )


def changed(stanza: Stanza, **values: str) -> Stanza:
    """``stanza`` with other attributes; ``_`` at the end of a name is dropped."""
    extra = {name.removesuffix("_"): value for name, value in values.items()}
    return Stanza(stanza.tag, {**stanza.attributes, **extra}, stanza.content)
