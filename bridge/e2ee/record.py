"""All sessions with one peer: the current one, which seals, and archived ones for late messages.

The Sesame specification calls them active and inactive
(https://signal.org/docs/specifications/sesame/ section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.e2ee.state import Session
from bridge.e2ee.storage import Reader, Writer
from bridge.errors import LocalProtocolError

VERSION = 2
# As in libsignal. Both ends may start a session at any time; an older one is needed for messages that were
# under way then.
MAX_ARCHIVED_SESSIONS = 40
# Five full chains. Without this bound the sessions together could hold 41 * 5 * 2,000 seeds, 16 MB that
# would be loaded for every message. The oldest sessions lose theirs first.
MAX_SKIPPED_KEYS_PER_RECORD = 10_000
# 32 bytes each. A replayed first message of a dropped session is refused; it would start the session again.
MAX_RETIRED_BASE_KEYS = 256


@dataclass(frozen=True)
class Record:
    """``identity`` (32 bytes) is the peer's, as last seen; ``archived`` has the newest first.

    ``retired`` holds the base keys of sessions that were dropped, the newest first.
    A record is a value: it may be kept in memory and shared, and the ones made from it
    share the sessions that did not change, so no message costs more for archived ones.
    """

    identity: bytes
    current: Session | None = None
    archived: tuple[Session, ...] = ()
    retired: tuple[bytes, ...] = ()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """All sessions, in the order in which a message is tried."""
        return self.archived if self.current is None else (self.current, *self.archived)

    def with_base_key(self, base_key: bytes) -> Session | None:
        """The session that was started with this base key, or None."""
        return next((session for session in self.sessions if session.base_key == base_key), None)

    def archived_current(self) -> Record:
        """With the current session archived and its pending prekeys cleared."""
        if self.current is None:
            return self
        archived = (replace(self.current, pending=None), *self.archived)
        dropped = tuple(session.base_key for session in archived[MAX_ARCHIVED_SESSIONS:])
        retired = (*dropped, *self.retired)[:MAX_RETIRED_BASE_KEYS]
        return Record(self.identity, None, archived[:MAX_ARCHIVED_SESSIONS], retired)

    def with_new_session(self, session: Session) -> Record:
        """With ``session`` as the current one; its identity becomes the peer's."""
        return replace(self.archived_current(), identity=session.identity, current=session)

    def with_moved_session(self, old: Session, new: Session) -> Record:
        """With ``old`` replaced by ``new``, which becomes the current session.

        A session in which nothing may be sealed stays where it is: one of an identity that
        the peer no longer has, or a receive-only one. A late message can be read there, and the
        session that was started instead stays the current one.
        """
        if old is self.current:
            return replace(self, current=new)
        if new.identity != self.identity or new.receive_only:
            archived = tuple(new if session is old else session for session in self.archived)
            return replace(self, archived=archived)
        others = tuple(session for session in self.archived if session is not old)
        return replace(replace(self, archived=others).archived_current(), current=new)

    def receive_only(self) -> Record:
        """With all its sessions receive-only."""
        current = None if self.current is None else replace(self.current, receive_only=True)
        archived = tuple(replace(session, receive_only=True) for session in self.archived)
        return replace(self, current=current, archived=archived)

    def pruned(self, now: float) -> Record:
        """Without expired skipped keys, and without those beyond the limit of all sessions."""
        left = MAX_SKIPPED_KEYS_PER_RECORD
        sessions = []
        for session in self.sessions:
            sessions.append(session.pruned(now, left))
            left -= sessions[-1].ratchet.skipped_count
        if all(pruned is session for pruned, session in zip(sessions, self.sessions, strict=True)):
            return self
        current = None if self.current is None else sessions.pop(0)
        return replace(self, current=current, archived=tuple(sessions))

    def to_bytes(self) -> bytes:
        """The stored form, in the newest version; it holds private keys and is to be sealed at rest."""
        out = Writer()
        out.number(VERSION, 1)
        out.raw(self.identity)
        out.number(self.current is not None, 1)
        out.number(len(self.sessions), 1)
        if self.current is not None:
            self.current.write(out)
        for session in self.archived:
            out.raw(session.stored)
        out.number(len(self.retired), 2)
        for base_key in self.retired:
            out.raw(base_key)
        return out.finish()

    @staticmethod
    def from_bytes(data: bytes) -> Record:
        """Read the stored form of this version or an older one.

        LocalProtocolError when it is damaged or was written by a newer program.
        """
        stored = Reader(data)
        version = stored.number(1)
        if not 1 <= version <= VERSION:
            raise LocalProtocolError("a stored session is of a version that this program does not know")
        identity, has_current = stored.key(), stored.flag()
        sessions = tuple(Session.read(stored, version) for _ in range(stored.number(1)))
        retired = tuple(stored.key() for _ in range(stored.number(2)))
        stored.finish()
        if has_current and not sessions:
            raise LocalProtocolError("a stored session is damaged")
        current, archived = (sessions[0], sessions[1:]) if has_current else (None, sessions)
        return Record(identity, current, archived, retired)
