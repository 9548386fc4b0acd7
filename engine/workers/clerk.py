"""The Clerk: operators' wishes, one after another. Each was kept before it comes here; its result is kept after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol, TypeVar

from engine.clock import Clock
from engine.core.breaker import Guards
from engine.core.commands import Command, CommandKind, CommandState, NewCommand
from engine.core.errors import CommandRefused, IllegalStep, StoreBusy, StoreError, StoreFull
from engine.core.events import BreakerState, Desired, EventKind, Level, NewEvent, Signal, TraderState
from engine.core.lifecycle import DUE_SIGNALS, LIVE_ATTEMPTS, RETRYABLE_SIGNALS, AttemptState, SignalState, SignalStep
from engine.core.order import Attempt
from engine.core.text import clean, counted
from engine.core.values import Reason
from engine.store.base import Applied, SignalMove, Store
from engine.workers.cancels import Cancels
from engine.workers.leftovers import why_too_late
from engine.workers.trader import TraderActor

T = TypeVar("T")
INSIST_S: Final = 10.0
INSIST_GAP_S: Final = 0.2


class Reviewer(Protocol):
    """What the clerk asks of the reconciler."""

    async def look_now(self, attempt: Attempt) -> None: ...

    async def cancel_order(self, attempt: Attempt) -> str: ...

    async def attach(self, attempt: Attempt, venue_order_id: str, by: str, why: str) -> str: ...

    async def declare_absent(self, attempt: Attempt, by: str, why: str) -> str: ...


class Alarms(Protocol):
    """What the clerk asks of the alerter."""

    async def acknowledge(self, alert_id: int, by: str) -> str: ...

    async def snooze(self, alert_id: int, seconds: float, by: str) -> str: ...


@dataclass(frozen=True, slots=True)
class ClerkWorld:
    """Whom the clerk may ask. `refresh` re-reads the traders' desired states into the health checker."""

    store: Store
    clock: Clock
    desks: Mapping[str, TraderActor]
    reviewer: Reviewer
    alarms: Alarms
    refresh: Callable[[], Awaitable[None]]
    lift: Callable[[str], None]  # lifts a trader's forced-open breaker and its quarantine
    nudge: Callable[[], None]
    signal_ttl_s: float = 120.0


