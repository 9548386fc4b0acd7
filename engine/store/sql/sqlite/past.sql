-- The journal's way back: see engine/store/sqlite/past.py. These run on the file, read-only; what they find is kept in
-- memory. Each looks at a bounded part, but for the sums of what came after the moment.

-- name: journal_ends
SELECT (SELECT min(seq) FROM event), (SELECT max(seq) FROM event)

-- name: event_from
SELECT seq, at FROM event WHERE seq >= ? ORDER BY seq LIMIT 1

-- name: events_within
SELECT * FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?

-- name: loud_within
SELECT * FROM event INDEXED BY event_error WHERE level >= 30 AND level >= ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?

-- The one look through the whole journal: what it finds is remembered, and the next look begins where it ended.
-- name: switches_within
SELECT seq, at, from_state, to_state, detail FROM event
WHERE seq > ? AND seq <= ? AND kind = 'engine' AND code = 'switched' ORDER BY seq

-- name: turns_until
SELECT * FROM event INDEXED BY event_trader WHERE kind = 'trader' AND trader = ? AND seq <= ? ORDER BY seq DESC LIMIT ?

-- name: turns_after
SELECT * FROM event INDEXED BY event_trader WHERE kind = 'trader' AND trader = ? AND seq > ? ORDER BY seq LIMIT ?

-- name: newest_signal
SELECT coalesce(max(seq), 0) FROM signal

-- name: signal_from
SELECT seq FROM signal WHERE seq >= ? ORDER BY seq LIMIT 1

-- name: birth_of_signal
SELECT seq FROM event INDEXED BY event_signal WHERE signal_seq = ? AND kind = 'received' ORDER BY seq LIMIT 1

-- name: touched_signals
SELECT DISTINCT signal_seq FROM event INDEXED BY event_signal WHERE signal_seq > ? AND signal_seq <= ? AND seq > ?

-- name: touched_by_next
SELECT signal_seq FROM (SELECT signal_seq FROM event WHERE seq > ? ORDER BY seq LIMIT ?) WHERE signal_seq <= ?

-- name: newest_of_state
SELECT seq FROM signal INDEXED BY signal_state WHERE state = ? AND seq <= ? ORDER BY seq DESC LIMIT ?

-- name: signals_within
SELECT * FROM signal WHERE seq > ? AND seq <= ? ORDER BY seq

-- name: attempts_within
SELECT * FROM attempt WHERE signal_seq > ? AND signal_seq <= ? ORDER BY signal_seq, n

-- name: fills_within
SELECT fill.*, attempt.signal_seq FROM attempt CROSS JOIN fill ON fill.attempt_seq = attempt.seq
WHERE attempt.signal_seq > ? AND attempt.signal_seq <= ?

-- name: sums_of_signals_after
SELECT state, reason_code, count(*) FROM signal NOT INDEXED WHERE seq > ? GROUP BY state, reason_code

-- name: sums_of_attempts_after
SELECT state, trader, tally, count(*) FROM attempt WHERE signal_seq > ? GROUP BY state, trader, tally

-- name: newest_fill
SELECT coalesce(max(seq), 0) FROM fill

-- name: fill_from
SELECT fill.seq, fill.attempt_seq, attempt.signal_seq, attempt.n FROM fill CROSS JOIN attempt ON attempt.seq = fill.attempt_seq
WHERE fill.seq >= ? ORDER BY fill.seq LIMIT 1

-- name: fills_of_attempt_from
SELECT count(*) FROM fill WHERE attempt_seq = ? AND seq >= ?

-- name: fill_events_after
SELECT count(*) FROM event INDEXED BY event_signal
WHERE signal_seq = ? AND seq > ? AND kind = 'fill' AND code = '' AND attempt_n = ?

-- name: traded_after
SELECT DISTINCT attempt.trader, attempt.symbol FROM fill CROSS JOIN attempt ON attempt.seq = fill.attempt_seq
WHERE fill.seq > ?

-- name: fills_back
SELECT attempt.trader, attempt.symbol, attempt.signal_seq, attempt.n, attempt.side, attempt.signal_id, fill.trade_id,
  fill.price, fill.quantity, fill.fee, fill.fee_asset, fill.at
FROM fill CROSS JOIN attempt ON attempt.seq = fill.attempt_seq
WHERE fill.seq <= ? AND fill.seq > ? ORDER BY fill.seq DESC

-- name: position_events
SELECT seq, detail FROM event INDEXED BY event_signal
WHERE signal_seq = ? AND kind = 'position' AND attempt_n = ? ORDER BY seq

-- name: all_traders
SELECT * FROM trader

-- name: newest_alert
SELECT coalesce(max(id), 0) FROM alert

-- name: alert_from
SELECT id, raised_at FROM alert WHERE id >= ? ORDER BY id LIMIT 1

-- name: alerts_until
SELECT * FROM alert WHERE id <= ? ORDER BY id DESC LIMIT ?

-- name: newest_command
SELECT coalesce(max(id), 0) FROM command

-- name: command_from
SELECT id, at FROM command WHERE id >= ? ORDER BY id LIMIT 1

-- name: whole_minutes
SELECT * FROM minute WHERE at >= ? AND at < ?

-- What is put into memory.

-- name: put_signal_row
INSERT INTO signal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_attempt_row
INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
  ?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_fill_row
INSERT INTO fill VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_event_row
INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_trader_row
INSERT OR REPLACE INTO trader VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_alert_row
INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: clear_alerts
DELETE FROM alert

-- name: put_command_row
INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: clear_commands
DELETE FROM command
