-- name: add_command
INSERT INTO command (request_id, kind, operator, at, target, why, args, expected_version, state, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'posted', '')
ON CONFLICT (request_id) DO NOTHING

-- name: command_of_request
SELECT * FROM command WHERE request_id = ?

-- name: finish_command
UPDATE command SET state = ?, result = ?, finished_at = ? WHERE id = ? AND state = 'posted'

-- name: posted_commands
SELECT * FROM command INDEXED BY command_posted WHERE state = 'posted' ORDER BY id

-- name: commands
SELECT * FROM command WHERE id < ? ORDER BY id DESC LIMIT ?

-- name: unlist_traders
UPDATE trader SET listed = 0 WHERE listed = 1

-- name: declare_trader
INSERT INTO trader (name, exchange, listed, desired, desired_by, desired_why, health, health_fact, breaker,
  breaker_fact, quarantined)
VALUES (?, ?, ?, 'run', '', '', 'unchecked', '', 'closed', '', 0)
ON CONFLICT (name) DO UPDATE SET exchange = excluded.exchange, listed = excluded.listed

-- name: desired_of
SELECT CASE drain WHEN 1 THEN 'drain' ELSE desired END FROM trader WHERE name = ?

-- name: set_desired
INSERT INTO trader (name, exchange, listed, desired, drain, desired_by, desired_at, desired_why, health, health_fact,
  breaker, breaker_fact, quarantined)
VALUES (?, '', 0, ?, ?, ?, ?, ?, 'unchecked', '', 'closed', '', 0)
ON CONFLICT (name) DO UPDATE SET desired = excluded.desired, drain = excluded.drain, desired_by = excluded.desired_by,
  desired_at = excluded.desired_at, desired_why = excluded.desired_why

-- name: note_health
INSERT INTO trader (name, exchange, listed, desired, desired_by, desired_why, health, health_since, health_fact,
  breaker, open_until, breaker_fact, quarantined, proof_broken, latency_p50, latency_p95, account)
VALUES (?, ?, 1, 'run', '', '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET health = excluded.health, health_since = excluded.health_since,
  health_fact = excluded.health_fact, breaker = excluded.breaker, open_until = excluded.open_until,
  breaker_fact = excluded.breaker_fact, quarantined = excluded.quarantined,
  proof_broken = excluded.proof_broken, latency_p50 = excluded.latency_p50,
  latency_p95 = excluded.latency_p95, account = excluded.account

-- name: switches
SELECT halted, halted_by, halted_at, halted_why FROM switch

-- name: set_halted
UPDATE switch SET halted = ?, halted_by = ?, halted_at = ?, halted_why = ?

-- name: unresolved_alert
SELECT id FROM alert INDEXED BY alert_unresolved WHERE rule = ? AND subject = ? AND state <> 'resolved'

-- name: keep_alert
INSERT INTO alert (id, rule, subject, severity, state, text, remedy, raised_at, changed_at, signal_id, ack_by, ack_at,
  snoozed_until, resolved_at, repeats)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, state = excluded.state, text = excluded.text,
  remedy = excluded.remedy, raised_at = excluded.raised_at, changed_at = excluded.changed_at,
  signal_id = excluded.signal_id, ack_by = excluded.ack_by, ack_at = excluded.ack_at,
  snoozed_until = excluded.snoozed_until, resolved_at = excluded.resolved_at, repeats = excluded.repeats

-- name: keep_snapshot
INSERT INTO snapshot (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body
