"""The enlistment call: a form with public keys and a token; JSON comes back (interop.md 2.5, 12.2).

Binary values are base64url without padding. The same keys again are the same enlistment, so it is
repeated as it was after a crash or a time-out.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from bridge.errors import LONGEST_ASKED_SECONDS, TryAgain
from bridge.ids import Jid
from bridge.network.connector import Enlisted, Enlistment, EnlistRefused
from bridge.network.errors import UNKNOWN_ENLIST_REASON
from bridge.network.interop.login import account_id
from bridge.network.tokens import IdentityTokens
from bridge.ports import Step, Web, WebAnswer
from bridge.profile import Profile

KEY_TYPE_CURVE25519 = b"\x05"
REGISTRATION_ID_BYTES = 4
PREKEY_ID_BYTES = 3
VERSION = "version"
"""The argument that the public table leaves out although a version is checked: our choice of name."""
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_ANSWER_BYTES = 64 * 1024
"""An answer has some 60 bytes; a proxy's page of words is not read to its end."""
MAX_REASON_CHARACTERS = 64
"""The longest reason in use has 24; longer ones are not logged."""


def form(enlistment: Enlistment, token: str, version: tuple[int, int, int]) -> bytes:
    """The body of the call, field sizes as in interop.md 2.5."""
    own, signed = enlistment.own, enlistment.signed
    fields = {
        "authkey": base64url(enlistment.static.public),
        "e_keytype": base64url(KEY_TYPE_CURVE25519),
        "e_regid": base64url(own.registration_id.to_bytes(REGISTRATION_ID_BYTES, "big")),
        "e_ident": base64url(own.identity.public),
        "e_skey_id": base64url(signed.id.to_bytes(PREKEY_ID_BYTES, "big")),
        "e_skey_val": base64url(signed.pair.public),
        "e_skey_sig": base64url(signed.signature),
        "token": token,
        VERSION: ".".join(str(number) for number in version),
    }
    return urlencode(fields).encode()


def read_answer(answer: WebAnswer, profile: Profile) -> Enlisted | EnlistRefused:
    """What came back; ``TryAgain`` when it is not an answer of the network."""
    if answer.status != 200:
        raise TryAgain(f"enlist: HTTP {answer.status}", after=_seconds(answer.headers.get("retry-after")))
    fields = _object(answer.body)
    if fields.get("status") == "ok":
        return Enlisted(_login(fields, profile))
    reason = fields.get("reason")
    if fields.get("status") != "fail" or not isinstance(reason, str):
        raise TryAgain("enlist: an answer without a meaning")
    known = profile.enlist.reasons.get(reason, UNKNOWN_ENLIST_REASON)
    return EnlistRefused(reason[:MAX_REASON_CHARACTERS], known, _seconds(fields.get("retry_after")))


async def enlist(
    enlistment: Enlistment, *, profile: Profile, tokens: IdentityTokens, web: Web
) -> Enlisted | EnlistRefused:
    """Make the call once, with a fresh token; ``TryAgain`` when no answer came (it may have happened)."""
    token = tokens.make(enlistment.subject)
    answer = await web.request(
        "POST",
        profile.enlist.url,
        step=Step.ENLIST,
        headers={"Content-Type": FORM_TYPE},
        body=form(enlistment, token, profile.chat.protocol_version),
        max_bytes=MAX_ANSWER_BYTES,
        timeout=profile.enlist.timeout_s,
    )
    return read_answer(answer, profile)


def base64url(data: bytes) -> str:
    """RFC 4648 section 5, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _login(fields: Mapping[str, Any], profile: Profile) -> Jid:
    try:
        jid = Jid.parse(str(fields.get("login")))
        account_id(jid)
    except ValueError as error:
        raise TryAgain("enlist: the answer names no account") from error
    if not profile.is_ours(jid):
        raise TryAgain("enlist: the answer names another partner's account")
    return jid


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise TryAgain("enlist: an answer that is not JSON") from error
    if not isinstance(value, dict):
        raise TryAgain("enlist: an answer that is not an object")
    return value


def _seconds(value: object) -> float | None:
    """Seconds, from a number or its printed form, an hour at most; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_ASKED_SECONDS) if seconds >= 0 and math.isfinite(seconds) else None
