"""One writer and any number of readers of one SQLite file, with every durable write in a group commit."""

from engine.sqlite.connection import MEMORY, connect_reader, connect_writer, store_error
from engine.sqlite.reader import ReadConnection
from engine.sqlite.writer import GroupWriter, Lane, Ledger, WriterLimits, WriterStats

__all__ = [
    "MEMORY",
    "GroupWriter",
    "Lane",
    "Ledger",
    "ReadConnection",
    "WriterLimits",
    "WriterStats",
    "connect_reader",
    "connect_writer",
    "store_error",
]
