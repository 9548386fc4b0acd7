-- What turned about a trader (health, breaker, pause) is rare, and is asked for by the trader.
CREATE INDEX event_trader ON event (trader, seq) WHERE kind = 'trader';
