-- name: attempt
SELECT * FROM attempt WHERE client_order_id = ?

-- name: attempts
SELECT * FROM attempt WHERE seq > ? ORDER BY seq LIMIT ?

-- name: attempts_of_signal
SELECT * FROM attempt WHERE signal_seq = ? ORDER BY n

-- name: last_tries
SELECT signal_seq, quantity,
  coalesce(waiting_s, 0) + coalesce(gating_s, 0) + coalesce(submitting_s, 0) + acknowledged_s
FROM json_each(?) AS wanted JOIN attempt ON attempt.signal_seq = wanted.value
WHERE n = (SELECT max(n) FROM attempt WHERE signal_seq = wanted.value)

-- name: live_attempts
SELECT * FROM attempt INDEXED BY attempt_live WHERE ended_at IS NULL ORDER BY seq

-- name: signals_with_orders
SELECT DISTINCT signal_id FROM attempt INDEXED BY attempt_live WHERE ended_at IS NULL

-- name: orphans
SELECT client_order_id FROM attempt INDEXED BY attempt_live
WHERE ended_at IS NULL AND state = 'intent' ORDER BY seq

-- name: due_probes
SELECT * FROM attempt INDEXED BY attempt_probe
WHERE next_probe_at IS NOT NULL AND next_probe_at <= ? AND trader IN (SELECT value FROM json_each(?))
ORDER BY next_probe_at LIMIT ?

-- name: under_way
SELECT symbol, trader, reduces FROM attempt INDEXED BY attempt_live WHERE ended_at IS NULL ORDER BY seq

-- name: overdue
SELECT count(*) FROM attempt INDEXED BY attempt_live
WHERE ended_at IS NULL AND state = 'unknown' AND unknown_since < ? AND intent_at >= ?

-- name: fills
SELECT fill.seq, attempt.trader, attempt.client_order_id, fill.trade_id, fill.price, fill.quantity, fill.fee,
  fill.fee_asset, fill.at
FROM fill JOIN attempt ON attempt.seq = fill.attempt_seq
WHERE fill.seq > ? ORDER BY fill.seq LIMIT ?

-- name: fills_of_signal
SELECT attempt.n, fill.trade_id, fill.price, fill.quantity, fill.fee, fill.fee_asset, fill.at
FROM attempt CROSS JOIN fill ON fill.attempt_seq = attempt.seq
WHERE attempt.signal_seq = ? ORDER BY fill.seq

-- name: positions
SELECT * FROM position ORDER BY trader, symbol
