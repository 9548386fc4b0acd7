"""Exchanges, one file or package each: registered by name in `engine.exchanges.base.EXCHANGES`."""
