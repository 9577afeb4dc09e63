"""The journal's statements. Settled entries are deleted; ``seen`` keeps their ids."""

from __future__ import annotations

from bridge.ports import Statement
from bridge.store.errors import AlreadySealed, AlreadySettled

ADD = Statement(
    """INSERT INTO entry (entry_id, lane, position, kind, state, account_id, body, not_before, accepted_at)
       SELECT :entry_id, :lane, :position, :kind, :state, :account_id, :body, :not_before, :accepted_at
       WHERE NOT EXISTS (SELECT 1 FROM seen WHERE entry_id = :entry_id)""",
    merge_by=("entry_id",),
)
"""Accept an entry unless it was ever accepted before."""

ADD_SEEN = Statement(
    "INSERT INTO seen (entry_id, accepted_at) VALUES (:entry_id, :accepted_at) ON CONFLICT DO NOTHING",
    merge_by=("entry_id",),
)

ADVANCE = Statement(
    "UPDATE entry SET state = :state, body = :body WHERE entry_id = :entry_id AND state = :old_state",
    expect=1,
    error=AlreadySealed,
    merge_by=("entry_id",),
)
"""Move an entry from a known state to the next, with the body of that state."""

POSTPONE = Statement(
    "UPDATE entry SET not_before = :not_before WHERE entry_id = :entry_id",
    expect=1,
    error=AlreadySettled,
    merge_by=("entry_id",),
)

SETTLE = Statement(
    "DELETE FROM entry WHERE entry_id = :entry_id", expect=1, error=AlreadySettled, merge_by=("entry_id",)
)

HEAD = "SELECT * FROM entry WHERE lane = :lane ORDER BY position LIMIT 1"
BEHIND = "SELECT * FROM entry WHERE lane = :lane AND position > :position ORDER BY position LIMIT 100"
"""Entries behind another in its lane; bounded, so that the read stays short."""
NEW_LANES = (
    "SELECT lane, MAX(position) AS position FROM entry WHERE position > :position GROUP BY lane ORDER BY 2"
)
LAST_POSITION = "SELECT MAX(position) AS position FROM entry"
COUNT = "SELECT COUNT(*) AS entries, MIN(accepted_at) AS oldest FROM entry"
DELETE_OF_ACCOUNT = Statement("DELETE FROM entry WHERE account_id = :account_id AND entry_id <> :entry_id")
