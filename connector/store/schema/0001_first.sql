-- Times are seconds since the Unix epoch.  A part's id is its message's id << 8 | number, number 0 = the only part.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- What has to be known after a restart and belongs to no message: suspended carriers, the stage of a ramp.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- A queue is (lane, route rule, API key, limited sender or country): the backlog of a dead carrier or of a sender that may
-- send little is never scanned by anyone else.
CREATE TABLE queue (
    id      INTEGER PRIMARY KEY,
    lane    TEXT NOT NULL,
    rule    TEXT NOT NULL,
    api_key TEXT NOT NULL,
    scope   TEXT NOT NULL,
    UNIQUE (lane, rule, api_key, scope)
);

-- Written once, at accept.  status only for messages of several parts; for one part it is the part's.
CREATE TABLE message (
    id         INTEGER PRIMARY KEY,
    api_key    TEXT NOT NULL,
    queue      INTEGER NOT NULL,
    to_addr    TEXT NOT NULL,
    sender     TEXT NOT NULL,
    text       TEXT,
    alphabet   TEXT NOT NULL,
    reference  INTEGER NOT NULL,
    bounds     TEXT,
    created_at REAL NOT NULL,
    deadline   REAL NOT NULL,
    send_at    REAL,
    country    TEXT,
    client_ref TEXT,
    metadata   TEXT,
    options    TEXT,
    receipt    INTEGER NOT NULL,
    status     TEXT
);
CREATE INDEX message_to ON message (to_addr, id);

-- The lean row that moves: its present attempt, and its whole history as lines "ms|event|carrier|attempt|detail".
-- refused: carriers that do not take it, joined by "|".  doubts: attempts of which nobody knows whether they arrived.
-- lost: the attempt that was lost last, until its answer comes after all; 0 for none.  harms: how often the bind broke
-- over it.  first_at: when it was first claimed, once an attempt has come to nothing.  hopeful: whether the carrier's last
-- word counts as delivery if no other follows.
CREATE TABLE part (
    id                 INTEGER PRIMARY KEY,
    queue              INTEGER NOT NULL,
    status             TEXT NOT NULL,
    deadline           REAL NOT NULL,
    due_at             REAL,
    attempt            INTEGER NOT NULL,
    tries              INTEGER NOT NULL,
    fence              INTEGER NOT NULL,
    carrier            TEXT,
    pinned             TEXT,
    key                TEXT,
    carrier_message_id TEXT,
    sent_at            REAL,
    finished_at        REAL,
    reason             TEXT,
    temporary          INTEGER,
    done_at            REAL,
    refused            TEXT,
    doubts             INTEGER NOT NULL DEFAULT 0,
    lost               INTEGER NOT NULL DEFAULT 0,
    harms              INTEGER NOT NULL DEFAULT 0,
    first_at           REAL,
    hopeful            INTEGER NOT NULL DEFAULT 0,
    history            TEXT NOT NULL
);
CREATE INDEX part_waiting ON part (queue, deadline, id) WHERE status IN ('accepted', 'in_doubt') AND due_at IS NULL;
-- What will wait, or wait again.  Written out, for a list of three is built anew for every row that is looked at.
CREATE INDEX part_paused ON part (queue, id)
    WHERE due_at IS NOT NULL AND (status = 'scheduled' OR status = 'accepted' OR status = 'in_doubt');
