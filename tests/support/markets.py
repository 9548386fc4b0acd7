"""A market in a store: three symbols with candles, and signals and fills among those of one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.core.values import Candle, Reason, Side
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, a_fill, a_signal, a_signal_move, an_attempt_move, an_intent

NOW_MS: Final = int(NOW.timestamp()) * 1000
SYMBOL: Final = "BTC/USDT"
OTHERS: Final = ("ADA/USDT", "ETH/USDT")
FILLED, REFUSED, LATER = "f111", "e222", "a333"


def candles_up_to_now(symbol: str, count: int, price: float = 100.0, *, missing: range = range(0)) -> list[Candle]:
    """Return candles of 10 s that rise by turns, the last of which closes at NOW; `missing` ones, counted from the
    first, are left out.
    """
    found = []
    for n in range(count):
        first = price + n % 7
        last = first + (1.0 if n % 3 else -1.0)
        low, high = min(first, last) - 0.5, max(first, last) + 0.5
        found.append(Candle(symbol, NOW_MS - (count - n) * 10_000, 10_000, first, high, low, last, 1.0 + n % 5))
    return [candle for n, candle in enumerate(found) if n not in missing]


async def a_market(store: SqliteStore) -> None:
    """Fill `store`: 300 candles of each symbol, and of SYMBOL one signal that was filled, one refused, and one that waits."""
    for number, symbol in enumerate((SYMBOL, *OTHERS), start=1):
        await store.keep_candles(candles_up_to_now(symbol, 300, 100.0 * number))
    filled_at = NOW - timedelta(seconds=100)
    filled = a_signal(FILLED, symbol=SYMBOL, received_at=filled_at, quantity=Decimal("0.5"))
    refused = a_signal(REFUSED, symbol=SYMBOL, side=Side.SELL, received_at=NOW - timedelta(seconds=60))
    await store.put_signals([filled, refused, a_signal(symbol=OTHERS[0], received_at=NOW - timedelta(seconds=30))])
    intent = an_intent(filled, at=filled_at)
    await store.commit_intents([intent])
    fill = a_fill("t1", price=Decimal("103.5"), quantity=Decimal("0.5"), at=filled_at + timedelta(seconds=20))
    move = an_attempt_move(
        intent.request, AttemptState.INTENT, AttemptStep.FILL, fills=(fill,), signal_step=SignalStep.COMPLETE
    )
    await store.move_attempts([move])
    kept = await store.signal(REFUSED)
    assert kept is not None
    reason = Reason("confidence", "confidence 0.28 is below 0.7")
    await store.move_signals([a_signal_move(kept, SignalStep.REJECT, reason=reason)])
    await store.put_signals([a_signal(LATER, symbol=SYMBOL, received_at=NOW)])
