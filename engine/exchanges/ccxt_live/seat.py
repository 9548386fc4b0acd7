"""What several traders on one key share: one instance, one nonce, one budget of calls."""

from __future__ import annotations

from collections.abc import Mapping

from engine.clock import Clock
from engine.core.errors import ConfigError
from engine.exchanges.ccxt_live.quirks import Quirk
from engine.exchanges.turns import Turns
from engine.venues.client import Access, VenueClient


class KeySeat:
    """Opened by the first trader who needs it, closed by the last who leaves."""

    def __init__(self, access: Access, quirk: Quirk, clock: Clock) -> None:
        self.client = VenueClient(access, clock)
        self._access, self._quirk, self._clock = access, quirk, clock
        self._sitting: set[str] = set()
        self.turns = Turns(None, clock)

    async def take(self, trader: str, table: Mapping[str, object]) -> None:
        """Open the client for one more trader. Raises ConfigError if that trader wants another table, and what ccxt raises."""
        if dict(table) != dict(self._access.table):
            raise ConfigError(
                f"traders.{trader}.ccxt: traders on one key share one connection; give them the same table"
            )
        try:
            await self.client.open()
        except BaseException:
            if not self._sitting:
                await self.client.close()
            raise
        if not self._sitting:
            self.turns = self._turns()
        self._sitting.add(trader)

    async def leave(self, trader: str) -> None:
        """Close the client with the last one. Safe to call twice and before `take`."""
        self._sitting.discard(trader)
        if not self._sitting:
            await self.client.close()

    async def close(self) -> None:
        """Close the client, whoever still sits here."""
        self._sitting.clear()
        await self.client.close()

    def _turns(self) -> Turns:
        stated = self._access.table.get("rateLimit")  # milliseconds between two calls
        if isinstance(stated, int | float) and stated > 0:
            return Turns(1000.0 / stated, self._clock)
        if self._quirk.calls_per_s is not None:
            return Turns(self._quirk.calls_per_s, self._clock, burst=self._quirk.burst)
        return Turns(1000.0 / float(self.client.ccxt.rateLimit or 100), self._clock)
