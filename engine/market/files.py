"""Recordings: files of trades or candles, recognised by their header, read row by row and never whole.

The symbol comes from the file's name (`XRP-ETH.trades.csv.gz` is XRP/ETH), what it holds from its first line. Plain or
gzipped is seen from the bytes. Rows that cannot be are counted and left out; a file that cannot be read is a BadInput.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from engine.core.errors import BadInput
from engine.core.text import clean
from engine.core.values import Candle, is_symbol
from engine.market.base import Trade
from engine.market.series import is_amount, is_price, is_sound

Row: TypeAlias = Trade | Candle

LINE_BYTES_MAX: Final = 4096
HEAD_ROWS: Final = 200
YEAR_2100_MS: Final = 4_102_444_800_000
SUFFIXES: Final = (".csv", ".csv.gz")
NAME_FORM: Final = re.compile(r"([A-Za-z0-9]{1,20})[-_]([A-Za-z0-9]{1,20})(?=[-_.])")
NAMED_INTERVAL: Final = re.compile(r"[-_.](\d{1,4})([smhd])(?=[-_.])")
INTERVAL_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
ALIASES: Final[Mapping[str, Sequence[str]]] = {
    "time": (
        "timestamp_ms",
        "time_ms",
        "timestamp_s",
        "time_s",
        "timestamp",
        "time",
        "datetime",
        "date",
        "ts",
        "open_time",
    ),
    "price": ("price", "rate"),
    "amount": ("amount", "quantity", "qty", "size", "volume"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "base_volume", "amount"),
}
TRADE_COLUMNS: Final = ("time", "price", "amount")
CANDLE_COLUMNS: Final = ("time", "open", "high", "low", "close", "volume")
HEADER_FIX: Final = "begin with timestamp_ms,side,price,amount or timestamp_ms,open,high,low,close,volume"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a line the figures stand, in the order of TRADE_COLUMNS or CANDLE_COLUMNS."""

    delimiter: bytes
    places: tuple[int, ...]
    time_unit: str  # ms, s, or empty: told from each value

    @property
    def is_trades(self) -> bool:
        return len(self.places) == len(TRADE_COLUMNS)


