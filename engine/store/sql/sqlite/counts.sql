-- name: add_total
INSERT INTO total (name, key, count) VALUES (?, ?, ?)
ON CONFLICT (name, key) DO UPDATE SET count = count + excluded.count

-- name: raise_total
INSERT INTO total (name, key, count) VALUES (?, ?, ?)
ON CONFLICT (name, key) DO UPDATE SET count = max(count, excluded.count)

-- name: add_minute
INSERT INTO minute (at, received, attempts, successes, failures, done, entries, latency_sum_s)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (at) DO UPDATE SET
  received = received + excluded.received, attempts = attempts + excluded.attempts,
  successes = successes + excluded.successes, failures = failures + excluded.failures,
  done = done + excluded.done, entries = entries + excluded.entries,
  latency_sum_s = latency_sum_s + excluded.latency_sum_s

-- name: add_latency
INSERT INTO minute_latency (at, bucket, count) VALUES (?, ?, ?)
ON CONFLICT (at, bucket) DO UPDATE SET count = count + excluded.count

-- name: totals
SELECT name, key, count FROM total

-- name: minutes
SELECT at, received, attempts, successes, failures, done, latency_sum_s FROM minute WHERE at >= ? AND at < ? ORDER BY at

-- name: minute_latencies
SELECT at, bucket, count FROM minute_latency WHERE at >= ? AND at < ?

-- name: entries_of_minutes
SELECT coalesce(sum(entries), 0) FROM minute WHERE at >= ?

-- name: entries_between
SELECT count(*) FROM attempt INDEXED BY attempt_intent
WHERE intent_at > ? AND intent_at < ? AND reduces = 0
  AND state <> 'not_sent' AND state <> 'rejected' AND state <> 'absent'
