-- Sign-ins that ended before their time, at the pool and at everybody in this process who uses it.
CREATE TABLE endings (
    -- The order of endings. Never used again: readers look for what is greater than the last one they have seen.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool TEXT NOT NULL,
    -- Empty: every user.
    sub TEXT NOT NULL,
    -- `sid` in tokens. Empty: every session of the user.
    sid TEXT NOT NULL,
    -- The first second that counts again, as `auth_time` of a sign-in. Of a session: the first second after its sign-in.
    before INTEGER NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (pool, sub, sid)
) STRICT;

CREATE INDEX endings_by_time ON endings (pool, at);

-- What users have done: the sign-in log (pool §11.7).
CREATE TABLE events (
    -- The order in which they were written, for those of the same moment.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    pool TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Empty: a name that nobody has. The name is not kept.
    sub TEXT NOT NULL,
    -- SignIn, SignUp, ForgotPassword, …
    kind TEXT NOT NULL,
    -- Pass, Fail or InProgress.
    response TEXT NOT NULL,
    -- 1: anybody can cause it, who knows no secret of the user.
    by_anybody INTEGER NOT NULL,
    -- What was asked, and with `+` or `-`, whether the answer was right: `Password+ Mfa-`.
    challenges TEXT NOT NULL,
    -- Why it failed. NULL: the answer was wrong.
    reason TEXT,
    client_id TEXT,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (pool, id)
) STRICT;

CREATE INDEX events_by_user ON events (pool, sub, by_anybody, at);
CREATE INDEX events_by_time ON events (pool, at);
CREATE INDEX events_by_anybody ON events (pool, at) WHERE by_anybody = 1;

-- Who has changed what. No secrets, and no values of attributes.
CREATE TABLE audit (
    -- The order of entries. Never used again: readers look for what is greater than the last one they have seen.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pool TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- `cli:1000`, `user` or `system`.
    actor TEXT NOT NULL,
    operation TEXT NOT NULL,
    -- Whom it is about.
    sub TEXT,
    detail TEXT
) STRICT;

CREATE INDEX audit_by_time ON audit (pool, at);
CREATE INDEX audit_by_user ON audit (pool, sub, id);
