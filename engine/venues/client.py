"""One ccxt instance that tells garbage from answers, keeps the venue's time, and signs no order too late."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from engine.clock import Clock
from engine.core.errors import ConfigError
from engine.redaction import REDACT
from engine.venues.guarding import guarded
from engine.venues.table import merged, usual_table
from engine.venues.trip import TRIP, Trip
from engine.venues.venue_clock import VenueClock

TIMEOUT_MS: Final = 8_000  # of one request, unless the table says otherwise
_QUERY: Final = re.compile(r"\?[^\s'\"]*")


@dataclass(frozen=True, slots=True)
class Access:
    """What one client is made with: the venue's ccxt id, the user's table, and the credentials by ccxt's names.

    `paced` lets ccxt's own limiter space the calls; else whoever calls does. `time_step_s` is the step in which the venue
    tells its time, in seconds.
    """

    venue: str
    table: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    sandbox: bool = False
    paced: bool = False
    time_step_s: float = 0.001


class VenueClient:
    """See the module. Opened on the loop that it is used on, closed once; `call` is safe to use concurrently."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self.access, self.time = access, VenueClock(clock)
        self._clock = clock
        self._opening = asyncio.Lock()
        self._ccxt: Any = None
        self._session: Any = None

    @property
    def ccxt(self) -> Any:
        """Return the instance; the client must be open."""
        assert self._ccxt is not None, "open"
        return self._ccxt

    async def open(self) -> None:
        """Make the instance, read the venue's time and its markets. Raises what ccxt raises; safe to call again."""
        async with self._opening:
            if self._ccxt is None:
                self._make()
            if not self.time.is_known and self._ccxt.has.get("fetchTime"):
                await self.read_time()
            if not self._ccxt.markets:
                await self._list_markets()

    async def close(self) -> None:
        """Let go of instance and connections. Safe to call twice and before `open`."""
        ccxt, session = self._ccxt, self._session
        self._ccxt = self._session = None
        if ccxt is not None:
            await ccxt.close()
        if session is not None:
            await session.close()

    async def call(self, method: str, *given: Any, trip: Trip | None = None) -> Any:
        """Call a method of the instance by name. `trip` is filled in on the way, whatever comes of it."""
        token = TRIP.set(trip if trip is not None else Trip())
        try:
            return await getattr(self.ccxt, method)(*given)
        finally:
            TRIP.reset(token)

    async def read_time(self, trip: Trip | None = None) -> datetime:
        """Ask the venue for its time, and go on from it. Returns what it said, in its own steps.

        Raises ValueError for what is no time.
        """
        began_s = self._clock.elapsed()
        said = await self.call("fetch_time", trip=trip)
        if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said < 2**43:
            raise ValueError(f"the venue's time is {REDACT.line(str(said), 40)!r}")
        at = datetime.fromtimestamp(said / 1000, UTC)
        self.time.note(at, began_s, self._clock.elapsed(), self.access.time_step_s)
        return at

    async def _list_markets(self) -> None:
        self._session.body_max, bounded = self._session_listing_max, self._session.body_max
        try:
            await self.call("load_markets")
        finally:
            self._session.body_max = bounded

    def _make(self) -> None:
        from engine.venues.session import LISTING_MAX, VenueSession

        library = importlib.import_module("ccxt.async_support")
        access = self.access
        parent = getattr(library, access.venue, None)
        if access.venue not in library.exchanges or parent is None:
            raise ConfigError(
                f"ccxt knows no exchange {access.venue!r}; `signaldeck doctor` lists what it is asked for"
            )
        table = merged({"timeout": TIMEOUT_MS}, merged(usual_table(access.venue), access.table))
        self._session_listing_max = LISTING_MAX
        self._session = VenueSession(
            self._clock, cafile=table.get("cafile"), trust_env=bool(table.get("aiohttp_trust_env"))
        )
        given = {**table, **access.credentials, "session": self._session, "enableRateLimit": access.paced}
        self._ccxt = guarded(parent, self.time, library.BadResponse)(given)
        if access.sandbox:
            self._ccxt.set_sandbox_mode(True)
            # A sandbox has addresses of its own; the table's stand above them all the same.
            self._ccxt.urls = merged(self._ccxt.urls, dict(table.get("urls", {})))


def is_venue(name: str) -> bool:
    """Say whether ccxt has an exchange of this id; looks without importing ccxt."""
    found = importlib.util.find_spec("ccxt")
    folders = found.submodule_search_locations if found is not None else None
    return name.isidentifier() and any(
        (Path(folder) / "async_support" / f"{name}.py").is_file() for folder in folders or ()
    )


def sentence(error: BaseException) -> str:
    """Return an error of ccxt or its libraries as one clean line, without keys, signatures and queries."""
    name = type(error).__name__
    cause = error.__cause__
    behind = f" ({type(cause).__name__})" if cause is not None else ""
    return REDACT.line(_QUERY.sub("?…", f"{name}{behind}: {error}"), 300)