class Clerk:
    """See the module. One wish at a time, so that two of them never interleave."""

    def __init__(self, world: ClerkWorld) -> None:
        self._world = world
        self._turn = asyncio.Lock()
        self._cancels = Cancels(world.reviewer.cancel_order, world.clock)
        self._obey: Final[Mapping[CommandKind, Callable[[Command], Awaitable[str]]]] = {
            CommandKind.PAUSE: self._pause,
            CommandKind.DRAIN: self._drain,
            CommandKind.RESUME: self._resume,
            CommandKind.PAUSE_ALL: self._pause_all,
            CommandKind.RESUME_ALL: self._resume_all,
            CommandKind.RETRY: self._retry,
            CommandKind.CANCEL: self._cancel,
            CommandKind.HALT: self._halt,
            CommandKind.RELEASE: self._release,
            CommandKind.ACKNOWLEDGE: self._acknowledge,
            CommandKind.SNOOZE: self._snooze,
            CommandKind.ATTACH: self._attach,
            CommandKind.DECLARE_ABSENT: self._declare_absent,
        }

    async def submit(self, wish: NewCommand) -> Command:
        """Keep a wish, obey it, and return it with its result. A repeated request id returns the first result."""
        async with self._turn:
            kept = await self._world.store.post(wish)
            return kept if kept.state is not CommandState.POSTED else await self._carry_out(kept)

    async def catch_up(self) -> int:
        """Obey what an earlier engine kept and did not finish; returns how many wishes there were.

        Only what makes things safer is obeyed, and only if nobody has said otherwise since: whoever wished for something
        else was told that it failed, and may have wished for the opposite by now.
        """
        async with self._turn:
            left = await self._world.store.posted()
            for command in left:
                await self._carry_out(command, too_late=await why_too_late(command, self._world.store))
            return len(left)

    async def close(self) -> None:
        """Let go of the cancels that no venue has answered: they are kept, and the next start asks again."""
        await self._cancels.close()

    async def _carry_out(self, command: Command, too_late: str = "") -> Command:
        state = CommandState.DONE
        try:
            if too_late:
                raise CommandRefused(too_late)
            result = await self._obey[command.kind](command)
        except (CommandRefused, IllegalStep) as refusal:
            state, result = CommandState.REFUSED, str(refusal)
        now = self._world.clock.wall()
        signal_id = command.target if command.kind in _ABOUT_SIGNALS else None
        event = NewEvent(
            EventKind.COMMAND,
            now,
            clean(f"{command.operator}: {command.kind} {command.target}".rstrip() + f": {result}"),
            level=Level.WARNING
            if too_late
            else Level.INFO,  # whoever asks and is refused hears it, and nothing is wrong
            signal_id=signal_id,
            trader=command.target if command.kind in _ABOUT_TRADERS else None,
            code=f"{command.kind}_{state}",
            detail={"why": command.why, "args": dict(command.args), "request_id": command.request_id},
        )
        await self._insist(lambda: self._world.store.finish(command.id, state, result, [event]))
        return replace(command, state=state, result=result, finished_at=now)

    def _desk(self, name: str) -> TraderActor:
        try:
            return self._world.desks[name]
        except KeyError:
            raise CommandRefused(
                f"no trader is called {clean(name, 64)!r}; known: {', '.join(self._world.desks)}"
            ) from None

    async def _set(self, name: str, desired: Desired, command: Command) -> None:
        await self._world.store.set_desired(name, desired, command.operator, command.why, self._world.clock.wall())

    async def _pause(self, command: Command) -> str:
        desk = self._desk(command.target)
        await self._set(desk.name, Desired.PAUSE, command)
        await self._world.refresh()
        live = await self._live(desk.name)
        told = f"{desk.name} is paused" + (f"; {_orders(live)} looked after" if live else "")
        return told + await self._held(desk.name)

    async def _drain(self, command: Command) -> str:
        desk = self._desk(command.target)
        await self._set(desk.name, Desired.DRAIN, command)
        await self._world.refresh()
        live = await self._live(desk.name)
        told = f"drains; {_orders(live)} waited for" if live else "is drained: no order of it lives"
        return f"{desk.name} {told}" + await self._held(desk.name)

    async def _held(self, name: str) -> str:
        """Say what a trader that takes no signals leaves without exits."""
        held = sum(position.trader == name for position in await self._world.store.positions())
        return f"; {counted(held, 'position gets', 'positions get')} no exits meanwhile" if held else ""

    async def _live(self, name: str) -> int:
        return sum(attempt.trader == name for attempt in await self._world.store.live_attempts())

    async def _unbound(self, desk: TraderActor) -> TraderState | None:
        # None if a resume would lift something: a pause, a quarantine, a breaker, or the notice of a fill that is too large.
        state = next((one for one in await self._world.store.traders() if one.name == desk.name), None)
        if state is None or state.desired is not Desired.RUN or state.quarantined or desk.account.overfills:
            return None
        is_closed = all(desk.exchange.breaker(guards).state is BreakerState.CLOSED for guards in Guards)
        return state if is_closed else None

    async def _resume(self, command: Command) -> str:
        desk = self._desk(command.target)
        free = await self._unbound(desk)
        if free is None:
            self._world.lift(desk.name)
        await self._set(desk.name, Desired.RUN, command)  # also where nothing changes: it overtakes older wishes
        await self._world.refresh()
        if free is not None:
            return f"{desk.name} runs already: nothing changed" + (f"; it is {free.why_not}" if free.why_not else "")
        self._world.nudge()
        return f"{desk.name} runs"

    async def _pause_all(self, command: Command) -> str:
        drains = {state.name for state in await self._world.store.traders() if state.desired is Desired.DRAIN}
        for name in self._world.desks:
            if name not in drains:  # it is paused already, and more than that
                await self._set(name, Desired.PAUSE, command)
        await self._world.refresh()
        return f"{len(self._world.desks)} traders are paused"

    async def _resume_all(self, command: Command) -> str:
        for name in self._world.desks:
            await self._set(name, Desired.RUN, command)
        await self._world.refresh()
        self._world.nudge()
        return f"{len(self._world.desks)} traders run"

    async def _signal(self, command: Command) -> Signal:
        signal = await self._world.store.signal(command.target)
        if signal is None:
            raise CommandRefused(f"no signal {clean(command.target, 64)!r} is in the store")
        if command.expected_version is not None and command.expected_version != signal.version:
            raise CommandRefused(f"signal {signal.id} has moved on since you looked: it is {signal.state} now")
        return signal

    async def _attempt(self, signal_id: str, states: frozenset[AttemptState]) -> Attempt | None:
        story = await self._world.store.story(signal_id)
        return next((a for a in reversed(story.attempts) if a.state in states), None) if story else None

    async def _retry(self, command: Command) -> str:
        signal = await self._signal(command)
        if signal.state not in RETRYABLE_SIGNALS:
            doubtful = await self._attempt(signal.id, frozenset({AttemptState.UNKNOWN}))
            if doubtful is not None:
                await self._world.reviewer.look_now(doubtful)
                raise CommandRefused(
                    "its order's outcome is unknown: it is being looked up now, never sent again on a guess"
                )
            if signal.state is SignalState.NEEDS_REVIEW:
                raise CommandRefused("it needs a review: attach the order, or declare it absent")
            raise CommandRefused(f"it is {signal.state}; only failed, expired and rejected signals can be retried")
        now = self._world.clock.wall()
        reason = Reason("retried", f"put back by {command.operator}" + (f": {command.why}" if command.why else ""))
        event = self._event(signal, SignalState.WAITING, reason)
        expires = now + timedelta(seconds=self._world.signal_ttl_s)
        await self._apply(SignalMove(signal.id, signal.version, SignalStep.RETRY, now, reason, event, now, expires))
        self._world.nudge()
        return f"signal {signal.id} waits again, until {expires:%H:%M:%S} UTC"

    async def _cancel(self, command: Command) -> str:
        signal = await self._signal(command)
        now = self._world.clock.wall()
        reason = Reason("cancelled", f"withdrawn by {command.operator}" + (f": {command.why}" if command.why else ""))
        if signal.state in DUE_SIGNALS:
            event = self._event(signal, SignalState.CANCELLED, reason)
            await self._apply(SignalMove(signal.id, signal.version, SignalStep.CANCEL, now, reason, event))
            return f"signal {signal.id} is cancelled"
        if signal.state not in {SignalState.EXECUTING, SignalState.NEEDS_REVIEW}:
            raise CommandRefused(f"it is {signal.state}; there is nothing left to cancel")
        event = self._event(signal, signal.state, Reason("cancel_requested", reason.text))
        await self._world.store.request_cancel(signal.id, event)
        if signal.state is SignalState.NEEDS_REVIEW:
            return (
                f"noted: signal {signal.id} is cancelled once its review is answered; its order may be open until then"
            )
        attempt = await self._attempt(signal.id, frozenset({AttemptState.ACCEPTED}))
        if attempt is None:
            return f"signal {signal.id} is cancelled as soon as its order's outcome is known"
        return await self._cancels.answer(attempt)

    async def _apply(self, move: SignalMove) -> None:
        [applied] = await self._world.store.move_signals([move])
        if applied is not Applied.APPLIED:
            raise CommandRefused(f"signal {move.signal_id} moved on at the same moment ({applied}); look again")

    async def _halt(self, command: Command) -> str:
        world = self._world
        word = (command.operator, command.why, world.clock.wall())
        already = await self._is_halted()
        await self._insist(lambda: world.store.set_halted(True, *word))  # and every live order is to be cancelled
        await self._insist(world.refresh)
        live = await self._insist(world.store.live_attempts)
        ours = [a for a in live if a.trader in world.desks]
        open_orders = [a for a in ours if a.state is AttemptState.ACCEPTED]
        # Nobody waits here: one venue that hangs must not hold up the others, nor the answer.
        for attempt in open_orders:
            self._cancels.begin(attempt)
        reviews = [a for a in ours if a.state is AttemptState.REVIEW]
        told = [f"{_orders(len(open_orders))} being cancelled" if open_orders else "no order was open"]
        if unproven := len(ours) - len(open_orders) - len(reviews):
            told.append(f"{_orders(unproven)} without an outcome yet, and cancelled if found open")
        if reviews:
            told.append(f"{_orders(len(reviews))} in review and may be open: look at {_traders(reviews)}")
        if lost := [a for a in live if a.trader not in world.desks]:
            told.append(
                f"{_orders(len(lost))} not looked after, close them at {_traders(lost)}: no such trader is configured"
            )
        return "; ".join(("halted already: nothing is sent" if already else "halted: nothing is sent", *told))

    async def _is_halted(self) -> bool:
        try:
            return (await self._world.store.switches()).halted
        except StoreError:  # only the answer's words hang on it: no reason to wait with a halt
            return False

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the store again while it is busy or full, for INSIST_S: a kill switch must not give up at the first try."""
        clock = self._world.clock
        until = clock.elapsed() + INSIST_S
        while True:
            try:
                return await ask()
            except (StoreBusy, StoreFull):
                if clock.elapsed() >= until:
                    raise
                await clock.sleep(INSIST_GAP_S)

    async def _release(self, command: Command) -> str:
        was_halted = (await self._world.store.switches()).halted
        await self._world.store.set_halted(False, command.operator, command.why, self._world.clock.wall())
        await self._world.refresh()
        self._world.nudge()
        return "released: orders are sent again" if was_halted else "was not halted: nothing changed"

    async def _acknowledge(self, command: Command) -> str:
        return await self._world.alarms.acknowledge(_alert_id(command), command.operator)

    async def _snooze(self, command: Command) -> str:
        try:
            seconds = float(command.args.get("seconds", "900"))
        except ValueError:
            raise CommandRefused("seconds: not a number; give how long to snooze, such as 900") from None
        if not 0 < seconds <= 86_400 * 7:
            raise CommandRefused("seconds: must be above 0 and at most 604800")
        return await self._world.alarms.snooze(_alert_id(command), seconds, command.operator)

    async def _reviewed(self, command: Command) -> Attempt:
        signal = await self._signal(command)
        attempt = await self._attempt(signal.id, frozenset({AttemptState.REVIEW}))
        if attempt is None:
            raise CommandRefused(f"signal {signal.id} is {signal.state}: no order of it waits for a review")
        return attempt

    async def _attach(self, command: Command) -> str:
        venue_order_id = command.args.get("venue_order_id", "").strip()
        if not venue_order_id:
            raise CommandRefused("venue_order_id: missing; give the venue's own order id")
        if not command.why:
            raise CommandRefused("why: missing; say where you saw the order")
        return await self._world.reviewer.attach(
            await self._reviewed(command), venue_order_id, command.operator, command.why
        )

    async def _declare_absent(self, command: Command) -> str:
        if not command.why:
            raise CommandRefused("why: missing; say how you know that the venue has no such order")
        signal = await self._signal(command)
        attempt = await self._attempt(signal.id, LIVE_ATTEMPTS)
        if signal.state is SignalState.NEEDS_REVIEW and attempt is None:
            # It came here without an order: deciding on it crashed, again and again.
            reason = Reason("given_up", f"given up by {command.operator}: {command.why}")
            move = SignalMove(
                signal.id,
                signal.version,
                SignalStep.FAIL,
                self._world.clock.wall(),
                reason,
                self._event(signal, SignalState.FAILED, reason),
            )
            await self._apply(move)
            return f"signal {signal.id} has failed; it had no order"
        return await self._world.reviewer.declare_absent(await self._reviewed(command), command.operator, command.why)

    def _event(self, signal: Signal, to: SignalState, reason: Reason) -> NewEvent:
        return NewEvent(
            EventKind.SIGNAL,
            self._world.clock.wall(),
            reason.text,
            signal_id=signal.id,
            code=reason.code,
            from_state=signal.state,
            to_state=to,
        )


_ABOUT_SIGNALS: Final = frozenset(
    {CommandKind.RETRY, CommandKind.CANCEL, CommandKind.ATTACH, CommandKind.DECLARE_ABSENT}
)


_ABOUT_TRADERS: Final = frozenset({CommandKind.PAUSE, CommandKind.DRAIN, CommandKind.RESUME})


def _traders(attempts: Sequence[Attempt]) -> str:
    return ", ".join(sorted({attempt.trader for attempt in attempts}))


def _orders(count: int) -> str:
    return counted(count, "order is", "orders are")


def _alert_id(command: Command) -> int:
    try:
        return int(command.target)
    except ValueError:
        raise CommandRefused(
            f"{clean(command.target, 32)!r} is no alert id; `signaldeck alert list` shows them"
        ) from None
