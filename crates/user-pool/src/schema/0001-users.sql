CREATE TABLE users (
    pool TEXT NOT NULL,
    sub TEXT NOT NULL,
    -- As it was typed, and in canonical form.
    username TEXT NOT NULL,
    username_key TEXT NOT NULL,
    status TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    -- A JSON object: attributes by their names, all of them texts.
    attributes TEXT NOT NULL,
    -- In PHC form. NULL: the user has no password.
    password_hash TEXT,
    password_set_at INTEGER,
    -- What was issued in an earlier epoch counts no more.
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    PRIMARY KEY (pool, sub),
    UNIQUE (pool, username_key)
) STRICT;

CREATE INDEX users_by_status ON users (pool, status, username_key);
CREATE INDEX users_by_enabled ON users (pool, enabled, username_key);

CREATE INDEX users_unconfirmed ON users (pool, created_at) WHERE status = 'UNCONFIRMED';

-- Names other than the user name by which a user signs in. Each belongs to one user.
CREATE TABLE aliases (
    pool TEXT NOT NULL,
    -- email, phone_number: verified ones. preferred_username. sign_in: the address that is the name, in a pool whose users have no other.
    kind TEXT NOT NULL,
    value_key TEXT NOT NULL,
    sub TEXT NOT NULL,
    PRIMARY KEY (pool, kind, value_key),
    FOREIGN KEY (pool, sub) REFERENCES users (pool, sub) ON DELETE CASCADE
) STRICT;

CREATE INDEX aliases_by_user ON aliases (pool, sub);

-- Attributes by which administrators search, in canonical form.
CREATE TABLE user_search (
    pool TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    sub TEXT NOT NULL,
    PRIMARY KEY (pool, name, key, sub),
    FOREIGN KEY (pool, sub) REFERENCES users (pool, sub) ON DELETE CASCADE
) STRICT;

CREATE INDEX user_search_by_user ON user_search (pool, sub);

CREATE TABLE user_groups (
    pool TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    -- The smallest is the strongest. NULL: weaker than all.
    precedence INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (pool, name)
) STRICT;

CREATE TABLE members (
    pool TEXT NOT NULL,
    sub TEXT NOT NULL,
    group_name TEXT NOT NULL,
    PRIMARY KEY (pool, sub, group_name),
    FOREIGN KEY (pool, sub) REFERENCES users (pool, sub) ON DELETE CASCADE,
    FOREIGN KEY (pool, group_name) REFERENCES user_groups (pool, name) ON DELETE CASCADE
) STRICT;

CREATE INDEX members_by_group ON members (pool, group_name, sub);
