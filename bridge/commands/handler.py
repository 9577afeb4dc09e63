"""The bot listens: what was said in a management room becomes answers and acts, in one commit."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bridge.commands import table
from bridge.commands.dialogue import Agree, Answer, Leave, Talk, begin_opt_in, begin_opt_out, go_on
from bridge.commands.identifiers import find_service, normalise
from bridge.commands.standing import why_not
from bridge.commands.table import Command, Spoken
from bridge.content import Text, Unknown
from bridge.flow import outbox
from bridge.flow.accounts.enlist import Enlisting
from bridge.flow.accounts.leave import Leaving
from bridge.flow.contacts.start_chat import Chats
from bridge.flow.context import Parts
from bridge.ids import UserId
from bridge.labels import protection
from bridge.lifecycle.reminders import DAY_S
from bridge.matrix import events
from bridge.policy import Act, Allow
from bridge.ports import Row
from bridge.profile import Service
from bridge.sentences import Sentence, render, say
from bridge.states import AccountState
from bridge.store import kinds
from bridge.store.journal import Entry, New
from bridge.store.tables import accounts, contacts
from bridge.store.tables.accounts import Account

EXAMPLES = {"phone": "+49 151 0000001", "email": "anna@firm.example", "handle": "@tom"}
"""An identifier of each kind, to show what is meant; in the sandbox they are somebody's."""


