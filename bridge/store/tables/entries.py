"""The journal's statements. What is settled is deleted; that it was ever seen stays in ``seen``."""

from __future__ import annotations

from bridge.ports import Statement
from bridge.store.errors import AlreadySealed, AlreadySettled

ADD = Statement(
    """INSERT INTO entry (entry_id, lane, position, kind, state, account_id, body, not_before, accepted_at)
       SELECT :entry_id, :lane, :position, :kind, :state, :account_id, :body, :not_before, :accepted_at
       WHERE NOT EXISTS (SELECT 1 FROM seen WHERE entry_id = :entry_id)""",
    merge_by=("entry_id",),
)
"""Accept an entry unless the same was accepted before, however long ago."""

REMEMBER = Statement(
    "INSERT INTO seen (entry_id, accepted_at) VALUES (:entry_id, :accepted_at) ON CONFLICT DO NOTHING",
    merge_by=("entry_id",),
)

ADVANCE = Statement(
    "UPDATE entry SET state = :state, body = :body WHERE entry_id = :entry_id AND state = :old_state",
    expect=1,
    error=AlreadySealed,
    merge_by=("entry_id",),
)
"""Move an entry to its next state with what that state needs; nobody else may have moved it."""

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
"""What waits behind an entry; bounded, so that a look at it stays short."""
NEW_LANES = (
    "SELECT lane, MAX(position) AS position FROM entry WHERE position > :position GROUP BY lane ORDER BY 2"
)
LAST_POSITION = "SELECT MAX(position) AS position FROM entry"
COUNT = "SELECT COUNT(*) AS entries, MIN(accepted_at) AS oldest FROM entry"
DELETE_OF_ACCOUNT = Statement("DELETE FROM entry WHERE account_id = :account_id AND entry_id <> :entry_id")
