-- What is known of a trader's account beside its health, as JSON: see engine/core/account.py.
ALTER TABLE trader ADD COLUMN account TEXT NOT NULL DEFAULT '{}';
