"""An exchange on this machine that speaks binance's, kraken's and coinbase's protocols, and fails as it is told.

For the unmodified classes of ccxt over real HTTP: signatures are checked, the ledger knows the truth, faults are scripted
or drawn. Start it with `server.a_venue(...)` in a thread or `python -m tests.support.venue` as a process, give ccxt what
`urls.ccxt_table` returns, and steer it with `control.Control`.
"""
