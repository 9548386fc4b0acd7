"""`signaldeck status` and `signaldeck doctor`: the numbers, and what stands between a candle and a fill."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from engine.core.errors import NotThere
from engine.places import Named
from tui.commands.asking import caller, read
from tui.commands.frame import Exit, OnlyJson, command, existing_db, leave, say
from tui.commands.printing import cell, milliseconds, percent, print_facts, print_json

if TYPE_CHECKING:
    import typer

    from engine.core.board import ExecutionStatus
    from engine.core.events import TraderState
    from engine.store.base import Reader
    from tui.commands.documents import Picture

RECENT_ATTEMPTS: Final = 500  # over which the parts of the latency are measured


def add_status(app: typer.Typer) -> None:
    """Add `status` to `app`."""
    command(app, "status")(status)


def add_doctor(app: typer.Typer) -> None:
    """Add `doctor` to `app`."""
    command(app, "doctor")(doctor)


def status(named: Named, options: OnlyJson) -> None:
    """Print the numbers, from the store alone."""
    from engine.clock import SystemClock
    from engine.store.base import BoardLimits
    from tui.commands.documents import Picture, market_time, status_document

    db, now = existing_db(named), SystemClock().wall()

    async def ask(reader: Reader) -> Picture:
        totals, engine = await reader.totals(), await reader.engine_facts()
        board = await reader.board(market_time(engine, now), BoardLimits(queue=1, errors=1, minutes=1))
        recent = await reader.attempts(max(0, totals.attempts - RECENT_ATTEMPTS), RECENT_ATTEMPTS)
        return Picture(db, now, board, totals, recent)

    picture = read(named, ask)
    if options.json:
        print_json(status_document(picture))
    else:
        _print_status(picture)


def _print_status(picture: Picture) -> None:
    from tui.commands.documents import engine_is_alive

    board, totals, engine = picture.board, picture.totals, picture.board.engine
    head = board.headline
    runs = "none has ever run here"
    if engine is not None:
        alive = engine_is_alive(engine, picture.now)
        runs = (
            f"{engine.mode} {engine.state}, pid {engine.pid}"
            if alive
            else f"not running (was {engine.mode}, {engine.state})"
        )
    counted = ", ".join(f"{count} {state}" for state, count in sorted(totals.signals_by_state.items()) if count)
    tried = ", ".join(f"{count} {state}" for state, count in sorted(totals.attempts_by_state.items()) if count)
    print_facts(
        [
            ("store", picture.db),
            ("engine", runs),
            ("candles", engine.candles if engine else 0),
            ("signals", f"{totals.received} received" + (f": {counted}" if counted else "")),
            (
                "queue",
                f"{head.queue}{'+' if head.queue_capped else ''}, {head.in_flight} in flight, {head.unknown} unknown",
            ),
            ("attempts", f"{totals.attempts}" + (f": {tried}" if tried else "")),
            ("executions", f"{totals.executions}, success rate {percent(head.success_rate)} (5 min)"),
            ("latency", f"p50 {milliseconds(head.latency_p50)}, p95 {milliseconds(head.latency_p95)}"),
            ("traders", f"{head.traders_available} of {head.traders_total} available"),
            ("alerts", f"{head.alerts_open} open, {head.alerts_active} not acknowledged"),
        ]
    )
    for trader in board.traders:
        say(f"  {trader.name}: {cell(trader.told or 'available')}")
    for alert in board.alerts:
        if alert.resolved_at is None:
            say(f"  {alert.severity}: {cell(alert.text)}")


def doctor(named: Named, options: OnlyJson) -> None:
    """Ask every gate between a candle and a fill; exit code 1 if one says no."""
    from tui.commands.documents import trader_document

    live, diagnosis = _diagnosis(named)
    if options.json:
        traders = [trader_document(t) for t in read(named, _traders)]
        answer = {"live": live, "ready": diagnosis.ready, "at": diagnosis.at, "checks": diagnosis.checks}
        print_json({**answer, "traders": traders})
    else:
        for check in diagnosis.checks:
            say(f"{'ok' if check.ok else 'NO':3} {cell(check.gate)}: {cell(check.fact)}")
            if not check.ok and check.remedy:
                say(f"      {cell(check.remedy)}")
        say("ready" if diagnosis.ready else "not ready")
    if not diagnosis.ready:
        leave(Exit.FAILED)


async def _traders(reader: Reader) -> list[TraderState]:
    return await reader.traders()


def _diagnosis(named: Named) -> tuple[bool, ExecutionStatus]:
    """Return whether the diagnosis is of now, and the diagnosis: the engine's own, else the last one kept."""
    from engine.core.board import Check

    existing_db(named)
    try:
        with caller(named) as engine:
            return True, engine.diagnose()
    except NotThere as e:
        away = e

    async def ask(reader: Reader) -> ExecutionStatus | None:
        return await reader.readiness()

    kept = read(named, ask)
    if kept is None:
        raise NotThere(f"{away}; and no diagnosis was kept") from None
    others = [c for c in kept.checks if c.gate != "engine"]
    absence = Check("engine", ok=False, fact="no engine runs; what follows was so when it last did", remedy="start one")
    return False, dataclasses.replace(kept, checks=(absence, *others))
