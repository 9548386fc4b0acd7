-- name: meta
SELECT value FROM meta WHERE name = ?

-- name: keep_meta
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: migrations_run
SELECT number, checksum FROM migration ORDER BY number

-- name: note_migration
INSERT INTO migration (number, name, checksum, at) VALUES (?, ?, ?, ?)

-- name: last_writer
SELECT epoch, clean FROM writer

-- name: take_over
UPDATE writer SET epoch = ?, pid = ?, host = ?, started_at = ?, clean = 0

-- name: note_clean_stop
UPDATE writer SET clean = 1 WHERE epoch = ?

-- The oldest of one final state. Looks at no more than its limit, and spares the newest rows: their numbers must not
-- come again.

-- name: old_signals
SELECT seq FROM (SELECT seq, ended_at FROM signal INDEXED BY signal_state WHERE state = ? ORDER BY seq LIMIT ?)
WHERE ended_at < ? AND seq < (SELECT max(seq) FROM signal)
  AND seq <> coalesce((SELECT signal_seq FROM attempt WHERE seq = (SELECT max(seq) FROM attempt)), 0)

-- name: entomb_key
INSERT INTO seen_key (source, key, signal_id, payload, seen_at)
SELECT source, key, id, payload, received_at FROM signal WHERE seq = ?

-- name: remove_fills
DELETE FROM fill WHERE attempt_seq IN (SELECT seq FROM attempt WHERE signal_seq = ?)

-- name: remove_attempts
DELETE FROM attempt WHERE signal_seq = ?

-- name: remove_signal
DELETE FROM signal WHERE seq = ?

-- name: oldest_events
SELECT seq, at, hash FROM event ORDER BY seq LIMIT ?

-- name: raise_floor
UPDATE journal_floor SET seq = ?, hash = ?

-- name: remove_events
DELETE FROM event WHERE seq <= ?

-- name: remove_minutes
DELETE FROM minute WHERE at IN (SELECT at FROM minute WHERE at < ? ORDER BY at LIMIT ?)

-- name: remove_latencies
DELETE FROM minute_latency WHERE at < coalesce((SELECT min(at) FROM minute), ?)

-- name: remove_keys
DELETE FROM seen_key WHERE (source, key) IN (
  SELECT source, key FROM seen_key INDEXED BY seen_key_age WHERE seen_at < ? ORDER BY seen_at LIMIT ?)

-- name: last_event
SELECT max(coalesce((SELECT max(seq) FROM event), 0), (SELECT seq FROM journal_floor))
