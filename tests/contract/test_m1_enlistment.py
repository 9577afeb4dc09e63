"""M1: enlistment and every reason of a refusal (dossier 12.2, 12.11)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.ids import Jid
from bridge.sandbox.rules.reasons import EnlistRefusal
from tests.contract.bare_client import BareClient, base64url
from tests.contract.conftest import NewClient
from tests.contract.support import Partner, Running, SandboxControl, signing_key

LOW_ORDER = bytes(32)


def word(running: Running, condition: EnlistRefusal) -> str:
    return running.variant.enlist[condition].word


async def refused(client: BareClient, form: dict[str, str]) -> Any:
    answer = await client.post(form)
    assert answer["status"] == "fail" and "login" not in answer, answer
    return answer["reason"]


async def test_enlistment_returns_a_jid_of_our_integrator(new_client: NewClient, running: Running) -> None:
    jid = await new_client().enlist()
    assert (jid.server, jid.integrator) == ("interop", running.profile.own.integrator)
    assert int(jid.user) > 2**32


async def test_same_identifier_keeps_its_jid(new_client: NewClient) -> None:
    client = new_client()
    first = await client.enlist()
    assert await client.enlist() == first
    client.new_keys()
    assert await client.enlist() == first
    assert await new_client().enlist() != first


async def test_contacts_hear_of_an_identity_change_only(alice: BareClient, control: SandboxControl) -> None:
    (jonas,) = [each for each in await people(control) if each["name"] == "Jonas Weber"]
    await alice.write(Jid.parse(jonas["jid"]), "hello")
    await alice.enlist()
    alice.new_keys()
    await alice.enlist()
    changes = (await control.person(jonas["jid"]))["identity_changes"]
    assert changes.count(str(alice.jid)) == 1


async def people(control: SandboxControl) -> list[Any]:
    return list((await control.call("GET", "/people"))["people"])


BAD_FORMS: list[tuple[str, dict[str, str | None], EnlistRefusal]] = [
    ("no key", {"authkey": None}, EnlistRefusal.MISSING_PARAM),
    ("no token", {"token": None}, EnlistRefusal.MISSING_PARAM),
    ("an empty value", {"e_ident": ""}, EnlistRefusal.MISSING_PARAM),
    ("a short key", {"authkey": base64url(bytes(31))}, EnlistRefusal.BAD_PARAM),
    ("padding", {"e_keytype": "BQ=="}, EnlistRefusal.BAD_PARAM),
    ("the other alphabet", {"e_skey_id": "+/+/"}, EnlistRefusal.BAD_PARAM),
    ("no base64", {"e_skey_sig": "!" * 86}, EnlistRefusal.BAD_PARAM),
    ("a long token", {"token": "x" * 4097}, EnlistRefusal.BAD_PARAM),
    ("registration 0", {"e_regid": base64url(bytes(4))}, EnlistRefusal.BAD_PARAM),
    ("a version without sense", {"version": "1.x"}, EnlistRefusal.BAD_PARAM),
    ("another curve", {"e_keytype": base64url(b"\x06")}, EnlistRefusal.BAD_KEY),
    ("a key everybody knows", {"e_ident": base64url(LOW_ORDER)}, EnlistRefusal.BAD_KEY),
    ("a signature of somebody", {"e_skey_sig": base64url(bytes(64))}, EnlistRefusal.BAD_SIGNATURE),
    ("no token at all", {"token": "nonsense"}, EnlistRefusal.BAD_TOKEN),
    ("an old program", {"version": "0.9.9"}, EnlistRefusal.OLD_VERSION),
]


@pytest.mark.parametrize(
    ("changes", "condition"), [row[1:] for row in BAD_FORMS], ids=[r[0] for r in BAD_FORMS]
)
async def test_invalid_form_is_refused_with_its_reason(
    new_client: NewClient, running: Running, changes: dict[str, str | None], condition: EnlistRefusal
) -> None:
    client = new_client()
    assert await refused(client, client.form(**changes)) == word(running, condition)


async def test_repeated_argument_is_refused(new_client: NewClient, running: Running) -> None:
    client = new_client()
    form = list(client.form().items())
    answer = await client.post([*form, form[0]])  # type: ignore[arg-type]  # pairs are a form as well
    assert answer["reason"] == word(running, EnlistRefusal.BAD_PARAM)


Change = Callable[[dict[str, Any], Partner], dict[str, Any]]
BAD_CLAIMS: list[tuple[str, Change, EnlistRefusal]] = [
    ("a partner nobody knows", lambda c, p: {**c, "iss": "somebody"}, EnlistRefusal.BAD_INTEGRATOR),
    ("another audience", lambda c, p: {**c, "aud": "elsewhere"}, EnlistRefusal.BAD_TOKEN),
    ("several audiences", lambda c, p: {**c, "aud": [c["aud"], "elsewhere"]}, EnlistRefusal.BAD_TOKEN),
    ("no subject", lambda c, p: without(c, "sub"), EnlistRefusal.BAD_TOKEN),
    ("no end", lambda c, p: without(c, "exp"), EnlistRefusal.BAD_TOKEN),
    ("no beginning", lambda c, p: without(c, "iat"), EnlistRefusal.BAD_TOKEN),
    ("no number", lambda c, p: without(c, "jti"), EnlistRefusal.BAD_TOKEN),
    ("no name", lambda c, p: without(c, p.profile.token.claims.name), EnlistRefusal.BAD_TOKEN),
    ("no binding", lambda c, p: without(c, p.profile.token.claims.confirmation), EnlistRefusal.BAD_TOKEN),
    ("too long a life", lambda c, p: {**c, "exp": c["iat"] + 601}, EnlistRefusal.BAD_TOKEN),
    (
        "from the future",
        lambda c, p: {**c, "iat": c["iat"] + 90, "exp": c["exp"] + 90},
        EnlistRefusal.BAD_TOKEN,
    ),
    ("over", lambda c, p: {**c, "iat": c["iat"] - 600, "exp": c["iat"] - 90}, EnlistRefusal.TOKEN_EXPIRED),
    ("an unprintable subject", lambda c, p: {**c, "sub": "a\x00b"}, EnlistRefusal.BAD_TOKEN),
]


def without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


@pytest.mark.parametrize(("change", "condition"), [r[1:] for r in BAD_CLAIMS], ids=[r[0] for r in BAD_CLAIMS])
async def test_token_with_invalid_claims_is_refused(
    new_client: NewClient, running: Running, change: Change, condition: EnlistRefusal
) -> None:
    client = new_client()
    claims = change(client.claims(), client.partner)
    form = client.form(token=client.partner.sign(claims))
    assert await refused(client, form) == word(running, condition)


@pytest.mark.parametrize("which", ["auth_key", "identity"])
async def test_token_bound_to_another_key_is_refused(
    new_client: NewClient, running: Running, which: str
) -> None:
    client = new_client()
    rules, claims = client.partner.profile.token.claims, client.claims()
    claims[rules.confirmation][getattr(rules, which)] = hashlib.sha256(b"another key").hexdigest()
    form = client.form(token=client.partner.sign(claims))
    assert await refused(client, form) == word(running, EnlistRefusal.BAD_TOKEN)


async def test_token_with_another_signer_or_algorithm_is_refused(
    new_client: NewClient, running: Running
) -> None:
    client = new_client()
    partner, claims = client.partner, client.claims()
    forged = [
        partner.sign(claims, key="somebody"),
        jwt.encode(claims, "", algorithm="none", headers={"kid": partner.kid}),
        keyed_with_the_public_key(claims, partner.kid),
        jwt.encode(claims, signing_key(), algorithm="RS512", headers={"kid": partner.kid}),
        jwt.encode(claims, signing_key(), algorithm="RS256"),
    ]
    for token in forged:
        assert await refused(client, client.form(token=token)) == word(running, EnlistRefusal.BAD_TOKEN)


def keyed_with_the_public_key(claims: dict[str, Any], kid: str) -> str:
    """Algorithm confusion: HS256 with the public key as the secret. JWT libraries refuse to make one."""
    public = signing_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    head = {"alg": "HS256", "typ": "JWT", "kid": kid}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
    return signed + "." + base64url(hmac.digest(public, signed.encode(), "sha256"))


async def test_token_is_accepted_for_one_enlistment_only(new_client: NewClient, running: Running) -> None:
    client = new_client()
    form = client.form()
    assert (await client.post(form))["status"] == "ok"
    assert await refused(client, form) == word(running, EnlistRefusal.BAD_TOKEN)


async def test_auth_key_of_another_user_is_refused(new_client: NewClient, running: Running) -> None:
    one, other = new_client(), new_client()
    await one.enlist()
    other.static = one.static
    reason = await refused(other, other.form())
    assert reason == word(running, EnlistRefusal.IDENTIFIER_MISMATCH)


@pytest.mark.parametrize("condition", [EnlistRefusal.BLOCKED, EnlistRefusal.NOT_ELIGIBLE])
async def test_blocked_or_ineligible_user_is_refused(
    new_client: NewClient, control: SandboxControl, running: Running, condition: EnlistRefusal
) -> None:
    client = new_client()
    await control.registry(**{condition.value: [client.identifier]})
    assert await refused(client, client.form()) == word(running, condition)
    await control.registry(**{condition.value: []})
    await client.enlist()


async def test_too_many_enlistments_are_refused_with_retry_after(
    new_client: NewClient, running: Running
) -> None:
    client = new_client()
    for _ in range(running.variant.allowances.enlistments_burst):
        await client.enlist()
    answer = await client.post(client.form())
    assert answer["reason"] == word(running, EnlistRefusal.TOO_MANY)
    assert 1 <= answer["retry_after"] <= running.variant.allowances.enlistments_refill_s


async def test_removed_partner_is_refused_until_restored(
    new_client: NewClient, control: SandboxControl, running: Running
) -> None:
    client = new_client()
    await control.registry(partner_registered=False)
    reason = await refused(client, client.form())
    await control.registry(partner_registered=True)
    assert reason == word(running, EnlistRefusal.BAD_INTEGRATOR)
    await client.enlist()


async def test_unknown_kid_triggers_a_key_fetch(new_client: NewClient, partner: Partner) -> None:
    client = new_client()
    before = await client.enlist()
    partner.keys = {"key-1": "partner", f"next {client.identifier}": "next"}
    partner.kid = f"next {client.identifier}"
    assert await client.enlist() == before


async def test_unknown_kid_is_fetched_at_most_once_a_minute(
    new_client: NewClient, partner: Partner, running: Running
) -> None:
    client = new_client()
    await client.enlist()
    before = partner.key_fetches
    for number in range(5):
        token = partner.sign(client.claims(), kid=f"unheard of {number}")
        assert await refused(client, client.form(token=token)) == word(running, EnlistRefusal.BAD_TOKEN)
    assert partner.key_fetches - before <= 1


async def test_key_fetch_failure_answers_temporarily_unavailable(
    new_client: NewClient, control: SandboxControl, running: Running
) -> None:
    client = new_client()
    await control.fault("jwks_outage")
    assert await refused(client, client.form()) == word(running, EnlistRefusal.UNAVAILABLE)
    await client.enlist()


async def test_unknown_kid_fault_answers_bad_token(
    new_client: NewClient, control: SandboxControl, running: Running
) -> None:
    client = new_client()
    await control.fault("unknown_kid")
    assert await refused(client, client.form()) == word(running, EnlistRefusal.BAD_TOKEN)
    await client.enlist()


@pytest.mark.parametrize("condition", list(EnlistRefusal), ids=lambda each: each.value)
async def test_every_enlistment_refusal_can_be_forced(
    new_client: NewClient, control: SandboxControl, running: Running, condition: EnlistRefusal
) -> None:
    client = new_client()
    await control.fault("refuse_enlistment", condition=condition.value, retry_after=7)
    answer = await client.post(client.form())
    assert answer == {"status": "fail", "reason": word(running, condition), "retry_after": 7}
    assert word(running, condition) in running.profile.enlist.reasons
    await client.enlist()
