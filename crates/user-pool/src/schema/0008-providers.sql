-- Users who sign in at another provider: who is who.
CREATE TABLE provider_links (
    pool TEXT NOT NULL,
    -- The name of the provider in the configuration of the pool.
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    -- `sub` at the provider. Case-sensitive.
    subject TEXT NOT NULL,
    sub TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (pool, provider, issuer, subject),
    FOREIGN KEY (pool, sub) REFERENCES users (pool, sub) ON DELETE CASCADE
) STRICT;

CREATE INDEX provider_links_by_user ON provider_links (pool, sub);

-- Sign-ins at a provider that have ended, until their answers would have expired. Only who has signed in there makes a row.
CREATE TABLE provider_sign_ins (
    pool TEXT NOT NULL,
    -- SHA-256.
    state_hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (pool, state_hash)
) STRICT;

CREATE INDEX provider_sign_ins_by_expiry ON provider_sign_ins (pool, expires_at);
