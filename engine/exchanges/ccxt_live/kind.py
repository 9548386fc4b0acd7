"""How a real account is made from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from engine.core.errors import ConfigError
from engine.exchanges.base import EXCHANGES, Account, Surroundings
from engine.exchanges.ccxt_live.account import CcxtAccount
from engine.exchanges.ccxt_live.quirks import NOT_TRADED, quirk_of
from engine.exchanges.ccxt_live.seat import KeySeat
from engine.venues.client import Access
from engine.venues.table import known_venue

NAME = "ccxt"


@EXCHANGES.add(NAME)
def make_ccxt(account: Account, around: Surroundings) -> CcxtAccount:
    """Make an account at the venue `account.exchange`, with the table `ccxt` of its options handed to ccxt's class.

    Raises ConfigError for a venue that ccxt does not know, or that no order can be sent to safely.
    """
    venue, quirk = known_venue(account.exchange, f"traders.{account.trader}.exchange"), quirk_of(account.exchange)
    if venue in NOT_TRADED:
        raise ConfigError(
            f"traders.{account.trader}.exchange: {venue} takes orders in a form that may be carried twice"
        )
    table = cast(Mapping[str, object], account.options.get("ccxt") or {})

    def take_seat() -> KeySeat:
        if account.credentials is None:
            raise ConfigError(
                f"traders.{account.trader}: {venue} needs api_key_env and secret_env, key_file or keyring"
            )
        keys = account.credentials()
        shared = f"ccxt/{venue}/{keys.fingerprint}/{account.sandbox}"
        seat = around.shared.get(shared)
        if not isinstance(seat, KeySeat):
            step_s = quirk.capabilities.time_step_s
            access = Access(venue, table, keys.as_ccxt(), sandbox=account.sandbox, time_step_s=step_s)
            seat = around.shared[shared] = KeySeat(access, quirk, around.clock)
        return seat

    return CcxtAccount(account.trader, quirk, take_seat=take_seat, table=table, clock=around.clock)
