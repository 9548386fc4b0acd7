-- Times are whole microseconds since 1970 (UTC), money and quantities decimal text.
-- Lists of states in conditions are spelled with OR: SQLite builds a tree for IN (...) on every row that it touches.
-- Which moves are legal is written in engine/core/lifecycle.py; a test holds the guards below against it.

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was run on this file, with the SHA-256 of each text.
CREATE TABLE migration (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;

-- One row: who writes here. A higher epoch fences off every write of a lower one.
CREATE TABLE writer (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  clean INTEGER NOT NULL CHECK (clean IN (0, 1))
) STRICT;

CREATE TABLE signal (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL,
  key TEXT NOT NULL,
  symbol TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side = 'buy' OR side = 'sell'),
  state TEXT NOT NULL CHECK (state = 'new' OR state = 'waiting' OR state = 'executing' OR state = 'done'
    OR state = 'expired' OR state = 'cancelled' OR state = 'rejected' OR state = 'failed' OR state = 'needs_review'),
  version INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  reduces INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  ended_at INTEGER,
  reason_code TEXT NOT NULL,
  reason_text TEXT NOT NULL,
  trader TEXT,
  cancel_requested INTEGER NOT NULL,
  confidence REAL NOT NULL,
  quantity TEXT,
  price TEXT,
  note TEXT NOT NULL,
  votes TEXT NOT NULL,
  preferred_trader TEXT,
  reference_price TEXT,
  parent_id TEXT,
  payload BLOB NOT NULL,
  CHECK ((ended_at IS NULL) = (state = 'new' OR state = 'waiting' OR state = 'executing' OR state = 'needs_review')),
  UNIQUE (source, key)
) STRICT;

CREATE INDEX signal_state ON signal (state, seq);
CREATE INDEX signal_symbol ON signal (symbol, seq);
CREATE INDEX signal_source ON signal (source, seq);
CREATE INDEX signal_trader ON signal (trader, seq) WHERE trader IS NOT NULL;
CREATE INDEX signal_open ON signal (symbol, source, seq) WHERE ended_at IS NULL;
CREATE INDEX signal_due ON signal (reduces, due_at, seq) WHERE state = 'new' OR state = 'waiting';

-- Keys of signals that were removed: a key is known for longer than its signal.
CREATE TABLE seen_key (
  source TEXT NOT NULL,
  key TEXT NOT NULL,
  signal_id TEXT NOT NULL,
  payload BLOB NOT NULL,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX seen_key_age ON seen_key (seen_at);

CREATE TABLE attempt (
  seq INTEGER PRIMARY KEY,
  signal_seq INTEGER NOT NULL REFERENCES signal (seq),
  signal_id TEXT NOT NULL,
  n INTEGER NOT NULL,
  client_order_id TEXT NOT NULL UNIQUE,
  trader TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state = 'intent' OR state = 'accepted' OR state = 'unknown' OR state = 'review'
    OR state = 'filled' OR state = 'partial_closed' OR state = 'not_sent' OR state = 'rejected' OR state = 'absent'
    OR state = 'canceled'),
  epoch INTEGER NOT NULL,
  intent_at INTEGER NOT NULL,
  ended_at INTEGER,
  unknown_since INTEGER,
  next_probe_at INTEGER,
  symbol TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side = 'buy' OR side = 'sell'),
  quantity TEXT NOT NULL,
  kind TEXT NOT NULL,
  send_by INTEGER NOT NULL,
  price TEXT,
  reduces INTEGER NOT NULL,
  reference_price TEXT,
  slippage_max TEXT,
  venue_order_id TEXT,
  filled_quantity TEXT NOT NULL,
  filled_cost TEXT NOT NULL,
  average_price TEXT,
  fee TEXT NOT NULL,
  error_code TEXT,
  error_text TEXT,
  sent_at INTEGER,
  answered_at INTEGER,
  probes INTEGER NOT NULL,
  evidence TEXT NOT NULL,
  waiting_s REAL,
  gating_s REAL,
  submitting_s REAL,
  acknowledged_s REAL,
  filled_s REAL,
  tally TEXT NOT NULL CHECK (tally = '' OR tally = 'success' OR tally = 'failure'),
  broken INTEGER NOT NULL,
  CHECK ((ended_at IS NULL) = (state = 'intent' OR state = 'accepted' OR state = 'unknown' OR state = 'review')),
  CHECK ((unknown_since IS NOT NULL) = (state = 'unknown')),
  CHECK (next_probe_at IS NULL OR state = 'unknown' OR state = 'accepted'),
  UNIQUE (signal_seq, n)
) STRICT;

