-- Whole rows in the order of the table: rows.py takes them apart. Lists go by seq, never by OFFSET.

-- name: signal
SELECT * FROM signal WHERE id = ?

-- name: signals_by_prefix
SELECT * FROM signal WHERE id >= ? AND id < ? ORDER BY id LIMIT 2

-- name: open_signal
SELECT * FROM signal INDEXED BY signal_open
WHERE symbol = ? AND source = ? AND ended_at IS NULL ORDER BY seq DESC LIMIT 1

-- name: due_signals
SELECT * FROM signal INDEXED BY signal_due
WHERE reduces = ? AND due_at <= ? AND (state = 'new' OR state = 'waiting') ORDER BY due_at, seq LIMIT ?

-- name: next_due
SELECT min(due_at) FROM (
  SELECT min(due_at) AS due_at FROM signal INDEXED BY signal_due
  WHERE reduces = 0 AND (state = 'new' OR state = 'waiting')
  UNION ALL
  SELECT min(due_at) FROM signal INDEXED BY signal_due
  WHERE reduces = 1 AND (state = 'new' OR state = 'waiting'))

-- name: last_signals
WITH RECURSIVE each (symbol) AS (
  SELECT min(symbol) FROM signal
  UNION ALL
  SELECT (SELECT min(symbol) FROM signal WHERE symbol > each.symbol) FROM each WHERE each.symbol IS NOT NULL)
SELECT signal.* FROM (
  SELECT (SELECT max(seq) FROM signal WHERE symbol = each.symbol) AS last FROM each WHERE symbol IS NOT NULL)
JOIN signal ON signal.seq = last ORDER BY last DESC LIMIT ?

-- Each page below is one of these with all conditions; which one is asked decides the index it walks.

-- name: signals_of_state
SELECT * FROM signal INDEXED BY signal_state
WHERE state = :state AND seq < :before AND (:symbol IS NULL OR symbol = :symbol)
  AND (:source IS NULL OR source = :source) AND (:trader IS NULL OR trader = :trader)
ORDER BY seq DESC LIMIT :limit

-- name: signals_of_symbol
SELECT * FROM signal INDEXED BY signal_symbol
WHERE symbol = :symbol AND seq < :before AND (:source IS NULL OR source = :source)
  AND (:trader IS NULL OR trader = :trader)
ORDER BY seq DESC LIMIT :limit

-- name: signals_of_trader
SELECT * FROM signal INDEXED BY signal_trader
WHERE trader = :trader AND seq < :before AND (:source IS NULL OR source = :source)
ORDER BY seq DESC LIMIT :limit

-- name: signals_of_source
SELECT * FROM signal INDEXED BY signal_source
WHERE source = :source AND seq < :before ORDER BY seq DESC LIMIT :limit

-- name: signals_of_any
SELECT * FROM signal WHERE seq < :before ORDER BY seq DESC LIMIT :limit
