"""ccxt's own classes, made safe to trade and to read prices with: their session, their clock, their garbage.

Accounts (`engine.exchanges.ccxt_live`) and market data (`engine.market`) both stand on this; ccxt itself is imported only
when the first client opens, because that takes about a second.
"""