-- At most one attempt of a signal is an order, or may be one. The exception is an order that came back from a proven
-- end (`broken`): it must be shown beside whatever was sent since.
CREATE UNIQUE INDEX attempt_live_or_done ON attempt (signal_seq)
  WHERE broken = 0 AND (state = 'intent' OR state = 'unknown' OR state = 'accepted' OR state = 'review'
    OR state = 'filled' OR state = 'partial_closed');
CREATE INDEX attempt_live ON attempt (trader, seq) WHERE ended_at IS NULL;
CREATE INDEX attempt_probe ON attempt (next_probe_at) WHERE next_probe_at IS NOT NULL;
CREATE INDEX attempt_intent ON attempt (intent_at);

CREATE TABLE fill (
  seq INTEGER PRIMARY KEY,
  attempt_seq INTEGER NOT NULL REFERENCES attempt (seq),
  trade_id TEXT NOT NULL,
  price TEXT NOT NULL,
  quantity TEXT NOT NULL,
  fee TEXT NOT NULL,
  fee_asset TEXT NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (attempt_seq, trade_id)
) STRICT;

CREATE TABLE position (
  trader TEXT NOT NULL,
  symbol TEXT NOT NULL,
  quantity TEXT NOT NULL,
  entry_price TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  opened_by TEXT NOT NULL,
  PRIMARY KEY (trader, symbol)
) STRICT, WITHOUT ROWID;

-- The journal. `hash` chains each row to the one before it: SHA-256 of that hash and of this row as JSON; see
-- engine/store/sqlite/journal.py.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  level INTEGER NOT NULL,
  text TEXT NOT NULL,
  signal_id TEXT,
  signal_seq INTEGER,
  attempt_n INTEGER,
  trader TEXT,
  code TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  detail TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;

CREATE INDEX event_signal ON event (signal_seq, seq) WHERE signal_seq IS NOT NULL;
CREATE INDEX event_error ON event (seq, at, level) WHERE level >= 30;

