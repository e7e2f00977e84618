-- What a user calls a passkey. NULL: nothing.
ALTER TABLE passkeys ADD COLUMN name TEXT;

-- `User-Agent` of the browser when the user began to trust it, or its beginning. Empty: not known.
ALTER TABLE browsers ADD COLUMN agent TEXT NOT NULL DEFAULT '';

-- Of a code that stays when another one was asked for and not sent: until when its digits are right. The row answers until `expires_at`. NULL: as long as the row.
ALTER TABLE codes ADD COLUMN sent_until INTEGER;
-- The wrong tries before that.
ALTER TABLE codes ADD COLUMN wrong_before INTEGER NOT NULL DEFAULT 0;
