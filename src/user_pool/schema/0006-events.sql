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
