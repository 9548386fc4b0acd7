-- A pause that the operator means as a drain: whoever looks is told when the last order of the trader has ended.
ALTER TABLE trader ADD COLUMN drain INTEGER NOT NULL DEFAULT 0 CHECK (drain = 0 OR (drain = 1 AND desired = 'pause'));
