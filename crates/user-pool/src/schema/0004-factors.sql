-- Second factors that users have set up. Users of the configuration have some, too: so `sub` refers to no other table.
CREATE TABLE factors (
    pool TEXT NOT NULL,
    sub TEXT NOT NULL,
    -- totp, email or sms.
    kind TEXT NOT NULL,
    -- The secret of one-time passwords, encrypted. NULL for others.
    sealed BLOB,
    -- The step of 30 s whose code was taken last.
    last_step INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (pool, sub, kind)
) STRICT;

CREATE TABLE recovery_codes (
    pool TEXT NOT NULL,
    sub TEXT NOT NULL,
    -- SHA-256.
    hash BLOB NOT NULL,
    -- Whether the user has left the page that shows the codes.
    seen INTEGER NOT NULL,
    PRIMARY KEY (pool, sub, hash)
) STRICT;

-- Browsers that the user trusts: they need no second factor.
CREATE TABLE browsers (
    pool TEXT NOT NULL,
    -- SHA-256 of the value of the cookie.
    hash BLOB NOT NULL,
    sub TEXT NOT NULL,
    -- The trust ends with the password, and with all sessions of the user.
    fingerprint TEXT NOT NULL,
    -- What an entry of a list is ended by.
    id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (pool, hash),
    UNIQUE (pool, id)
) STRICT;

CREATE INDEX browsers_by_user ON browsers (pool, sub, used_at);
CREATE INDEX browsers_by_end ON browsers (pool, expires_at);

CREATE TABLE passkeys (
    pool TEXT NOT NULL,
    -- As the authenticator has made it.
    credential_id BLOB NOT NULL,
    sub TEXT NOT NULL,
    -- What a list shows, and what an entry of it is deleted by.
    id TEXT NOT NULL,
    -- A JSON object: the public key, its counter, and what was said at the registration.
    credential TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (pool, credential_id),
    UNIQUE (pool, id)
) STRICT;

CREATE INDEX passkeys_by_user ON passkeys (pool, sub, created_at);

-- Questions to an authenticator that were answered: each is answered once.
CREATE TABLE passkey_answers (
    pool TEXT NOT NULL,
    -- SHA-256 of the challenge.
    hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (pool, hash)
) STRICT;

CREATE INDEX passkey_answers_by_end ON passkey_answers (pool, expires_at);
