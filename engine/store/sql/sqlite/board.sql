-- One picture of the engine. Nothing here grows with the history: counts come from `total` and `minute`.

-- name: board_lines_of_state
SELECT signal.seq, signal.id, signal.symbol, signal.side,
  coalesce(signal.quantity, (SELECT quantity FROM attempt WHERE attempt.signal_seq = signal.seq ORDER BY n DESC LIMIT 1)),
  signal.state, signal.reason_code,
  signal.reason_text, signal.attempts, signal.source, signal.trader, signal.confidence, signal.received_at,
  signal.expires_at, signal.ended_at, signal.version, signal.cancel_requested,
  (SELECT coalesce(waiting_s, 0) + coalesce(gating_s, 0) + coalesce(submitting_s, 0) + acknowledged_s
   FROM attempt WHERE attempt.signal_seq = signal.seq ORDER BY n DESC LIMIT 1)
FROM signal INDEXED BY signal_state WHERE state = ? ORDER BY seq DESC LIMIT ?

-- name: traders
SELECT trader.*,
  (SELECT count(*) FROM attempt INDEXED BY attempt_live WHERE ended_at IS NULL AND attempt.trader = trader.name),
  coalesce((SELECT count FROM total WHERE total.name = 'trader_attempts' AND key = trader.name), 0),
  coalesce((SELECT count FROM total WHERE total.name = 'trader_successes' AND key = trader.name), 0)
FROM trader WHERE listed = 1 ORDER BY trader.name

-- name: open_alerts
SELECT * FROM alert INDEXED BY alert_open WHERE state <> 'resolved' ORDER BY id DESC LIMIT ?

-- name: resolved_alerts
SELECT * FROM alert INDEXED BY alert_resolved WHERE state = 'resolved' ORDER BY id DESC LIMIT ?

-- name: alert_counts
SELECT count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE state <> 'pending')
FROM alert INDEXED BY alert_open WHERE state <> 'resolved'

-- name: snapshot
SELECT body FROM snapshot WHERE name = ?
