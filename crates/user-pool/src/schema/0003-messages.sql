-- One-time codes that were sent to somebody, at most one of each kind.
CREATE TABLE codes (
    pool TEXT NOT NULL,
    sub TEXT NOT NULL,
    purpose TEXT NOT NULL,
    -- What the code is about, for example the attribute `email`.
    target TEXT NOT NULL,
    -- Names this code in the messages that carry it.
    id TEXT NOT NULL,
    -- HMAC-SHA-256 of the digits, with a key that the file does not have.
    mac BLOB NOT NULL,
    wrong_tries INTEGER NOT NULL,
    -- What comes into force with the code, for example the new address.
    pending TEXT,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (pool, sub, purpose, target)
) STRICT;

CREATE UNIQUE INDEX codes_by_id ON codes (pool, id);
CREATE INDEX codes_by_end ON codes (pool, expires_at);

-- Messages that are not sent yet. A message that was sent is deleted.
CREATE TABLE outbox (
    pool TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Whom it is about.
    sub TEXT,
    kind TEXT NOT NULL,
    medium TEXT NOT NULL,
    -- It is not sent if this code has been used, replaced or has expired.
    code_id TEXT,
    -- Recipient, language and content. NULL: it was given up.
    sealed BLOB,
    tries INTEGER NOT NULL,
    -- When it is tried the next time.
    next_at INTEGER NOT NULL,
    -- After this it is of no use.
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- When it was given up, and why, without anything of its content.
    dead_at INTEGER,
    cause TEXT,
    PRIMARY KEY (pool, id)
) STRICT;

CREATE INDEX outbox_by_time ON outbox (pool, next_at) WHERE dead_at IS NULL;
CREATE INDEX outbox_by_user ON outbox (pool, sub) WHERE sub IS NOT NULL;
CREATE INDEX outbox_by_death ON outbox (pool, dead_at) WHERE dead_at IS NOT NULL;

-- How many messages went where: a bucket for each destination, user, country and pool, as the time at which it is full again.
CREATE TABLE message_limits (
    pool TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- Destinations are keyed hashes.
    of TEXT NOT NULL,
    full_at INTEGER NOT NULL,
    PRIMARY KEY (pool, kind, of)
) STRICT;

CREATE INDEX message_limits_by_time ON message_limits (pool, full_at);
