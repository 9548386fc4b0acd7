-- name: insert_event
INSERT OR FAIL INTO event (seq, kind, at, level, text, signal_id, signal_seq, attempt_n, trader, code, from_state, to_state,
  detail, epoch, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: last_link
SELECT seq, hash FROM (
  SELECT * FROM (SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1)
  UNION ALL
  SELECT seq, hash FROM journal_floor)
ORDER BY seq DESC LIMIT 1

-- name: events
SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?

-- name: loud_events
SELECT * FROM event INDEXED BY event_error WHERE level >= 30 AND level >= ? AND seq > ? ORDER BY seq LIMIT ?

-- name: errors
SELECT * FROM event INDEXED BY event_error WHERE level >= 30 AND seq < ? ORDER BY seq DESC LIMIT ?

-- name: journal_before
SELECT * FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ?

-- name: turns
SELECT * FROM event INDEXED BY event_trader WHERE kind = 'trader' AND trader = ? ORDER BY seq DESC LIMIT ?

-- name: error_numbers
SELECT seq FROM event INDEXED BY event_error WHERE level >= 30 ORDER BY seq DESC LIMIT ?

-- name: errors_since
SELECT count(*) FROM (
  SELECT at FROM event INDEXED BY event_error WHERE level >= 30 ORDER BY seq DESC LIMIT 1000)
WHERE at >= ?

-- name: event
SELECT * FROM event WHERE seq = ?

-- name: events_of_signal
SELECT * FROM event INDEXED BY event_signal WHERE signal_seq = ? ORDER BY seq

-- name: journal_floor
SELECT seq, hash FROM journal_floor

-- name: chain
SELECT seq, kind, at, level, text, signal_id, signal_seq, attempt_n, trader, code, from_state, to_state, detail, epoch,
  hash
FROM event WHERE seq > ? ORDER BY seq LIMIT ?
