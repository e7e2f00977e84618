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
    -- Whether the user has left the page that shows the recovery codes.
    codes_seen INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (pool, sub, kind)
) STRICT;

CREATE TABLE recovery_codes (
    pool TEXT NOT NULL,
    sub TEXT NOT NULL,
    -- SHA-256.
    hash BLOB NOT NULL,
    PRIMARY KEY (pool, sub, hash)
) STRICT;