class Commands:
    """Answers what users say to the bot."""

    def __init__(self, parts: Parts, enlisting: Enlisting, leaving: Leaving, chats: Chats) -> None:
        self._parts = parts
        self._leaving = leaving
        self._enlisting = enlisting
        self._chats = chats
        self._verbs: Mapping[str, Callable[[_Said], Awaitable[None]]] = {
            table.HELP.name: self._help,
            table.OPT_IN.name: self._opt_in,
            table.OPT_OUT.name: self._opt_out,
            table.MY_ADDRESS.name: self._my_address,
            table.STATUS.name: self._status,
            table.START_CHAT.name: self._start_chat,
            table.PING.name: self._ping,
            table.CANCEL.name: self._cancel,
        }

    async def talk(self, entry: Entry, event: events.Event, owner: UserId, dialogue: str | None) -> None:
        """The step for what is said to the bot; ``dialogue`` is None in a portal, where no talk is kept."""
        content = events.to_content(event)
        if isinstance(content, events.NotBridged):
            await self._parts.journal.settle(entry)
            return
        text = " ".join(part.plain for part in content.parts if isinstance(part, Text))
        account = await accounts.of_user(self._parts.store, event.sender, self._parts.profile.id)
        said = _Said(entry, event, text, Talk.from_text(dialogue or ""), account)
        said.is_elsewhere = dialogue is None
        state = account.state if account is not None else None
        decision = self._parts.decide(Act.TALK, self._parts.facts(event.sender, state))
        if not isinstance(decision, Allow):
            await self._once(said, decision.sentence)
        elif event.sender != owner:
            await self._once(said, say("bot.only_owner", user=owner))
        elif Unknown("encrypted") in content.parts:
            await self._cannot_read(entry, event)
        else:
            await self._understand(said)

    async def _once(self, said: _Said, sentence: Sentence) -> None:
        """Tell somebody who may not talk to the bot so, once in a room."""
        notice = outbox.Notice(said.event.room, sentence)
        key = f"refused/{said.event.room}/{said.event.sender}/{sentence.key}"
        await self._parts.journal.settle(said.entry, notice.owed(key))

    async def _cannot_read(self, entry: Entry, event: events.Event) -> None:
        """An encrypted room: say so in clear, and invite the user to one that the bot can read."""
        notice = outbox.Notice(event.room, say("room.encrypted"), event.id, event.sender)
        body = json.dumps({"user": event.sender}).encode()
        invite = New(outbox.OPEN_ROOM, f"open-room:{event.sender}", event.room, body)
        await self._parts.journal.settle(entry, notice.owed(f"encrypted/{event.id}"), invite)

    async def _understand(self, said: _Said) -> None:
        """A command is always one, also in the middle of a talk, but for the words a talk asks for."""
        spoken = table.parse(said.text, self._parts.settings.command_prefix)
        if said.talk.at and spoken is None:
            await self._go_on(said)
        elif spoken is None:
            await self._answer(said, say("bot.not_understood"))
        elif self._parts.settings.level_of(said.event.sender) < spoken.command.level:
            taken = said.account is not None
            await self._answer(
                said, say("policy.permission_taken" if taken else "policy.no_account_permitted")
            )
        else:
            said.spoken = spoken
            if spoken.command in table.TALKS and said.is_elsewhere:
                await self._answer(said, say("talk.own_room"))
                return
            await self._verbs[spoken.command.name](said)

    async def _go_on(self, said: _Said) -> None:
        answer = go_on(said.talk, said.text, said.event.sender)
        match answer.act:
            case Agree() if said.account is not None:
                already = say("opt_in.already", identifier=said.account.identifier)
                await self._answer(said, already)
            case Agree(shown_name, identifier):
                refusal = await self._refuse_agreement(said)
                if refusal is not None:
                    await self._answer(said, refusal)
                    return
                await self._enlisting.agree(
                    said.entry,
                    said.event.room,
                    said.event.sender,
                    shown_name,
                    identifier,
                    *self._notices(said, answer.said),
                )
            case Leave() if said.account is not None:
                await self._leaving.leave(
                    said.entry, said.event.room, said.account, *self._notices(said, answer.said)
                )
            case _:
                await self._keep(said, answer)

    async def _help(self, said: _Said) -> None:
        level = self._parts.settings.level_of(said.event.sender)
        lines = [_help_line(command) for command in table.COMMANDS if command.level <= level]
        more = say("help.more", prefix=self._parts.settings.command_prefix)
        await self._answer(said, say("help.list", lines=_lines(lines), more=more))

    async def _opt_in(self, said: _Said) -> None:
        account, user = said.account, said.event.sender
        if account is not None and account.state in (AccountState.EXPIRED, AccountState.SUSPENDED):
            again = self._notices(said, [say("opt_in.again")])
            await self._enlisting.enlist_again(said.entry, account, *again)
            return
        if account is not None:
            already = say("opt_in.already", identifier=account.identifier)
            await self._answer(said, why_not(account.state) or already)
            return
        refusal = await self._refuse_agreement(said)
        if refusal is not None:
            await self._answer(said, refusal)
            return
        name = user.removeprefix("@").partition(":")[0]
        answer = begin_opt_in(user, name, self._parts.settings.custody, self._parts.profile.label)
        await self._keep(said, answer)

    async def _refuse_agreement(self, said: _Said) -> Sentence | None:
        """Why this user may not have an account; asked again when they agree, for others were quicker."""
        user = said.event.sender
        living = await accounts.living(self._parts.store)
        others = sum(1 for account in living if account.user_id != user)
        decision = self._parts.decide(Act.AGREE, self._parts.facts(user, other_accounts=others))
        return None if isinstance(decision, Allow) else decision.sentence

    async def _opt_out(self, said: _Said) -> None:
        if said.account is None:
            await self._answer(said, say("opt_out.nothing"))
            return
        decision = self._parts.decide(Act.LEAVE, self._parts.facts(said.event.sender, said.account.state))
        if not isinstance(decision, Allow):
            await self._answer(said, decision.sentence)
            return
        known = await contacts.of_account(self._parts.store, said.account.account_id)
        await self._keep(said, begin_opt_out(len(known), self._parts.profile.label))

    async def _my_address(self, said: _Said) -> None:
        unusable = why_not(said.state)
        if said.account is None or unusable is not None:
            await self._answer(said, unusable or say("address.none"))
            return
        await self._answer(
            said,
            say(
                "address.is",
                identifier=said.account.identifier,
                name=said.account.shown_name,
                services=", ".join(map(self._parts.label, self._parts.profile.services)),
            ),
        )

    async def _status(self, said: _Said) -> None:
        account = said.account
        if account is None:
            left = await accounts.has_left(self._parts.store, said.event.sender, self._parts.profile.id)
            await self._answer(said, say("status.left" if left else "status.none"))
            return
        known = await contacts.of_account(self._parts.store, account.account_id)
        await self._answer(
            said,
            say(
                "status.is",
                state=say(f"status.{account.state.value}"),
                label=self._parts.profile.label,
                identifier=account.identifier,
                connected=self._connected(account),
                contacts=len(known),
                protection=protection(self._parts.settings.custody, encrypted_portal=False),
            ),
        )

    def _connected(self, account: Account) -> Sentence:
        if self._chats.is_connected(account.account_id):
            return say("status.now")
        if account.last_connected_at is None:
            return say("status.never")
        days = int((self._parts.clock.now() - account.last_connected_at) // DAY_S)
        return say("status.days_ago", days=days)

    async def _start_chat(self, said: _Said) -> None:
        assert said.spoken is not None
        found = find_service(self._parts.profile.services, said.spoken.arguments)
        if found is None or not found[1]:
            await self._answer(said, say("start_chat.usage", services=self._services()))
            return
        service, typed = found
        identifier = normalise(service, typed)
        if identifier is None:
            await self._answer(said, _bad_identifier(service, typed))
            return
        decision = self._parts.decide(
            Act.NEW_CHAT, self._parts.facts(said.event.sender, said.state, service=service)
        )
        if not isinstance(decision, Allow):
            await self._answer(said, decision.sentence)
            return
        assert said.account is not None
        search = self._chats.search(said.account, said.event, service, identifier)
        notices = self._notices(said, [say("start_chat.searching", service=self._parts.label(service))])
        await self._parts.journal.settle(said.entry, *notices, search)

    async def _ping(self, said: _Said) -> None:
        unusable = why_not(said.state)
        if said.account is None or unusable is not None:
            await self._answer(said, unusable or say("address.none"))
            return
        well = await self._chats.ping(said.account.account_id)
        await self._answer(said, say("ping.well" if well else "ping.not_well"))

    async def _cancel(self, said: _Said) -> None:
        await self._answer(said, say("talk.cancelled"))

    def _services(self) -> str:
        """The words that ``start-chat`` takes."""
        return ", ".join(service.id for service in self._parts.profile.services)

    async def _answer(self, said: _Said, sentence: Sentence) -> None:
        """Say one thing, and leave the talk."""
        await self._keep(said, Answer([sentence]))

    async def _keep(self, said: _Said, answer: Answer) -> None:
        """One unit: the event settled, where the talk stands, and the answers owed."""
        rows = self._parts.journal.rows(*self._notices(said, answer.said))
        dialogue: Row = {
            "room_id": said.event.room,
            "dialogue": answer.talk.to_text(),
            "changed_at": self._parts.clock.now(),
        }
        await self._parts.store.commit(
            kinds.unit(
                kinds.TALKED,
                settle=[{"entry_id": said.entry.entry_id}],
                owe=rows,
                remember=rows,
                dialogue=[dialogue],
            )
        )

    def _notices(self, said: _Said, sentences: Sequence[Sentence]) -> list[New]:
        """The answers, in one lane with all else that the bot has to say to this user."""
        dropped = [say("talk.dropped")] if said.drops_a_question else []
        return [
            outbox.Notice(said.event.room, sentence).owed(
                f"answer/{said.event.id}/{number}", to=said.event.sender
            )
            for number, sentence in enumerate([*dropped, *sentences])
        ]


class _Said:
    """One thing somebody said, and what is needed to answer it."""

    def __init__(
        self, entry: Entry, event: events.Event, text: str, talk: Talk, account: Account | None
    ) -> None:
        self.entry = entry
        self.event = event
        self.text = text
        self.talk = talk
        self.account = account
        self.spoken: Spoken | None = None
        self.is_elsewhere = False

    @property
    def state(self) -> AccountState | None:
        """Where the sender's account stands; None for nobody's."""
        return self.account.state if self.account is not None else None

    @property
    def drops_a_question(self) -> bool:
        """Whether a command came where an answer was awaited."""
        return bool(self.talk.at) and self.spoken not in (None, Spoken(table.CANCEL, ""))


def _help_line(command: Command) -> Sentence:
    return say("help.line", usage=command.usage, summary=say(command.summary))


def _lines(sentences: Sequence[Sentence]) -> str:
    return "\n".join(render(sentence) for sentence in sentences)


def _bad_identifier(service: Service, typed: str) -> Sentence:
    kind = say(f"start_chat.kind_{service.identifier_kind}")
    example = EXAMPLES[service.identifier_kind]
    return say(
        "start_chat.bad_identifier", identifier=typed, kind=kind, service=service.label, example=example
    )
