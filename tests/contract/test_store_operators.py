"""Wishes, switches, alerts and the journal as an operator meets them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from engine.core.commands import CommandKind, CommandState, NewCommand
from engine.core.events import AlertState, Desired, EventKind, Level
from engine.store.base import Applied
from tests.contract.test_store_board import an_alert
from tests.support.builders import NOW, a_signal, an_event, an_intent
from tests.support.store import EVERY_STORE, Stage, on_stage

WISH = NewCommand("r1", CommandKind.PAUSE, "ada", NOW, target="north", why="lunch", args={"a": "b"}, expected_version=3)


@EVERY_STORE
def test_a_wish_that_is_posted_again_is_the_first_one(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        first = await stage.store.post(WISH)
        store = await stage.turn()
        again = await store.post(replace(WISH, kind=CommandKind.HALT, target="south"))
        assert again == first
        assert (first.kind, first.target, first.args, first.expected_version) == (
            CommandKind.PAUSE,
            "north",
            {"a": "b"},
            3,
        )
        assert [c.id for c in await store.posted()] == [first.id]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_wish_keeps_its_first_result(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        wish = await stage.store.post(WISH)
        told = an_event("north paused", kind=EventKind.COMMAND)
        await stage.store.finish(wish.id, CommandState.DONE, "paused", [told])
        store = await stage.turn()
        await store.finish(wish.id, CommandState.REFUSED, "too late", [])
        assert await store.posted() == []
        (kept,) = await store.commands(None, 10)
        assert (kept.state, kept.result) == (CommandState.DONE, "paused")
        assert kept.finished_at is not None
        assert (await store.events(0, 100))[1].kind is EventKind.COMMAND
        assert await store.commands(kept.id, 10) == []

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_switch_that_is_turned_is_told_once(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        store = stage.store
        for _ in range(2):
            await store.set_desired("north", Desired.PAUSE, "ada", "lunch", NOW)
            await store.set_halted(True, "bob", "storm", NOW)
        told = [(e.kind, e.text) for e in await store.events(0, 100) if e.code == "switched"]
        assert told == [
            (EventKind.TRADER, "north paused by ada: lunch"),
            (EventKind.ENGINE, "kill switch on by bob: storm"),
        ]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_drain_is_a_pause_that_is_told_apart(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal = await stage.put(a_signal())
        intent = an_intent(signal)
        await stage.store.declare_traders({intent.trader: "paper"})
        for desired in (Desired.DRAIN, Desired.DRAIN, Desired.PAUSE, Desired.DRAIN):
            await stage.store.set_desired(intent.trader, desired, "ada", "lunch", NOW)
            store = await stage.turn()
            (trader,) = await store.traders()
            assert (trader.desired, trader.desired_by, trader.desired_why) == (desired, "ada", "lunch")
            assert await store.commit_intents([intent]) == [Applied.HELD], "a pause first"
        await store.set_desired(intent.trader, Desired.RUN, "bob", "", NOW)
        assert await store.commit_intents([intent]) == [Applied.APPLIED]
        turns = [(e.from_state, e.to_state) for e in await store.events(0, 100) if e.code == "switched"]
        assert turns == [("run", "drain"), ("drain", "pause"), ("pause", "drain"), ("drain", "run")]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_an_alert_is_one_row_while_it_is_unresolved(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        first = await stage.store.save_alert(an_alert(), an_event("raised", kind=EventKind.ALERT))
        store = await stage.turn()
        again = await store.save_alert(an_alert(repeats=2), None)
        assert again.id == first.id != 0
        seen = replace(again, state=AlertState.ACKNOWLEDGED, ack_by="ada", ack_at=NOW, signal_id="s")
        assert await store.save_alert(seen, None) == seen
        assert await store.alerts(resolved=False, limit=9) == [seen]
        over = replace(seen, state=AlertState.RESOLVED, resolved_at=NOW + timedelta(seconds=9))
        await store.save_alert(over, None)
        assert await store.alerts(resolved=True, limit=9) == [over]
        anew = await store.save_alert(an_alert(), None)
        assert anew.id != first.id

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_the_journal_is_read_backwards_page_by_page_and_a_traders_turns_by_its_name(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        turned = [
            an_event(f"t{n}", kind=EventKind.TRADER, trader=name, from_state="up", to_state="down")
            for n, name in enumerate(("north", "south", "north"))
        ]
        await stage.store.note([an_event("quiet"), *turned, an_event("loud", level=Level.ERROR, trader="north")])
        store = await stage.turn()
        newest = await store.journal(None, 9)
        assert [e.text for e in newest if not e.text.startswith("engine start")] == ["loud", "t2", "t1", "t0", "quiet"]
        assert await store.journal(newest[1].seq, 3) == newest[2:5]
        turns = await store.turns("north", 9)
        assert [(e.text, e.from_state, e.to_state) for e in turns] == [("t2", "up", "down"), ("t0", "up", "down")]
        assert [e.text for e in await store.turns("north", 1)] == ["t2"]
        assert await store.turns("nobody", 9) == []

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_errors_are_the_loud_part_of_the_journal(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.put(a_signal("one"))
        levels = (Level.INFO, Level.WARNING, Level.ERROR, Level.WARNING)
        detail = {"n": 1, "deep": [{"x": None}], "text": "\x1f ' \""}
        for n, level in enumerate(levels):
            await stage.store.note([an_event(f"e{n}", level=level, detail=detail, signal_id="one")])
        store = await stage.turn()
        errors = await store.errors(None, 2)
        assert [e.text for e in errors] == ["e3", "e2"]
        assert [e.text for e in await store.errors(errors[-1].seq, 9)] == ["e1"]
        assert [e.text for e in await store.events(0, 9, Level.ERROR)] == ["e2"]
        assert await store.event(errors[0].seq) == errors[0]
        assert errors[0].detail == detail
        story = await store.story("one")
        assert story is not None
        assert [e.text for e in story.events][1:] == ["e0", "e1", "e2", "e3"]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_detail_that_json_cannot_say_never_holds_back_its_change(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.store.note([an_event("odd", detail={"rate": float("nan"), "at": NOW})])
        (event,) = [e for e in await stage.store.events(0, 9) if e.text == "odd"]
        assert "nan" in str(event.detail["untellable"])

    on_stage(kind, tmp_path, scenario)
