-- What the writer reads and writes of the rows that it works on. Plain placeholders: these run by the thousand. OR FAIL:
-- the writer itself undoes what a refused statement leaves, so that SQLite need not keep a copy of each page for that.

-- name: owner
SELECT epoch FROM writer

-- name: last_rows
SELECT coalesce((SELECT max(seq) FROM signal), 0), coalesce((SELECT max(seq) FROM attempt), 0),
  EXISTS (SELECT 1 FROM seen_key)

-- name: signal_row
SELECT seq, id, state, version, attempts, due_at, expires_at, ended_at, reason_code, reason_text, trader,
  cancel_requested
FROM signal WHERE id = ?

-- name: attempt_row
SELECT seq, signal_seq, signal_id, n, client_order_id, trader, symbol, side, reduces, intent_at, state, epoch, ended_at,
  unknown_since, next_probe_at, venue_order_id, error_code, error_text, sent_at, answered_at, probes, evidence, tally,
  broken, average_price, filled_quantity, filled_cost, fee, waiting_s, gating_s, submitting_s, acknowledged_s, filled_s
FROM attempt WHERE client_order_id = ?

-- name: known_trades
SELECT trade_id FROM fill WHERE attempt_seq = ?

-- name: other_live_attempt
SELECT 1 FROM attempt WHERE signal_seq = ? AND seq <> ? AND ended_at IS NULL

-- name: position
SELECT quantity, entry_price, opened_at, opened_by FROM position WHERE trader = ? AND symbol = ?

-- name: paused_traders
SELECT name FROM trader WHERE desired = 'pause'

-- name: is_halted
SELECT halted FROM switch

-- name: known_key
SELECT id, payload FROM signal WHERE source = ? AND key = ?

-- name: seen_key
SELECT signal_id, payload FROM seen_key WHERE source = ? AND key = ?

-- name: undispatched
SELECT id FROM signal INDEXED BY signal_open
WHERE symbol = ? AND source = ? AND ended_at IS NULL AND (state = 'new' OR state = 'waiting') ORDER BY seq

-- name: insert_signal
INSERT OR FAIL INTO signal (seq, id, source, key, symbol, side, state, version, attempts, reduces, due_at, expires_at,
  received_at, reason_code, reason_text, cancel_requested, confidence, quantity, price, note, votes, preferred_trader,
  reference_price, parent_id, payload)
VALUES (?, ?, ?, ?, ?, ?, 'new', 1, 0, ?, ?, ?, ?, '', '', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: dispatch_signal
-- It was open and stays open: the columns that other indexes rest on are left alone.
UPDATE OR FAIL signal SET state = ?, version = ?, attempts = ?, reason_code = ?, reason_text = ?, trader = ? WHERE seq = ?

-- name: update_signal
UPDATE OR FAIL signal SET state = ?, version = ?, due_at = ?, expires_at = ?, ended_at = ?, reason_code = ?, reason_text = ?,
  cancel_requested = ?
WHERE seq = ?

-- name: insert_attempt
INSERT OR FAIL INTO attempt (seq, signal_seq, signal_id, n, client_order_id, trader, state, epoch, intent_at, symbol, side,
  quantity, kind, send_by, price, reduces, reference_price, slippage_max, filled_quantity, filled_cost, fee, probes,
  evidence, waiting_s, gating_s, submitting_s, acknowledged_s, filled_s, tally, broken)
VALUES (?, ?, ?, ?, ?, ?, 'intent', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '0', '0', '0', 0, '[]', ?, ?, ?, ?, ?, '', 0)

-- name: update_attempt
UPDATE OR FAIL attempt SET epoch = ?, tally = ?, average_price = ?, filled_quantity = ?, filled_cost = ?, fee = ?,
  evidence = ?, venue_order_id = ?, error_code = ?, error_text = ?, sent_at = ?, answered_at = ?, waiting_s = ?,
  gating_s = ?, submitting_s = ?, acknowledged_s = ?, filled_s = ?, state = ?, ended_at = ?, next_probe_at = ?,
  unknown_since = ?, probes = ?, broken = ?
WHERE seq = ?

-- name: trade_attempt
-- The state and what follows from it stay: no index has anything to do.
UPDATE OR FAIL attempt SET epoch = ?, tally = ?, average_price = ?, filled_quantity = ?, filled_cost = ?, fee = ?,
  evidence = ?
WHERE seq = ?

-- name: answer_attempt
-- It was live and stays live: the index of what is live is left alone.
UPDATE OR FAIL attempt SET epoch = ?, tally = ?, venue_order_id = ?, error_code = ?, error_text = ?, sent_at = ?,
  answered_at = ?, waiting_s = ?, gating_s = ?, submitting_s = ?, acknowledged_s = ?, filled_s = ?, state = ?,
  next_probe_at = ?
WHERE seq = ?

-- name: end_attempt
UPDATE OR FAIL attempt SET epoch = ?, tally = ?, average_price = ?, filled_quantity = ?, filled_cost = ?, fee = ?,
  evidence = ?, state = ?, ended_at = ?, next_probe_at = ?
WHERE seq = ?

-- name: insert_fill
INSERT OR FAIL INTO fill (attempt_seq, trade_id, price, quantity, fee, fee_asset, at) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: keep_position
INSERT INTO position (trader, symbol, quantity, entry_price, opened_at, opened_by) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (trader, symbol) DO UPDATE SET quantity = excluded.quantity, entry_price = excluded.entry_price,
  opened_at = excluded.opened_at, opened_by = excluded.opened_by

-- name: drop_position
DELETE FROM position WHERE trader = ? AND symbol = ?