CREATE INDEX part_due ON part (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX part_sending ON part (id) WHERE status = 'sending';
CREATE INDEX part_doubt ON part (id) WHERE status = 'in_doubt';
CREATE INDEX part_key ON part (carrier, key) WHERE key IS NOT NULL;

-- What may not be accepted twice: client_refs, rows of an Idempotency-Key, and the key itself (message 0).
CREATE TABLE ref (
    api_key     TEXT NOT NULL,
    ref         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    message     INTEGER NOT NULL,
    at          REAL NOT NULL,
    PRIMARY KEY (api_key, ref)
) WITHOUT ROWID;
CREATE INDEX ref_at ON ref (at);

-- Ids of attempts that are not their part's present one: their answers came late.
CREATE TABLE other_id (
    carrier            TEXT NOT NULL,
    key                TEXT NOT NULL,
    part               INTEGER NOT NULL,
    carrier_message_id TEXT NOT NULL,
    sent_at            REAL NOT NULL,
    PRIMARY KEY (carrier, key, part)
) WITHOUT ROWID;

-- Receipts that match nothing yet, why, every reading of their id (a JSON list, most trusted first) and what else they say
-- of what they mean (JSON); and the index of all that may find them: readings, other forms of the id, the number.
CREATE TABLE parked (
    id        INTEGER PRIMARY KEY,
    carrier   TEXT NOT NULL,
    keys      TEXT NOT NULL,
    at        REAL NOT NULL,
    event     TEXT,
    number    TEXT NOT NULL,
    detail    TEXT,
    reason    TEXT,
    temporary INTEGER,
    done_at   REAL,
    why       TEXT NOT NULL,
    more      TEXT NOT NULL
);
CREATE TABLE parked_key (
    carrier TEXT NOT NULL,
    key     TEXT NOT NULL,
    parked  INTEGER NOT NULL,
    PRIMARY KEY (carrier, key, parked)
) WITHOUT ROWID;
CREATE INDEX parked_key_of ON parked_key (parked);

-- A message from a subscriber or one part of it: octets as they came, header_bytes of them the user data header.  What
-- joins parts: (carrier, from_addr, to_addr, reference, wide, total), number of total.  message: the inbound message it
-- was told in, NULL while it waits for the others; repeated: that message had it already.  An id never comes again.
CREATE TABLE inbound (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    carrier          TEXT NOT NULL,
    at               REAL NOT NULL,
    from_addr        TEXT NOT NULL,
    to_addr          TEXT NOT NULL,
    text             TEXT NOT NULL,
    octets           BLOB NOT NULL,
    data_coding      INTEGER NOT NULL,
    esm_class        INTEGER NOT NULL,
    alphabet         TEXT NOT NULL,
    header_bytes     INTEGER NOT NULL,
    reference        INTEGER,
    wide             INTEGER NOT NULL,
    total            INTEGER,
    number           INTEGER,
    destination_port INTEGER,
    source_port      INTEGER,
    bind             TEXT NOT NULL,
    fence            INTEGER NOT NULL,
    message          INTEGER,
    repeated         INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX inbound_open ON inbound (id) WHERE message IS NULL;
CREATE INDEX inbound_told ON inbound (message) WHERE message IS NOT NULL;

-- What a subscriber wrote, joined and routed.  Addresses without plus or 00; data: the octets where they are no text;
-- missing: numbers of the parts that never came, joined by ","; continues: the incomplete message that these parts came
-- too late for; matched: "rule NAME" or "reply"; reply_to: the message of ours that decided.
CREATE TABLE inbound_message (
    id               INTEGER PRIMARY KEY,
    carrier          TEXT NOT NULL,
    at               REAL NOT NULL,
    from_addr        TEXT NOT NULL,
    to_addr          TEXT NOT NULL,
    text             TEXT NOT NULL,
    data             BLOB,
    alphabet         TEXT NOT NULL,
    total            INTEGER NOT NULL,
    missing          TEXT NOT NULL,
    continues        INTEGER,
    destination_port INTEGER,
    api_key          TEXT,
    matched          TEXT,
    reply_to         INTEGER
);
CREATE INDEX inbound_message_key ON inbound_message (api_key, id);
CREATE INDEX inbound_message_from ON inbound_message (from_addr, id);
CREATE INDEX inbound_message_to ON inbound_message (to_addr, id);

-- The cursor log: one row per verb, status and commit, part ids packed as 8 octets each.
CREATE TABLE event (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     REAL NOT NULL,
    status TEXT NOT NULL,
    parts  BLOB NOT NULL
);

-- Counters changed in the transaction that changes what they count; verify recounts.
CREATE TABLE ledger (
    name TEXT PRIMARY KEY,
    n    INTEGER NOT NULL
) WITHOUT ROWID;
