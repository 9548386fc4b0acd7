"""The desk: values from a body become signals, the engine keeps them, and each has an answer in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from engine.clock import Clock
from engine.core.chart_alert import field_at, signal_from
from engine.core.errors import BadInput
from engine.core.inbox import InboxSettings
from engine.core.intake import EngineService, Taken
from engine.core.request import parse_request
from engine.core.text import clean
from engine.inbox.refusals import RefusalBook
from engine.redaction import REDACT

AT_ONCE: Final = 100  # values checked before others get their turn on the loop


class InboxDesk:
    """Hands signals to the engine. What cannot be a signal is refused here, and journalled with a bound."""

    def __init__(self, service: EngineService, settings: InboxSettings, book: RefusalBook, clock: Clock) -> None:
        self._service, self._settings, self._book, self._clock = service, settings, book, clock

    def tokens_in(self, values: Sequence[object]) -> list[str]:
        """Return the tokens that alerts carry, one for each; the empty text where there is none."""
        path = self._settings.mapping.token
        found = [field_at(value, path) if isinstance(value, Mapping) and path else None for value in values]
        return [token if isinstance(token, str) else "" for token in found]

    async def take(self, values: Sequence[object], client: str, *, are_alerts: bool) -> list[Taken]:
        """Return one answer each, in order, when all are durable or refused. Raises what the engine raises."""
        places: list[Taken | int] = []
        good: list[Mapping[str, object]] = []
        for number, given in enumerate(values, start=1):
            value = _each_text(given, REDACT.by_value)  # first of all: what is refused is quoted, and maybe cut
            try:
                signal = self._signal(value, are_alerts=are_alerts)
            except BadInput as problem:
                text = REDACT.line(str(problem))
                places.append(Taken("refused", "", _key_of(value), text))
                self._book.tell("bad_input", f"signal not taken: {text}", client)
            else:
                places.append(len(good))
                good.append(signal)
            if number % AT_ONCE == 0:
                await self._clock.sleep(0)
        taken = await self._service.hand_in(good) if good else []
        assert len(taken) == len(good), "the engine answers each signal"
        return [taken[place] if isinstance(place, int) else place for place in places]

    def _signal(self, value: object, *, are_alerts: bool) -> Mapping[str, object]:
        settings = self._settings
        if are_alerts:
            value = signal_from(value, settings.mapping, self._clock.wall(), settings.replay_window_s)
        request = parse_request(value)
        assert isinstance(value, Mapping), "parse_request takes nothing else"
        if request.key is None and settings.keys_needed:
            raise BadInput("key", "missing", "without one a signal that is sent again would be a second one")
        return value


def _each_text(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(name)): _each_text(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_each_text(inner, change) for inner in value]
    return value


def _key_of(value: object) -> str:
    key = value.get("key") if isinstance(value, Mapping) else None
    return clean(key, 64) if isinstance(key, str) else ""
