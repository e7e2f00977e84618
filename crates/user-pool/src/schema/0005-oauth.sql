-- The browsers that are signed in at the pool.
CREATE TABLE sso (
    pool TEXT NOT NULL,
    -- `sid` in tokens.
    id TEXT NOT NULL,
    -- SHA-256 of the value of the cookie.
    hash BLOB NOT NULL,
    sub TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    auth_time INTEGER NOT NULL,
    -- What the user has proved, in words.
    proofs TEXT NOT NULL,
    -- A JSON list: the clients that got a code in this session.
    clients TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (pool, id),
    UNIQUE (pool, hash)
) STRICT;

CREATE INDEX sso_by_user ON sso (pool, sub, used_at);
CREATE INDEX sso_by_end ON sso (pool, expires_at);

-- Authorization codes. A code that was used stays for a while: a second use ends what the first gave (RFC 6749 §4.1.2).
CREATE TABLE grants (
    pool TEXT NOT NULL,
    -- SHA-256 of the code.
    hash BLOB NOT NULL,
    sub TEXT NOT NULL,
    session_id TEXT NOT NULL,
    -- A JSON object: what the code is for, and what it is bound to.
    pending TEXT NOT NULL,
    -- The family that began with the first use. NULL: not used yet.
    family TEXT,
    expires_at INTEGER NOT NULL,
    kept_until INTEGER NOT NULL,
    PRIMARY KEY (pool, hash)
) STRICT;

CREATE INDEX grants_by_end ON grants (pool, kept_until);
CREATE INDEX grants_by_session ON grants (pool, session_id);
CREATE INDEX grants_by_user ON grants (pool, sub);

-- Everything that follows from one code.
CREATE TABLE families (
    pool TEXT NOT NULL,
    id TEXT NOT NULL,
    -- SHA-256 of what all refresh tokens of the family have in common.
    handle BLOB NOT NULL,
    -- SHA-256 of the rest of the token that is good, and of the one before.
    current BLOB NOT NULL,
    former BLOB,
    grace_until INTEGER,
    -- The good token, encrypted with the one before, for a client that did not get it.
    repeated BLOB,
    sub TEXT NOT NULL,
    client_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    scope TEXT NOT NULL,
    -- 1: it outlives the session.
    is_offline INTEGER NOT NULL,
    resource TEXT,
    auth_time INTEGER NOT NULL,
    -- What the user has proved, in words.
    proofs TEXT NOT NULL,
    -- A JSON object: claims that were asked for by name.
    claims TEXT,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    -- When its refresh tokens expire, and when its last access token has.
    expires_at INTEGER NOT NULL,
    kept_until INTEGER NOT NULL,
    revoked_at INTEGER,
    PRIMARY KEY (pool, id),
    UNIQUE (pool, handle)
) STRICT;

CREATE INDEX families_by_user ON families (pool, sub, client_id, used_at);
CREATE INDEX families_by_session ON families (pool, session_id);
CREATE INDEX families_by_end ON families (pool, kept_until);

-- Keys that the pool makes itself. One that is not published any more has no row.
CREATE TABLE keys (
    pool TEXT NOT NULL,
    kid TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    -- next, current or former.
    state TEXT NOT NULL,
    -- In PEM form.
    public TEXT NOT NULL,
    -- In PEM form, encrypted. NULL: it does not sign any more.
    sealed BLOB,
    created_at INTEGER NOT NULL,
    signs_until INTEGER NOT NULL,
    published_until INTEGER,
    PRIMARY KEY (pool, kid)
) STRICT;

CREATE UNIQUE INDEX keys_of_use ON keys (pool, algorithm, state) WHERE state <> 'former';

-- Authorization requests that clients have sent themselves (RFC 9126). A row is deleted when a browser uses it.
CREATE TABLE pushed_requests (
    pool TEXT NOT NULL,
    -- SHA-256 of the random part of its name.
    hash BLOB NOT NULL,
    client_id TEXT NOT NULL,
    -- As a form (application/x-www-form-urlencoded).
    request TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (pool, hash)
) STRICT;

CREATE INDEX pushed_requests_by_end ON pushed_requests (pool, expires_at);

-- Clients that are to be told that a session has ended (OpenID Connect Back-Channel Logout).
CREATE TABLE logouts (
    pool TEXT NOT NULL,
    id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    sub TEXT NOT NULL,
    session_id TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    PRIMARY KEY (pool, id),
    UNIQUE (pool, client_id, session_id)
) STRICT;

CREATE INDEX logouts_due ON logouts (pool, next_at);
