-- Closed candles, for looking at. Prices are what the market's rows are read as: doubles, which come back bit by bit.
-- `at` is the candle's begin. One begin has one candle: the one that was written last.
CREATE TABLE candle (
  symbol TEXT NOT NULL,
  at INTEGER NOT NULL,
  interval INTEGER NOT NULL CHECK (interval > 0),
  open REAL NOT NULL,
  high REAL NOT NULL,
  low REAL NOT NULL,
  close REAL NOT NULL,
  volume REAL NOT NULL,
  flat INTEGER NOT NULL CHECK (flat = 0 OR flat = 1),
  PRIMARY KEY (symbol, at)
) STRICT, WITHOUT ROWID;

-- Fills are asked for by their time, to be marked among the candles.
CREATE INDEX fill_at ON fill (at);