-- One row: everything up to `seq` was removed for its age; `hash` is the hash of that last row.
CREATE TABLE journal_floor (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;

CREATE TABLE trader (
  name TEXT PRIMARY KEY,
  exchange TEXT NOT NULL,
  listed INTEGER NOT NULL,
  desired TEXT NOT NULL CHECK (desired = 'run' OR desired = 'pause'),
  desired_by TEXT NOT NULL,
  desired_at INTEGER,
  desired_why TEXT NOT NULL,
  health TEXT NOT NULL,
  health_since INTEGER,
  health_fact TEXT NOT NULL,
  breaker TEXT NOT NULL,
  open_until INTEGER,
  breaker_fact TEXT NOT NULL,
  quarantined INTEGER NOT NULL,
  proof_broken INTEGER NOT NULL DEFAULT 0,
  latency_p50 REAL,
  latency_p95 REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE switch (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  halted INTEGER NOT NULL CHECK (halted = 0 OR halted = 1),
  halted_by TEXT NOT NULL,
  halted_at INTEGER,
  halted_why TEXT NOT NULL
) STRICT;

CREATE TABLE command (
  id INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  operator TEXT NOT NULL,
  at INTEGER NOT NULL,
  target TEXT NOT NULL,
  why TEXT NOT NULL,
  args TEXT NOT NULL,
  expected_version INTEGER,
  state TEXT NOT NULL CHECK (state = 'posted' OR state = 'done' OR state = 'refused'),
  result TEXT NOT NULL,
  finished_at INTEGER
) STRICT;

CREATE INDEX command_posted ON command (id) WHERE state = 'posted';

CREATE TABLE alert (
  id INTEGER PRIMARY KEY,
  rule TEXT NOT NULL,
  subject TEXT NOT NULL,
  severity TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state = 'pending' OR state = 'active' OR state = 'acknowledged' OR state = 'resolved'),
  text TEXT NOT NULL,
  remedy TEXT NOT NULL,
  raised_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  signal_id TEXT,
  ack_by TEXT NOT NULL,
  ack_at INTEGER,
  snoozed_until INTEGER,
  resolved_at INTEGER,
  repeats INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX alert_unresolved ON alert (rule, subject) WHERE state <> 'resolved';
CREATE INDEX alert_open ON alert (id) WHERE state <> 'resolved';
CREATE INDEX alert_resolved ON alert (id) WHERE state = 'resolved';

-- Counts since the store was made. `name` says what is counted, `key` which of them.
CREATE TABLE total (
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (name, key)
) STRICT, WITHOUT ROWID;

-- Figures of one minute; an attempt's outcome counts in the minute of its intent.
CREATE TABLE minute (
  at INTEGER PRIMARY KEY,
  received INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  successes INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  done INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  latency_sum_s REAL NOT NULL
) STRICT;

-- Latencies of one minute, in the buckets of engine/core/metrics.py.
CREATE TABLE minute_latency (
  at INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (at, bucket)
) STRICT, WITHOUT ROWID;

-- The latest of what is told again and again: the engine's heartbeat, the diagnosis.
CREATE TABLE snapshot (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO writer VALUES (1, 0, 0, '', 0, 1);
INSERT INTO switch VALUES (1, 0, '', NULL, '');
INSERT INTO journal_floor VALUES (1, 0, zeroblob(32));

-- RAISE(FAIL), not ABORT: the writer rolls back by itself, and ABORT would make SQLite journal every statement.
CREATE TRIGGER signal_moves BEFORE UPDATE OF state ON signal
WHEN OLD.state <> NEW.state AND NOT (
  (OLD.state = 'new' AND (NEW.state = 'waiting' OR NEW.state = 'executing' OR NEW.state = 'expired'
    OR NEW.state = 'cancelled' OR NEW.state = 'rejected' OR NEW.state = 'needs_review'))
  OR (OLD.state = 'waiting' AND (NEW.state = 'executing' OR NEW.state = 'expired' OR NEW.state = 'cancelled'
    OR NEW.state = 'rejected' OR NEW.state = 'needs_review'))
  OR (OLD.state = 'executing' AND (NEW.state = 'waiting' OR NEW.state = 'done' OR NEW.state = 'expired'
    OR NEW.state = 'cancelled' OR NEW.state = 'rejected' OR NEW.state = 'failed' OR NEW.state = 'needs_review'))
  OR (OLD.state = 'needs_review' AND (NEW.state = 'done' OR NEW.state = 'waiting' OR NEW.state = 'failed'
    OR NEW.state = 'executing'))
  OR (OLD.state = 'failed' AND (NEW.state = 'waiting' OR NEW.state = 'needs_review'))
  OR (OLD.state = 'expired' AND (NEW.state = 'waiting' OR NEW.state = 'needs_review'))
  OR (OLD.state = 'rejected' AND (NEW.state = 'waiting' OR NEW.state = 'needs_review'))
  OR (OLD.state = 'cancelled' AND NEW.state = 'needs_review')
  OR (OLD.state = 'done' AND NEW.state = 'needs_review'))
BEGIN
  SELECT RAISE(FAIL, 'no signal moves like that');
END;

CREATE TRIGGER signal_rests BEFORE UPDATE OF state ON signal
WHEN OLD.state <> NEW.state AND (NEW.state = 'waiting' OR NEW.state = 'expired' OR NEW.state = 'cancelled'
  OR NEW.state = 'rejected' OR NEW.state = 'failed')
BEGIN
  SELECT RAISE(FAIL, 'the signal has a live attempt') FROM attempt
  WHERE signal_seq = NEW.seq AND +ended_at IS NULL;
END;

CREATE TRIGGER attempt_moves BEFORE UPDATE OF state ON attempt
WHEN OLD.state <> NEW.state AND NOT (
  (OLD.state = 'intent' AND (NEW.state = 'not_sent' OR NEW.state = 'accepted' OR NEW.state = 'filled'
    OR NEW.state = 'partial_closed' OR NEW.state = 'rejected' OR NEW.state = 'unknown'))
  OR (OLD.state = 'unknown' AND (NEW.state = 'accepted' OR NEW.state = 'filled' OR NEW.state = 'partial_closed'
    OR NEW.state = 'canceled' OR NEW.state = 'rejected' OR NEW.state = 'absent' OR NEW.state = 'review'))
  OR (OLD.state = 'review' AND (NEW.state = 'accepted' OR NEW.state = 'filled' OR NEW.state = 'absent'))
  OR (OLD.state = 'accepted' AND (NEW.state = 'filled' OR NEW.state = 'partial_closed' OR NEW.state = 'canceled'
    OR NEW.state = 'review'))
  OR (OLD.ended_at IS NOT NULL AND NEW.state = 'review'))
BEGIN
  SELECT RAISE(FAIL, 'no attempt moves like that');
END;

CREATE TRIGGER event_stays BEFORE UPDATE ON event
BEGIN
  SELECT RAISE(FAIL, 'the journal is only ever added to');
END;

CREATE TRIGGER event_is_kept BEFORE DELETE ON event WHEN OLD.seq > (SELECT seq FROM journal_floor)
BEGIN
  SELECT RAISE(FAIL, 'the journal is only ever added to');
END;
