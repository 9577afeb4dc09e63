"""``<iq>`` requests: keep-alive, prekey directory, people."""

from __future__ import annotations

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.sandbox.rules.chat import delivery, reachability
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.reasons import IqCode
from bridge.sandbox.rules.state import State
from bridge.wire.vocabulary import iq, notification, people, prekeys
from bridge.wire.vocabulary.iq import IqError
from bridge.wire.vocabulary.keys import PublicBundle, UploadedKeys


def handle(state: State, asker: Jid, request: iq.Request, now: float) -> None:
    """Answer a request; an unknown one gets an error."""
    if iq.is_ping(request):
        if not state.faults.take(Kind.SILENT, asker):
            delivery.reply(state, asker, iq.Result(request.id).to_stanza())
        return
    try:
        if request.xmlns == prekeys.XMLNS:
            _about_keys(state, asker, request, prekeys.parse_request(request), now)
        elif request.xmlns == state.names.xmlns:
            _about_people(state, asker, request, people.parse_request(request, state.names), now)
        else:
            _refuse(state, asker, request, IqError(IqCode.NOT_IMPLEMENTED))
    except RemoteProtocolError:
        _refuse(state, asker, request, IqError(IqCode.BAD_REQUEST))


def _about_keys(
    state: State, asker: Jid, request: iq.Request, asked: prekeys.PreKeyRequest, now: float
) -> None:
    directory = state.directory
    match asked:
        case UploadedKeys():
            _uploaded(state, asker, request, asked, now)
        case prekeys.RotateRequest():
            _done(state, asker, request, directory.rotate(asker, asked.signed))
        case prekeys.CountRequest():
            held = directory.held.get(asker)
            left = 0 if held is None else len(held.one_time)
            delivery.reply(state, asker, prekeys.count_answer(request.id, left))
        case prekeys.DigestRequest():
            held = directory.held.get(asker)
            if held is None:
                _refuse(state, asker, request, IqError(IqCode.NOT_FOUND))
            else:
                delivery.reply(state, asker, prekeys.digest_answer(request.id, held.digest()))
        case prekeys.FetchRequest():
            found = {jid: _bundle(state, asker, jid, now) for jid in asked.jids}
            delivery.reply(state, asker, prekeys.fetch_answer(request.id, found))
            for jid in asked.jids:
                _after_fetch(state, jid, now)


def _uploaded(state: State, asker: Jid, request: iq.Request, uploaded: UploadedKeys, now: float) -> None:
    """An account's identity is fixed at enlistment; a person's new identity is a reinstall."""
    is_person = asker not in state.registry.accounts
    before = state.directory.held.get(asker)
    error = state.directory.upload(asker, uploaded, may_change_identity=is_person)
    _done(state, asker, request, error)
    if error is None and before is not None and before.identity != uploaded.identity:
        delivery.announce_identity(state, asker, now)


def _bundle(state: State, asker: Jid, target: Jid, now: float) -> PublicBundle | IqError:
    if not reachability.may_contact(state, asker, target):
        return IqError(IqCode.NOT_FOUND)
    one_time = state.faults.take(Kind.PREKEYS_EXHAUSTED, target) is None
    found = state.directory.fetch(asker, target, now, one_time=one_time)
    if isinstance(found, PublicBundle):
        state.registry.known_by.setdefault(target, set()).add(asker)
    return found


def _after_fetch(state: State, target: Jid, now: float) -> None:
    left = state.directory.to_tell_low(target, state.profile.limits.prekeys_low)
    if left is not None:
        what = notification.KeysLow(state.new_id(), state.server, left, int(now))
        delivery.notify(state, target, what, now)
    person = state.people.get(target)
    if person is None:
        return
    if state.faults.take(Kind.ROTATE_AFTER_FETCH, target):
        person.rotate(forget_old=True)
    if state.faults.take(Kind.REINSTALL_AFTER_FETCH, target):
        person.reinstall()


def _about_people(
    state: State, asker: Jid, request: iq.Request, asked: people.PeopleRequest, now: float
) -> None:
    match asked:
        case people.ResolveIdentifier() | people.ResolveJid():
            found = reachability.resolve(state, asker, asked)
            if found is None:
                _refuse(state, asker, request, IqError(IqCode.NOT_FOUND))
            else:
                delivery.reply(state, asker, people.person_answer(request.id, found))
        case people.Reach():
            # The same answer for every target, so that it reveals nothing.
            _done(state, asker, request, None)
            reachability.request(state, asker, asked.jid, now)
        case people.Delete():
            _done(state, asker, request, None)
            delete(state, asker, now)


def delete(state: State, member: Jid, now: float) -> None:
    """Delete an account with all its data; its connection ends."""
    account = state.registry.accounts.get(member)
    if account is None:
        return
    delivery.un_enlist(state, account, now)
    state.registry.forget(account)
    state.directory.held.pop(member, None)
    for askers in state.reach_requests.values():
        askers.discard(member)


def _done(state: State, asker: Jid, request: iq.Request, error: IqError | None) -> None:
    if error is None:
        delivery.reply(state, asker, iq.Result(request.id).to_stanza())
    else:
        _refuse(state, asker, request, error)


def _refuse(state: State, asker: Jid, request: iq.Request, error: IqError) -> None:
    delivery.reply(state, asker, iq.Failure(request.id, error).to_stanza())
