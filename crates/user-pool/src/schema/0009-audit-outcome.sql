-- done, begun or failed. What was written before this column says nothing of failures.
ALTER TABLE audit ADD COLUMN outcome TEXT NOT NULL DEFAULT 'done';
