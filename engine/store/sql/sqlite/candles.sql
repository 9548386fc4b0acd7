-- name: keep_candle
INSERT OR REPLACE INTO candle (symbol, at, interval, open, high, low, close, volume, flat)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: candles
SELECT symbol, at, interval, open, high, low, close, volume, flat FROM candle
WHERE symbol = ? AND at >= ? AND at < ? ORDER BY at DESC LIMIT ?

-- name: candle_symbols
WITH RECURSIVE each (symbol) AS (
  SELECT min(symbol) FROM candle
  UNION ALL
  SELECT (SELECT min(symbol) FROM candle WHERE symbol > each.symbol) FROM each WHERE each.symbol IS NOT NULL)
SELECT symbol FROM each WHERE symbol IS NOT NULL

-- name: last_interval
SELECT interval FROM candle WHERE symbol = ? ORDER BY at DESC LIMIT 1

-- name: remove_candles
DELETE FROM candle WHERE symbol = ? AND at IN (SELECT at FROM candle WHERE symbol = ? AND at < ? ORDER BY at LIMIT ?)

-- name: fills_between
SELECT fill.seq, attempt.signal_id, attempt.trader, attempt.side, fill.trade_id, fill.price, fill.quantity, fill.fee,
  fill.fee_asset, fill.at
FROM fill INDEXED BY fill_at CROSS JOIN attempt ON attempt.seq = fill.attempt_seq
WHERE fill.at >= ? AND fill.at < ? AND attempt.symbol = ? ORDER BY fill.at DESC LIMIT ?
