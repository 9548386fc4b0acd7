"""The control plane's client: scripts faults, moves clock and prices, reads the truth. Blocks its caller's thread."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from engine.clock import SystemClock

TIMEOUT_S: Final = 20.0
POLL_S: Final = 0.02


class Control:
    """Steers one venue, in this process or another. `about` is what the venue printed when it began.

    Raises ValueError with the venue's reason for a command that makes no sense, OSError if the venue is not there.
    """

    def __init__(self, about: Mapping[str, Any]) -> None:
        self.about = about
        self.venue = str(about["venue"])
        self.address = str(about["address"])
        self._context = ssl.create_default_context(cafile=about["cafile"]) if about["cafile"] else None

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def script(self, kind: str, fault: str | Mapping[str, Any], times: int | None = 1, *, holding: str = "") -> None:
        """Let the next `times` requests of a kind (or "any") meet a fault; None: all, until `clear`.

        Only requests that carry the text `holding` count: a client id aims at one order.
        """
        self._ask("script", kind=kind, fault=fault, times=times, holding=holding)

    def clear(self) -> None:
        """Forget the scripts that are not used up."""
        self._ask("clear")

    def pending(self) -> list[dict[str, Any]]:
        """Return the scripts that are not used up."""
        return list(self._ask("pending"))

    def storm(self, seed: int, rate: float, mix: Mapping[str, float], kinds: Sequence[str] = ()) -> None:
        """Let each request of these kinds (none: all) meet a fault with probability `rate`; `mix` weighs their names."""
        self._ask("storm", seed=seed, rate=rate, mix=dict(mix), kinds=list(kinds))

    def calm(self) -> None:
        """End the storm."""
        self._ask("calm")

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until every request that was sent has reached the ledger. Raises TimeoutError."""
        clock = SystemClock()
        until = clock.elapsed() + seconds
        while int(self._ask("way")):
            if clock.elapsed() > until:
                raise TimeoutError(f"requests are still on their way after {seconds} s")
            clock.pause(POLL_S)

    def skew(self, seconds: float) -> None:
        """Let the venue's clock be so far ahead of this machine's."""
        self._ask("skew", seconds=seconds)

    def price(self, symbol: str, price: Decimal | str) -> None:
        """Let a market stand at a price; resting orders that it reaches trade."""
        self._ask("price", symbol=symbol, price=str(price))

    def terms(self, **changed: str | float) -> None:
        """Change `fill_share`, `read_lag_s` or `fee_rate`."""
        self._ask("terms", **changed)

    def fill(self, order: int, quantity: Decimal | str) -> None:
        """Trade a part of an open order, named by its number in the ledger, at the market's price."""
        self._ask("fill", order=order, quantity=str(quantity))

    def cancel(self, order: int) -> bool:
        """Close an order as the venue itself might; False if it was not open."""
        return bool(self._ask("cancel", order=order))

    def balance(self, account: str, code: str, free: Decimal | str) -> None:
        """Let an account have so much of an asset free."""
        self._ask("balance", account=account, code=code, free=str(free))

    def away(self, seconds: float) -> None:
        """Let connections be refused, from a moment after this for so long; the control plane is away as well."""
        self._ask("away", seconds=seconds)

    def revoke(self, *, revoked: bool = True) -> None:
        """Refuse every key from here on, or take them again."""
        self._ask("revoke", revoked=revoked)

    def ledger(self) -> dict[str, Any]:
        """Return the truth: `orders` in the order of their acceptance, and `balances` by account and asset."""
        return dict(self._ask("ledger"))

    def orders(self, client_id: str | None = None) -> list[dict[str, Any]]:
        """Return the accepted orders, oldest first; of one client id if it is given."""
        return [o for o in self.ledger()["orders"] if client_id in {None, o["client_id"]}]

    def log(self, kind: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """Return the requests that arrived after number `since`, oldest first; of one kind if it is given."""
        return [entry for entry in self._ask("log", since=since) if kind in {None, entry["kind"]}]

    def _ask(self, command: str, **asked: Any) -> Any:
        request = Request(f"{self.address}/_control/{command}", json.dumps(asked).encode(), method="POST")
        try:
            with urlopen(request, timeout=TIMEOUT_S, context=self._context) as response:
                return json.load(response)["result"]
        except HTTPError as refused:
            with refused:
                raise ValueError(json.load(refused)["error"]) from None
