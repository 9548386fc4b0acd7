"""The past of a whole engine in bad weather: at every moment that was looked at, the journal gives back what was there."""

from __future__ import annotations

from pathlib import Path

from engine.core.commands import CommandKind
from tests.support.decks import a_running, a_trader, settings_of
from tests.support.pasts import Said, a_moment_after, assert_the_past_says, last_of, said_by
from tests.support.world import live

WEATHER = {
    "refusal_rate": 0.2,
    "lost_before_rate": 0.15,
    "lost_after_rate": 0.15,
}


def test_what_an_engine_did_can_be_looked_at_again_as_it_was(tmp_path: Path) -> None:
    db = tmp_path / "deck.sqlite"

    async def play() -> None:
        remembered: dict[int, Said] = {}
        signals: list[str] = []
        settings = settings_of(a_trader("north", weather=WEATHER), a_trader("south", weather=WEATHER))
        async with a_running(db, settings) as running:
            store = running.engine.store
            for number in range(120):
                side, symbol = ("buy", "sell")[number % 3 == 2], ("BTC/USDT", "ETH/USDT")[number % 2]
                if number % 2 == 0:
                    signals.append((await running.hand_in(side=side, symbol=symbol)).signal_id)
                wish = {20: CommandKind.PAUSE, 35: CommandKind.RESUME, 50: CommandKind.HALT, 60: CommandKind.RELEASE}
                if number in wish:
                    await running.wish(wish[number], "north" if number < 50 else "", why="a look")
                if number % 7 == 0 and signals:
                    await running.wish(CommandKind.RETRY, signals[number // 4 % len(signals)])
                if number % 11 == 0 and signals:
                    await running.wish(CommandKind.CANCEL, signals[-1])
                await running.pass_time(1.3)
                last = await last_of(store)
                found = await said_by(store, signals, a_moment_after(last))
                if await last_of(store) == last:
                    remembered[last.seq] = found
        assert len(remembered) > 60
        await assert_the_past_says(db, remembered, signals)

    live(play())