class Recording:
    """One file. Making it reads the first rows; raises BadInput that names file and line if it is no recording."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bad_rows = 0
        self.first_bad = ""  # where and what the first bad row was
        self.symbol = _symbol_of(path)
        self._interval_ms = 0
        with self._opened() as file:
            self.layout = self._layout_of(file)
            head = [row for _, row in islice(self._rows(file), HEAD_ROWS)]
        if not head and self.first_bad:
            raise BadInput(self._place(), self.first_bad, self._row_fix())
        if not head:
            raise BadInput(self._place(2), "there is no row under the header", "give it at least one row")
        self.begins_ms = head[0].at_ms if isinstance(head[0], Trade) else head[0].opened_ms
        self._interval_ms = 0 if self.layout.is_trades else self._interval_of([_begin_ms(row) for row in head])
        self.bad_rows, self.first_bad = 0, ""

    def rows(self) -> Generator[tuple[int, Row], None, None]:
        """Yield (when it was known, row) in the file's order: a trade at its time, a candle at its close.

        Raises BadInput where the file breaks off. Close the iterator to close the file.
        """
        with self._opened() as file:
            file.readline(LINE_BYTES_MAX)
            yield from self._rows(file)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with self.path.open("rb") as plain:
                if plain.peek(2)[:2] == b"\x1f\x8b":
                    with gzip.GzipFile(fileobj=plain) as unpacked, io.BufferedReader(unpacked, 1 << 16) as file:
                        yield file
                else:
                    yield plain
        except OSError as error:
            raise BadInput(self._place(), f"cannot be read: {error.strerror or error}", "check the file") from error

    def _layout_of(self, file: BinaryIO) -> Layout:
        try:
            first = file.readline(LINE_BYTES_MAX).removeprefix(b"\xef\xbb\xbf")
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(
                self._place(1), f"cannot be read: {clean(str(error), 120)}", "unpack or copy it again"
            ) from error
        delimiter = next((mark for mark in (b",", b";", b"\t") if mark in first), b",")
        names = [field.strip(b' "\r\n').decode("ascii", "replace").lower() for field in first.split(delimiter)]
        candles = _places(names, CANDLE_COLUMNS)
        places = candles or _places(names, TRADE_COLUMNS)
        if places is None:
            shown = clean(", ".join(names), 120)
            raise BadInput(self._place(1), f"the columns ({shown}) are neither trades nor candles", HEADER_FIX)
        time_name = names[places[0]]
        return Layout(delimiter, places, "ms" if time_name.endswith("_ms") else "s" if time_name.endswith("_s") else "")

    def _rows(self, file: BinaryIO) -> Iterator[tuple[int, Row]]:
        number = 1
        while True:
            number += 1
            try:
                line = file.readline(LINE_BYTES_MAX)
            except (OSError, EOFError, zlib.error) as error:
                problem = f"the file breaks off: {clean(str(error), 120)}"
                raise BadInput(self._place(number), problem, "copy it again") from error
            if not line:
                return
            if line.isspace():
                continue
            if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
                raise BadInput(self._place(number), f"a line of more than {LINE_BYTES_MAX} bytes", "is it a CSV file?")
            row = self._row(line, number)
            if row is not None:
                yield (row.at_ms if isinstance(row, Trade) else row.closed_ms), row

    def _row(self, line: bytes, number: int) -> Row | None:
        fields = line.split(self.layout.delimiter)
        try:
            time, *texts = [fields[place].strip(b' "\r\n') for place in self.layout.places]
            at_ms = _time_ms(time, self.layout.time_unit)
            figures = [float(text) for text in texts]
        except (ValueError, IndexError, OverflowError):
            self._note_bad(number, line, "is no row of this file")
            return None
        if not 0 <= at_ms < YEAR_2100_MS:
            self._note_bad(number, line, "has an impossible time")
            return None
        if self.layout.is_trades:
            price, amount = figures
            if is_price(price) and is_amount(amount):
                return Trade(self.symbol, at_ms, price, amount)
        else:
            first, high, low, last, volume = figures
            candle = Candle(self.symbol, at_ms, self._interval_ms or 1, first, high, low, last, volume)
            if is_sound(candle):
                return candle
        self._note_bad(number, line, "has impossible figures")
        return None

    def _note_bad(self, number: int, line: bytes, problem: str) -> None:
        self.bad_rows += 1
        if not self.first_bad:
            self.first_bad = f"line {number} {problem}: {clean(line.decode('ascii', 'replace').strip(), 80)}"

    def _interval_of(self, times: Sequence[int]) -> int:
        steps = Counter(later - earlier for earlier, later in pairwise(times) if later > earlier)
        if steps and (len(times) > 2 or not self._named_interval()):
            most = max(steps.values())
            return min(step for step, count in steps.items() if count == most)
        if named := self._named_interval():
            return named
        raise BadInput(self._place(), "one candle does not tell how long it is", "name it like BTC-USD.1m.csv")

    def _named_interval(self) -> int:
        found = NAMED_INTERVAL.search(self.path.name)
        return int(found[1]) * INTERVAL_UNITS_MS[found[2]] if found else 0

    def _row_fix(self) -> str:
        columns = TRADE_COLUMNS if self.layout.is_trades else CANDLE_COLUMNS
        return f"each row under this header has {', '.join(columns[:-1])} and {columns[-1]}"

    def _place(self, line: int | None = None) -> str:
        return clean(str(self.path), 300) + (f" line {line}" if line else "")


def recordings(paths: Sequence[Path]) -> list[Recording]:
    """Return the recordings at `paths`; a folder gives all its .csv and .csv.gz files by name.

    Raises BadInput if there are none, or for the first that cannot be read.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES) and file.is_file())
        if not inside:
            raise BadInput(
                clean(str(path), 300), "the folder has no .csv or .csv.gz file", "name a folder of recordings"
            )
        found.extend(inside)
    if not found:
        raise BadInput("replay", "no file is named", "name a trade or candle file, or a folder of them")
    return [Recording(path) for path in found]


def _symbol_of(path: Path) -> str:
    found = NAME_FORM.match(path.name)
    symbol = f"{found[1]}/{found[2]}".upper() if found else ""
    if not is_symbol(symbol):
        raise BadInput(clean(str(path), 300), "the name does not tell the symbol", "name it like XRP-ETH.trades.csv")
    return symbol


def _places(names: Sequence[str], columns: Sequence[str]) -> tuple[int, ...] | None:
    places = [next((names.index(alias) for alias in ALIASES[column] if alias in names), None) for column in columns]
    return tuple(place for place in places if place is not None) if None not in places else None


def _time_ms(field: bytes, unit: str) -> int:
    try:
        number: int | float = int(field)
    except ValueError:
        try:
            number = float(field)
        except ValueError:
            return _iso_ms(field)
    if unit == "ms":
        return int(number)
    if unit == "s" or number < 100_000_000_000:
        return round(number * 1000)
    if number < 100_000_000_000_000:
        return int(number)
    return int(number // 1000) if number < 100_000_000_000_000_000 else int(number // 1_000_000)


def _iso_ms(field: bytes) -> int:
    at = datetime.fromisoformat(field.decode("ascii"))
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _begin_ms(row: Row) -> int:
    return row.at_ms if isinstance(row, Trade) else row.opened_ms
