"""The inbox among bad company: bodies, heads and connections that no honest sender makes."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from tests.support.inbox_client import JSON, TOKEN, an_inbox, on_a_loop

GOOD = {"symbol": "BTC/USDT", "side": "buy", "key": "good"}
HEAD = f"POST /signals HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nAuthorization: Bearer {TOKEN}\r\n".encode()

NOT_JSON = {
    "nothing": b"",
    "words": b"buy bitcoin",
    "cut off": b'{"symbol": "BTC/USDT"',
    "deep array": b"[" * 100_000,
    "deep object": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "a little too deep": b"[" * 18 + b"]" * 18,
    "duplicate key": b'{"symbol": "BTC/USDT", "symbol": "ETH/USDT", "side": "buy"}',
    "many duplicate keys": b"{" + b",".join(b'"k%d":1' % (n % 9_000) for n in range(18_000)) + b"}",
    "not a number": b'{"symbol": "BTC/USDT", "side": "buy", "quantity": NaN}',
    "without end": b'{"symbol": "BTC/USDT", "side": "buy", "quantity": -Infinity}',
    "huge integer": b'{"symbol": "BTC/USDT", "side": "buy", "quantity": ' + b"9" * 100_000 + b"}",
    "not utf-8": b'{"symbol": "\xff\xfe"}',
    "utf-16": json.dumps(GOOD).encode("utf-16"),
    "two values": b"{} {}",
    "empty array": b"[]",
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_refused_and_the_connection_goes_on(raw: bytes) -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            caller = await inbox.caller()
            answer = await caller.post("/signals", raw)
            assert answer.status == 400
            assert len(answer.body) < 500
            assert (await caller.post("/signals", GOOD)).status == 200
            assert set(inbox.desk.kept) == {"good"}

    on_a_loop(body)


@pytest.mark.parametrize(
    "said",
    [
        1,
        "buy",
        None,
        [[]],
        [1, 2],
        {},
        {**GOOD, "quantity": 10**39},
        {**GOOD, "quantity": "1e999"},
        {**GOOD, "quantity": "NaN"},
        {**GOOD, "note": "n" * 3_000},
        {**GOOD, "note": {"a": [1]}},
        {**GOOD, "symbol": "BTC/USDT\x1b[31m"},
        {**GOOD, "key": "\ud800"},
        {**GOOD, "__class__": "x"},
        {**GOOD, "source": "'; DROP TABLE signal; --"},
    ],
)
def test_what_is_no_signal_is_refused_by_name_and_said_cleanly(said: object) -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            answer = await inbox.post("/signals", said)
            assert answer.status == 422
            assert set(answer.outcomes) == {"refused"}
            assert b"\x1b" not in answer.body
            assert (await inbox.codes(1))[0] == "bad_input"
            assert inbox.desk.kept == {}

    on_a_loop(body)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_content_type_is_refused(kind: str) -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            assert (await inbox.post("/signals", GOOD, Content_Type=kind)).status == 415

    on_a_loop(body)


def test_a_packed_body_is_not_unpacked() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            bomb = gzip.compress(b" " * 10_000_000)
            assert (await inbox.post("/signals", bomb, Content_Encoding="gzip")).status == 415

    on_a_loop(body)


def test_a_body_too_large_is_refused_stated_or_not() -> None:
    async def body() -> None:
        async with an_inbox(body_bytes_max=2_000) as inbox:
            stated = await inbox.post("/signals", {**GOOD, "note": "n" * 1_000_000})
            assert stated.status == 413
            caller = await inbox.caller()
            chunk = b"400\r\n" + b" " * 0x400 + b"\r\n"
            unstated = await caller.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3)
            assert unstated.status == 413
            many = await inbox.post("/signals", b"[" + b",".join([b"1"] * 900) + b"]")
            assert many.status == 422, "large is what is over the bound, not what is near it"

    on_a_loop(body)


def test_more_signals_than_a_request_may_hold_are_refused_whole() -> None:
    async def body() -> None:
        async with an_inbox(body_bytes_max=1_000_000) as inbox:
            signals = [{**GOOD, "key": f"k{n}"} for n in range(1_001)]
            lines = b"\n".join(json.dumps(s).encode() for s in signals)
            assert (await inbox.post("/signals", signals)).status == 413
            assert (await inbox.post("/signals", lines, Content_Type="application/x-ndjson")).status == 413
            assert inbox.desk.kept == {}
            assert (await inbox.post("/signals", signals[1:])).status == 200
            assert len(inbox.desk.kept) == 1_000

    on_a_loop(body)


def test_one_bad_line_refuses_all_lines_and_is_named() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            lines = json.dumps(GOOD).encode() + b"\n\n{oops}\n"
            answer = await inbox.post("/signals", lines, Content_Type="application/x-ndjson")
            assert answer.status == 400
            assert answer.json["error"].startswith("line 3: not JSON")
            assert inbox.desk.kept == {}

    on_a_loop(body)


@pytest.mark.parametrize(
    "path", ["/", "", "/signal", "/signals/", "/signals/x/y", "//signals", "/../etc/passwd", "/%00"]
)
def test_another_path_is_not_found(path: str) -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            for method in ("GET", "POST"):
                caller = await inbox.caller()
                answer = await caller.send(caller.request(method, path or "/", b""))
                assert answer.status == 404
                assert path.strip("/") in ("", "signal", "signals") or path.encode() not in answer.body

    on_a_loop(body)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_another_method_is_not_allowed(method: str) -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            caller = await inbox.caller()
            answer = await caller.send(caller.request(method, "/signals", json.dumps(GOOD).encode()))
            assert (answer.status, answer.headers["allow"]) == (405, "POST")
            assert inbox.desk.kept == {}

    on_a_loop(body)


def test_head_has_no_body_and_the_next_request_is_understood() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            caller = await inbox.caller()
            caller.writer.write(caller.request("HEAD", "/signals"))
            head = await caller.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 405")
            assert (await caller.post("/signals", GOOD)).status == 200

    on_a_loop(body)


BAD_HTTP = {
    "words": b"hello there\r\n\r\n",
    "no method": b"BREW /signals HTTP/1.1\r\n\r\n",
    "tls": bytes.fromhex("16030100f8010000f40303") + b"\x00" * 50 + b"\r\n\r\n",
    "long line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(500)) + b"\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
    "length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": HEAD + b"Content-Length: -5\r\n\r\n",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
}


@pytest.mark.parametrize("raw", BAD_HTTP.values(), ids=BAD_HTTP)
def test_what_is_no_http_is_answered_without_a_banner_or_its_own_words(raw: bytes) -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            caller = await inbox.caller()
            answer = await caller.send(raw)
            assert answer.status == 400
            assert answer.json["code"] == "not_http"
            assert "server" not in answer.headers
            assert inbox.desk.kept == {}
            assert (await inbox.post("/signals", GOOD)).status == 200

    on_a_loop(body)


def test_no_answer_names_the_program() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            answers = [
                await inbox.post("/signals", GOOD),
                await inbox.post("/signals", b"x"),
                await inbox.post("/none", b""),
                await inbox.post("/signals", GOOD, token=None),
            ]
            for answer in answers:
                said = (repr(answer.headers) + repr(answer.body)).lower()
                assert "server" not in answer.headers
                assert not [word for word in ("aiohttp", "python", "traceback") if word in said]

    on_a_loop(body)


def test_a_body_that_takes_too_long_is_not_waited_for() -> None:
    async def body() -> None:
        async with an_inbox(body_s_max=0.05) as inbox:
            caller = await inbox.caller()
            answer = await caller.send(caller.request("POST", "/signals", b'{"a": ', Content_Length="100"))
            assert answer.status == 408
            assert await caller.hung_up()

    on_a_loop(body)


def test_a_connection_that_says_nothing_or_half_a_head_is_hung_up() -> None:
    async def body() -> None:
        async with an_inbox(idle_s_max=0.05) as inbox:
            silent, slow, after = await inbox.caller(), await inbox.caller(), await inbox.caller()
            slow.writer.write(HEAD[:30])
            assert (await after.post("/signals", GOOD)).status == 200
            assert [await caller.hung_up() for caller in (silent, slow, after)] == [True] * 3

    on_a_loop(body)


def test_who_does_not_read_its_answer_is_hung_up() -> None:
    async def body() -> None:
        async with an_inbox(idle_s_max=0.3, body_bytes_max=2_000_000) as inbox:
            caller = await inbox.caller()
            assert isinstance(caller.writer.transport, asyncio.Transport)
            caller.writer.transport.pause_reading()
            signals = [{**GOOD, "key": f"{n:064}"} for n in range(1_000)]
            raw = caller.request("POST", "/signals", json.dumps(signals).encode())
            for _ in range(60):  # answers of some 200 kB each: more than the sockets on the way hold
                caller.writer.write(raw)
            assert inbox.server._http is not None
            while inbox.server._http.connections:
                await asyncio.wait({asyncio.ensure_future(inbox.book.clock.sleep(0.01))})

    on_a_loop(body)


def test_whoever_hangs_up_in_a_body_leaves_nothing_behind() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            caller = await inbox.caller()
            caller.writer.write(caller.request("POST", "/signals", b'{"symbol": ', Content_Length="100"))
            await caller.writer.drain()
            while not inbox.server._reading:
                await inbox.book.clock.sleep(0.001)
            caller.close()
            assert await inbox.codes(1) == ["hung_up"]
            assert not inbox.server._reading
            assert inbox.desk.kept == {}

    on_a_loop(body)


def test_one_connection_too_many_is_refused_and_room_comes_back() -> None:
    async def body() -> None:
        async with an_inbox(connections_max=2) as inbox:
            first, second = await inbox.caller(), await inbox.caller()
            assert [(await caller.post("/signals", GOOD)).status for caller in (first, second)] == [200, 200]
            crowded = await (await inbox.caller()).answer()
            assert (crowded.status, crowded.json["code"]) == (503, "crowded")
            first.close()
            while True:
                late = await inbox.caller()
                try:
                    if (await late.post("/signals", GOOD)).status == 200:
                        return
                except (ConnectionError, asyncio.IncompleteReadError):
                    late.close()

    on_a_loop(body)


def test_requests_sent_without_waiting_are_answered_in_order() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            caller = await inbox.caller()
            for n in range(50):
                caller.writer.write(caller.request("POST", "/signals", json.dumps({**GOOD, "key": f"k{n}"}).encode()))
            keys = [(await caller.answer()).json["results"][0]["key"] for _ in range(50)]
            assert keys == [f"k{n}" for n in range(50)]

    on_a_loop(body)


def test_a_flood_of_bad_signals_makes_few_entries() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            wrong = [{**GOOD, "side": f"s{n}"} for n in range(1_000)]
            caller = await inbox.caller()
            for _ in range(3):
                assert (await caller.post("/signals", wrong)).status == 422
        assert len(inbox.notes) == 11
        assert sum(int(str(note.detail["count"])) for note in inbox.notes) == 3_000

    on_a_loop(body)


def test_strangers_who_ask_too_often_do_not_shut_out_an_alert_with_the_token_but_are_not_read_at_length() -> None:
    async def body() -> None:
        async with an_inbox(strangers_per_min_max=2, mapping={"token": "passphrase"}) as inbox:
            bodies = [b"[" * 9, b"{}", b"{}", [{"passphrase": TOKEN}, {"passphrase": "no"}]]
            answers = [await inbox.post("/alerts", said, token=None) for said in bodies]
            assert [a.status for a in answers] == [400, 401, 429, 429]
            alert = {"ticker": "BTC/USDT", "action": "buy", "id": "1", "passphrase": TOKEN}
            assert (await inbox.post("/alerts", alert, token=None)).status == 200
            assert (await inbox.post("/alerts", {**alert, "more": "m" * 5_000}, token=None)).status == 429
            assert (await inbox.post("/alerts", {**alert, "more": "m" * 5_000})).status == 200

    on_a_loop(body)
