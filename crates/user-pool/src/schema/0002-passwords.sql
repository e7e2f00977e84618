-- NULL: the password stays. Otherwise it only leads to a new one, and until then.
ALTER TABLE users ADD COLUMN temporary_until INTEGER;
-- The algorithm and the cost of a hash that we have not made. NULL: ours, or no password.
ALTER TABLE users ADD COLUMN foreign_cost TEXT;

CREATE INDEX users_by_foreign_cost ON users (pool, foreign_cost) WHERE foreign_cost IS NOT NULL;

-- Former passwords of a user.
CREATE TABLE password_history (
    pool TEXT NOT NULL,
    sub TEXT NOT NULL,
    -- Of the user while it was the password. The largest is the newest.
    epoch INTEGER NOT NULL,
    password_hash TEXT NOT NULL,
    PRIMARY KEY (pool, sub, epoch),
    FOREIGN KEY (pool, sub) REFERENCES users (pool, sub) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
