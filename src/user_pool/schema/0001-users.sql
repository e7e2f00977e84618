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
