-- Accounts, contacts and their sessions, the journal, and what is kept of a message.

CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value BYTES NOT NULL
);

-- One Matrix user on one network: one identity, one device, one connection.
-- state: lifecycle.AccountState; login: the internal id the network gave.
CREATE TABLE account (
    account_id BYTES NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    network TEXT NOT NULL,
    state TEXT NOT NULL,
    identifier TEXT NOT NULL,
    shown_name TEXT NOT NULL,
    room_id TEXT NOT NULL,
    data_key BYTES NOT NULL,
    own_keys BYTES,
    login TEXT,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    next_prekey_id INTEGER NOT NULL,
    last_connected_at REAL,
    state_changed_at REAL NOT NULL
);

-- A user has one living account on a network, and an identifier one holder.
CREATE UNIQUE INDEX account_of_user ON account (user_id, network) WHERE state <> 'left';
CREATE UNIQUE INDEX account_of_identifier ON account (identifier, network) WHERE state <> 'left';

-- Who agreed to which text, and when. Kept after leaving: it is the proof.
CREATE TABLE agreement (
    agreement_id BYTES NOT NULL PRIMARY KEY,
    account_id BYTES NOT NULL,
    text_version TEXT NOT NULL,
    agreed_at REAL NOT NULL,
    withdrawn_at REAL
);

-- A person as one account knows them. jid_digest finds them; facts (sealed) holds who they are.
CREATE TABLE contact (
    contact_id BYTES NOT NULL PRIMARY KEY,
    account_id BYTES NOT NULL,
    jid_digest BYTES NOT NULL,
    facts BYTES NOT NULL,
    ghost TEXT NOT NULL,
    alias TEXT NOT NULL,
    room_id TEXT,
    identity BYTES,
    waiting_event TEXT,
    owner_absent INTEGER NOT NULL,
    met_at REAL NOT NULL
);

CREATE UNIQUE INDEX contact_by_jid ON contact (account_id, jid_digest);
CREATE UNIQUE INDEX contact_by_room ON contact (room_id) WHERE room_id IS NOT NULL;

-- The Signal sessions with one contact (sealed). version guards against a second writer.
CREATE TABLE session (
    contact_id BYTES NOT NULL PRIMARY KEY,
    account_id BYTES NOT NULL,
    version INTEGER NOT NULL,
    record BYTES NOT NULL,
    renewed_at REAL
);

-- Our prekeys; kind is 'signed' or 'one-time', pair is sealed.
CREATE TABLE prekey (
    account_id BYTES NOT NULL,
    kind TEXT NOT NULL,
    prekey_id INTEGER NOT NULL,
    pair BYTES NOT NULL,
    uploaded INTEGER NOT NULL,
    made_at REAL NOT NULL,
    PRIMARY KEY (account_id, kind, prekey_id)
);

-- The journal: what arrived and is not yet settled. Position orders a lane; its lowest is the head.
CREATE TABLE entry (
    entry_id BYTES NOT NULL PRIMARY KEY,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    account_id BYTES,
    body BYTES NOT NULL,
    not_before REAL NOT NULL,
    accepted_at REAL NOT NULL
);

CREATE UNIQUE INDEX entry_by_position ON entry (position);
CREATE INDEX entry_by_lane ON entry (lane, position);

-- What has ever been accepted, so that a repetition has no effect at any age.
CREATE TABLE seen (
    entry_id BYTES NOT NULL PRIMARY KEY,
    accepted_at REAL NOT NULL
);

-- What is kept of a message after it is settled: for receipts, replies and retries.
-- direction: 'out' to the network, 'in' from it. body (sealed) is the padded-off plaintext until it expires.
CREATE TABLE message (
    message_id BYTES NOT NULL PRIMARY KEY,
    account_id BYTES NOT NULL,
    contact_id BYTES NOT NULL,
    direction TEXT NOT NULL,
    stanza_id TEXT NOT NULL,
    event_id TEXT,
    state TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    body BYTES,
    retries INTEGER NOT NULL,
    changed_at REAL NOT NULL
);

CREATE UNIQUE INDEX message_by_event ON message (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX message_by_contact ON message (contact_id, direction, sent_at);

-- Rooms in which people talk to the bot, and where the talk stands.
CREATE TABLE management_room (
    room_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    dialogue TEXT NOT NULL,
    changed_at REAL NOT NULL
);
