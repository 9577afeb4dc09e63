"""The English catalogue; the source of every other language.

A sentence says what happened, what follows for the reader, and the next thing to do.
"""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    # The bot's talk
    "bot.greeting": (
        "Hello! I connect Matrix with third-party chats ({label}): one-to-one chats with people on other"
        " messaging services who have opted in. Nothing about you leaves this homeserver until you agree."
        " Say `opt-in` to begin, or `help` (`login` works too) for everything I can do."
    ),
    "bot.greeting_again": (
        "Hello again! We can talk about your third-party chats ({label}) here as well. Say `status` for how they"
        " stand, or `help` for everything I can do."
    ),
    "bot.not_understood": (
        "I did not understand that. Say `help` for what I can do; to write to somebody, use their own room."
    ),
    "bot.not_in_groups": "I talk with one person at a time. Open a direct chat with me; I leave this room.",
    "bot.ghost_invited": (
        "You invited a contact to another room, so they have left it: contacts can be met only in their own chat."
        " Write to them there, or say `start-chat` to open it."
    ),
    "bot.only_owner": "I answer only {user} in this room.",
    "talk.own_room": "We talk about that in our own room. Open a chat with me, or go to it, and say it there.",
    "talk.cancelled": "Cancelled. Nothing was changed.",
    "talk.dropped": "I have dropped what I asked before; nothing was changed.",
    "help.list": "This is what I understand:\n{lines}\n{more}",
    "help.more": "In other rooms, begin a command with `{prefix}`.",
    "help.line": "- `{usage}`: {summary}",
    "help.help": "shows this list",
    "help.opt_in": "explains third-party chats and, when you agree, makes you reachable",
    "help.my_address": "shows the address under which others reach you",
    "help.opt_out": "ends it all: you can no longer be reached, and keys are destroyed",
    "help.status": "shows whether you are reachable, and how many chats you have",
    "help.start_chat": "starts a chat, for example `start-chat whatsapp +49 151 0000001`",
    "help.ping": "connects now, fetches what waits, and says whether all is well",
    "help.cancel": "stops what we are talking about",
    # Opting in and out
    "opt_in.explained": (
        "Third-party chats ({label}) let people on other services write to you, and you to them, when both"
        " sides opted in. What it means:\n"
        "- Text goes one to one. Groups, calls, edits and stickers are not part of it; I say so when"
        " something cannot be sent.\n"
        "- The network learns the name and the identifier you choose now, when you are connected, and with"
        " whom you write, but not what you write.\n"
        "- {protection}\n"
        "- You can leave at any time with `opt-out`."
    ),
    "opt_in.ask_name": (
        "Which name should people see? Write it, or say `ok` for “{default}”. Say `cancel` to stop."
    ),
    "opt_in.name_unusable": (
        "Nothing of that name can be shown. Write another, of at most {longest} characters, or say `ok`."
    ),
    "opt_in.ask_identifier": (
        "Under which identifier should people find you? Say `ok` for {default}, or write {other}."
    ),
    "opt_in.identifier_not_yours": (
        "Only an identifier that your homeserver proves to be yours can be used:"
        " say `ok` for {default}, or write {other}."
    ),
    "opt_in.confirm": (
        "People will see “{name}” and find you as {identifier}. If you accept this and what I explained"
        " above, say `agree`. Say `cancel` to stop; nothing has left this homeserver so far."
    ),
    "opt_in.needs_agree": "Say `agree` to go on, or `cancel` to stop.",
    "opt_in.started": "Thank you. I am making your keys and telling the network. This takes a moment.",
    "enlist.waiting": (
        "The network does not take you in yet. I keep trying, and say so when you can be reached; say"
        " `opt-out` if you want to stop."
    ),
    "opt_in.again": "I am telling the network again. This takes a moment.",
    "opt_in.already": "You have opted in already; people find you as {identifier}. Say `status` for more.",
    "opt_out.ask": (
        "You are about to leave third-party chats ({label}). Nobody there can reach you any more, your keys"
        " and what I keep of {contacts} chats are destroyed, and messages on their way are lost. The rooms"
        " stay, with what was written in them. Say `leave` to confirm, or `cancel`."
    ),
    "opt_out.needs_leave": "Say `leave` to confirm, or `cancel` to stay.",
    "opt_out.started": "I am telling the network to forget you.",
    "opt_out.nothing": "You have not opted in, so there is nothing to leave.",
    "leave.done": "You have left. The network has forgotten you, and your keys are destroyed.",
    "leave.unconfirmed": (
        "You have left: your keys are destroyed. The network did not confirm that it has forgotten you; it"
        " will by itself after 30 days without a connection."
    ),
    "leave.portal": "You left third-party chats. Nothing you write here reaches anybody any more.",
    "enlist.done": (
        "You can be reached now ({label}). People find you as {identifier}. To write first, say"
        " `start-chat <service> <identifier>`."
    ),
    "enlist.invitation": (
        "An invitation you can pass on: “You can write to me through third-party chats in your messenger."
        " Turn third-party chats on in its settings, and look for {identifier}.”"
    ),
    "enlist.refused": "You are not enlisted. {reason} Say `opt-in` to try again.",
    "enlist.unknown_reason": (
        "The network refused for a reason that this bridge does not know. Your admin should look."
    ),
    # What the network says of an account
    "network.bad_integrator": "The network does not know this bridge. Your admin has to check the agreement.",
    "network.bad_token": (
        "The network does not accept this bridge's signature. Your admin has to check the signing key."
    ),
    "network.token_expired": "The network found this bridge's proof too old. Your admin should check the clock.",
    "network.identifier_mismatch": "The network does not accept this identifier.",
    "network.misunderstood": (
        "The network does not understand this bridge's request. Your admin should update the bridge."
    ),
    "network.bad_key": "The network does not accept this account's keys. Your admin should look.",
    "network.outdated": (
        "The network does not speak this version of the bridge any more. Your admin has to update it."
    ),
    "network.not_eligible": "The network says that you are not eligible where you are.",
    "network.blocked": "The network has blocked you.",
    "network.too_many": "The network asks to try later.",
    "network.unavailable": "The network is not available now.",
    "network.unknown_account": (
        "The network no longer knows you, and nobody can reach you now. Say `opt-in` in your chat with me to"
        " be reachable again under the same address."
    ),
    "network.banned_for_now": (
        "The network has suspended you for a while, and nothing is sent until it is over. Where it said for"
        " how long, I try again by myself; you can say `opt-in` in your chat with me to try sooner."
    ),
    "network.locked": (
        "The network has locked your account. Nothing is sent until it is unlocked; then say `opt-in` in your"
        " chat with me."
    ),
    "network.trying_again": "The time for which the network had suspended you is over. I am trying again.",
    "network.refused": "The network refused this (code {code}).",
    "network.person_unreachable": "This person cannot be reached.",
    "login.forgotten": (
        "You were not connected for so long that the network has forgotten you, and nobody can reach you"
        " now. Say `opt-in` to be reachable again under the same address."
    ),
    "login.unknown_reason": (
        "The network refused the login for a reason that this bridge does not know. Nothing is sent until"
        " your admin has looked."
    ),
    "connection.conflict": (
        "Another program keeps connecting with your keys, and throws this bridge out. Is a second bridge"
        " running, or a restored copy? I have stopped connecting. Say `ping` to try again."
    ),
    "reminder.unenlist": (
        "You have not been connected for {day} days. In {days_left} days the network will forget you and"
        " nobody will reach you. Say `ping` to connect once."
    ),
    # Address, status, ping
    "address.is": "People find you as {identifier}, shown as “{name}”, on {services}.",
    "address.none": "You have no address yet. Say `opt-in` to get one.",
    "status.none": "You have not opted in. Nothing about you has left this homeserver. Say `opt-in` to begin.",
    "status.left": "You have left, and nobody can reach you. Say `opt-in` to come back.",
    "status.is": (
        "You are {state} on {label}, as {identifier}. Last connected: {connected}. Chats: {contacts}."
        " {protection}"
    ),
    "status.agreed": "being enlisted",
    "status.enlisting": "being enlisted",
    "status.enlisted": "reachable",
    "status.expired": "no longer reachable (say `opt-in` to come back)",
    "status.suspended": "suspended by the network (say `opt-in` to try again)",
    "status.leaving": "leaving",
    "status.never": "never",
    "status.now": "now",
    "status.days_ago": "{days} days ago",
    "ping.well": "Connected to the network; what waited for you is here.",
    "ping.not_well": "The network cannot be reached now. I keep trying; nothing you write is lost.",
    # Starting chats
    "start_chat.usage": (
        "Say `start-chat <service> <identifier>`, for example `start-chat whatsapp +49 151 0000001`."
        " Services here: {services}."
    ),
    "start_chat.bad_identifier": (
        "“{identifier}” is not {kind} as {service} uses it. For example: {example}."
    ),
    "start_chat.kind_phone": "a telephone number in international form",
    "start_chat.kind_email": "an e-mail address",
    "start_chat.kind_handle": "a name",
    "start_chat.searching": "I am asking the network for this person on {service}.",
    "start_chat.nobody": (
        "Nobody can be reached under that identifier on {service}. Either there is nobody, or they have"
        " not turned on third-party chats: the network does not say which. Ask them to turn it on."
    ),
    "start_chat.ready": "Your chat with {name} is ready: it is among your rooms, or waits there as an invitation.",
    # Messages
    "outbound.not_sent": "⚠️ Your message was not sent. {reason}",
    "outbound.unsure": "It may have arrived all the same; it is not tried again. {reason}",
    "outbound.waiting": "Waiting: the network does not answer yet. What you wrote is kept and will be sent.",
    "outbound.unknown_kind": "This kind of message ({kind}) is not part of third-party chats here.",
    "outbound.edit_unsent": (
        "⚠️ The message that you corrected was not sent, and neither is the correction. Write it anew."
    ),
    "outbound.removal": "⚠️ This was removed here only: {name} still has it.",
    "outbound.reaction": "⚠️ Reactions are not part of third-party chats here: {name} does not see yours.",
    "outbound.edit": "⚠️ The edit was not sent: {name} sees the message as it was.",
    "outbound.too_long": "It has {length} characters and the limit is {limit}.",
    "outbound.refused": "The network refused it (code {code}).",
    "outbound.not_reachable": "This person cannot be reached (any more).",
    "outbound.restricted": "The network does not let you write to new people at the moment.",
    "outbound.malformed": "The network did not understand it. That is a mistake of this bridge.",
    "inbound.unknown_kind": (
        "{name} sent something of a kind ({kind}) that is not available in third-party chats here."
        " Ask them to send it as text."
    ),
    "inbound.unreadable": (
        "{name} sent a message that could not be decrypted, also after asking again. Ask them to repeat it."
    ),
    "inbound.room_refuses": (
        "{name} wrote to you, but their room does not let me in. The message is kept, and I try again every"
        " hour, for {days} days. Ask your admin, or leave the room and say `start-chat` again."
    ),
    "inbound.no_room": (
        "{name} wrote to you, but the homeserver does not let me make a room for the two of you. The message"
        " is kept, and I try again every hour, for {days} days. Ask your admin."
    ),
    "inbound.refused": (
        "⚠️ {name} sent a message here that the homeserver does not let me show. Ask them to repeat it in other"
        " words, or in shorter pieces."
    ),
    "inbound.refused_too_long": (
        "{name} wrote to you, and for {days} days the homeserver let me show it nowhere. This message is lost;"
        " ask them to repeat it once your admin has looked at the homeserver."
    ),
    "identity.changed": (
        "{name} has a new safety number. That happens with a new phone or a reinstalled app;"
        " if it matters, ask them by another way whether it was so."
    ),
    # Policy
    "policy.not_permitted": "The admin of this bridge does not let you use it.",
    "policy.no_account_permitted": "The admin of this bridge has not given you permission to opt in.",
    "policy.permission_taken": (
        "The admin of this bridge has taken away your permission to write. What others write to you is still"
        " shown; to leave, say `opt-out` in your chat with me."
    ),
    "policy.other_homeserver": "This bridge serves only users of its own homeserver.",
    "policy.one_person": (
        "This bridge is set up for one person, who is there already. The admin can change that"
        " (network.custody)."
    ),
    "policy.opt_in_first": "You have not opted in. Say `opt-in` in your chat with me first.",
    "policy.still_enlisting": "You are still being enlisted; it will go on by itself.",
    "policy.expired": (
        "The network no longer knows you. Say `opt-in` in your chat with me to be reachable again."
    ),
    "policy.suspended": (
        "The network has suspended you. When that may be over, say `opt-in` in your chat with me to try again."
    ),
    "policy.leaving": (
        "You are leaving: the network has not yet confirmed that it forgets you. I keep asking; when it has,"
        " I say so, and you can opt in anew."
    ),
    "policy.not_your_chat": "Only the person this chat belongs to can write here.",
    "policy.unknown_service": "The network has no such service.",
    "policy.not_reachable": "This person cannot be reached from here.",
    "policy.has_left": "The account has left.",
    # Failures
    "notice.elsewhere": "About your chat with {name}, in whose room I may not write: {said}",
    "failure.our_mistake": "This bridge made a mistake. The admin finds it in the log.",
    "matrix.rejected": "The homeserver refused it.",
    # The registration, as `check` finds it
    "registration.sender": "It must not be the bot ({bot}): write a random name, or make a new one with -g.",
    "registration.switch": "{name} must be true, or events are missing. Make a new registration with -g.",
    "registration.rate_limited": "It must be false, or the homeserver slows the bridge down.",
    "registration.token_short": "{name} has less than {characters} characters. Make a new one with -g.",
    "registration.tokens_equal": "It is the same as as_token. Make a new registration with -g.",
    "registration.namespaces_missing": "There are none. Make a new registration with -g.",
    "registration.uncovered": "{name} is not covered. Make a new registration with -g.",
    "registration.regex_missing": "An entry has no regex. Make a new registration with -g.",
    "registration.regex_broken": "A regex cannot be read. Make a new registration with -g.",
    "registration.not_exclusive": "An entry is not exclusive: others could take our names.",
    "registration.same": "Its {name} is the same as this bridge's. Change appservice.id if it is that, and run -g again.",
    "registration.clash": "It reserves {name}, a name of this bridge. Choose another appservice.username_template or "
    "appservice.bot.username, and run -g again.",
    "registration.clash_sender": "Its bot {name} is one of this bridge's names. Choose another "
    "appservice.username_template, and run -g again.",
    "registration.too_wide": "An entry also covers {name}, which is not ours. Make a new one with -g.",
    # Rooms and protection
    "room.ended": "⚠️ This chat has ended: what is written here reaches nobody.",
    "room.encrypted": (
        "This room is encrypted, and I cannot read encrypted rooms yet. I have invited you to a room that is"
        " not; let us talk there."
    ),
    "room.management_name": "Interop bridge",
    "room.management_topic": "Here you talk to the bridge's bot. Say help.",
    "portal.topic": "Third-party chat on {service}. {protection}",
    "protection.personal.plain": (
        "Messages are encrypted between your contact and this bridge, which is your own; between the bridge"
        " and your devices your homeserver can read them."
    ),
    "protection.personal.encrypted": (
        "Messages are encrypted between your contact and this bridge, which is your own, and again between"
        " the bridge and your devices."
    ),
    "protection.operator.plain": (
        "Messages are encrypted between your contact and this bridge. The operator of the bridge holds your"
        " keys, and they and your homeserver can read along."
    ),
    "protection.operator.encrypted": (
        "Messages are encrypted between your contact and this bridge, and again between the bridge and your"
        " devices. The operator of the bridge holds your keys and can read along."
    ),
}
