"""The HTTP session under ccxt: one try, no redirects, bounded bodies, and a note of the first byte that leaves.

ccxt asks a session for its `headers` and for `get`, `post`, `put`, `delete` and `patch`, each an asynchronous context
manager around an answer with `text`, `headers`, `status`, `reason` and `content`. That is all there is here.
"""

from __future__ import annotations

import ssl
from types import SimpleNamespace, TracebackType
from typing import Any, Final

import aiohttp

from engine.clock import Clock
from engine.venues.trip import TRIP

BODY_MAX: Final = 4 * 1024 * 1024
LISTING_MAX: Final = 64 * 1024 * 1024  # a large venue's list of all its markets
_CHUNK: Final = 64 * 1024
CONNECTIONS_MAX: Final = 100


class HeldBack(Exception):
    """Somebody objects to the order that was about to leave: nothing was sent."""


class VenueSession:
    """Opened on the engine's loop, closed once. `body_max` in bytes may be raised while markets are listed."""

    def __init__(self, clock: Clock, *, cafile: str | None, trust_env: bool) -> None:
        self.body_max = BODY_MAX
        self.headers: dict[str, str] = {}  # what every request carries
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=cafile), limit=CONNECTIONS_MAX)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=trust_env, trace_configs=[_traces(clock)])
        # aiohttp repeats GET, PUT and DELETE by itself when a kept connection drops: a cancel would arrive twice.
        self._session._retry_connection = False  # there is no public way to say so

    def get(self, url: Any, **given: Any) -> _Asking:
        return _Asking(self, "GET", url, given)

    def post(self, url: Any, **given: Any) -> _Asking:
        return _Asking(self, "POST", url, given)

    def put(self, url: Any, **given: Any) -> _Asking:
        return _Asking(self, "PUT", url, given)

    def delete(self, url: Any, **given: Any) -> _Asking:
        return _Asking(self, "DELETE", url, given)

    def patch(self, url: Any, **given: Any) -> _Asking:
        return _Asking(self, "PATCH", url, given)

    async def request(self, method: str, url: Any, given: dict[str, Any]) -> aiohttp.ClientResponse:
        """Send once. A redirect is an answer like any other: what is signed for one address goes to no other."""
        return await self._session.request(method, url, allow_redirects=False, **given)

    async def close(self) -> None:
        await self._session.close()


class _Asking:
    """One request under way."""

    def __init__(self, session: VenueSession, method: str, url: Any, given: dict[str, Any]) -> None:
        self._session, self._method, self._url, self._given = session, method, url, given
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> _Answer:
        self._response = await self._session.request(self._method, self._url, self._given)
        return _Answer(self._response, self._session.body_max)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            # A connection whose answer was not read to its end must not serve another call.
            if error is None:
                self._response.release()
            else:
                self._response.close()


class _Answer:
    """A reply whose body is read up to a bound."""

    def __init__(self, response: aiohttp.ClientResponse, body_max: int) -> None:
        self.headers, self.status, self.reason = response.headers, response.status, response.reason
        self.content = response.content
        self._response, self._body_max = response, body_max

    async def text(self, errors: str = "strict") -> str:
        body = bytearray()
        async for chunk in self.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > self._body_max:
                raise aiohttp.ClientPayloadError(f"the answer is longer than {self._body_max:,} bytes")
        return body.decode(self._response.charset or "utf-8", errors)


def _traces(clock: Clock) -> aiohttp.TraceConfig:
    traces = aiohttp.TraceConfig()

    async def begun(_: aiohttp.ClientSession, __: SimpleNamespace, asked: aiohttp.TraceRequestStartParams) -> None:
        trip = TRIP.get()
        if trip is not None and trip.counts(asked.method):
            trip.handed_s = clock.elapsed()

    async def leaving(
        _: aiohttp.ClientSession, __: SimpleNamespace, sent: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        trip = TRIP.get()
        if trip is not None and trip.counts(sent.method):
            # Everything was waited for: a turn, a connection, its encryption. What is raised here drops the request unsent.
            if trip.objection is not None and (why := trip.objection()):
                trip.withheld = why
                raise HeldBack(why)
            trip.wired_s = clock.elapsed()

    traces.on_request_start.append(begun)
    traces.on_request_headers_sent.append(leaving)
    return traces
