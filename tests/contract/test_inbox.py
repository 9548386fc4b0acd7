"""The inbox over real sockets: what is taken, what is turned away, and with which status."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.errors import CommandRefused, ConfigError, StoreBusy, StoreFull
from engine.core.events import EventKind, Level
from engine.core.inbox import InboxSettings
from engine.inbox.refusals import RefusalBook
from engine.inbox.server import FINISH_S, InboxServer
from engine.inbox.token import Token
from tests.support.control_desk import Desk
from tests.support.inbox_client import TOKEN, an_inbox, on_a_loop

LINES = "application/x-ndjson"


def a_signal(key: str, **fields: object) -> dict[str, object]:
    return {"symbol": "BTC/USDT", "side": "buy", "key": key, **fields}


def an_alert(**fields: object) -> dict[str, object]:
    now = datetime.now(UTC) - timedelta(seconds=1)  # noqa: TID251 - as a sender elsewhere would
    return {"ticker": "BTCUSDT", "action": "long", "contracts": "0.01", "time": now.isoformat(), **fields}


MAPPING = {"symbols": {"BTCUSDT": "BTC/USDT"}, "sides": {"long": "buy"}, "ttl": 60, "trader": "north"}


def test_a_signal_is_answered_with_its_id_after_it_is_kept() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            answer = await inbox.post("/signals", a_signal("a", quantity="0.10"))
            assert answer.status == 200
            assert answer.json == {"results": [{"outcome": "stored", "signal_id": "id-a", "key": "a", "text": ""}]}
            assert inbox.desk.kept == {"a": a_signal("a", quantity="0.10")}

    on_a_loop(body)


def test_nothing_is_answered_before_the_engine_has_answered() -> None:
    async def body() -> None:
        desk = Desk()
        desk.gate.clear()
        async with an_inbox(desk) as inbox:
            asking = asyncio.create_task(inbox.post("/signals", a_signal("a")))
            await desk.entered.wait()
            done, _ = await asyncio.wait({asking}, timeout=0.05)
            assert not done
            desk.gate.set()
            assert (await asking).status == 200

    on_a_loop(body)


def test_an_array_and_lines_are_answered_in_order() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            signals = [a_signal(f"k{n}") for n in range(3)]
            array = await inbox.post("/signals", signals)
            assert [row["key"] for row in array.json["results"]] == ["k0", "k1", "k2"]
            lines = b"\n".join(json.dumps(s).encode() for s in [*signals, a_signal("k9")]) + b"\n\n"
            again = await inbox.post("/signals", lines, Content_Type=LINES)
            assert (again.status, again.outcomes) == (200, ["repeated", "repeated", "repeated", "stored"])

    on_a_loop(body)


def test_the_status_says_what_became_of_the_signals() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            await inbox.post("/signals", a_signal("a"))
            other, wrong, good = a_signal("a", quantity="2"), a_signal("b", side="hold"), a_signal("c")
            conflict = await inbox.post("/signals", other)
            refused = await inbox.post("/signals", wrong)
            mixed = await inbox.post("/signals", [good, wrong, other])
            neither = await inbox.post("/signals", [wrong, other])
            statuses = [answer.status for answer in (conflict, refused, mixed, neither)]
            assert statuses == [409, 422, 207, 422]
            assert mixed.outcomes == ["stored", "refused", "conflict"]
            assert refused.json["error"] == "refused: side: 'hold' is no side (buy or sell)"
            assert "and 1 more" in neither.json["error"]

    on_a_loop(body)


def test_a_chart_alert_becomes_a_signal_and_comes_twice_as_one() -> None:
    async def body() -> None:
        async with an_inbox(mapping=MAPPING) as inbox:
            alert = an_alert()
            first = await inbox.post("/alerts", alert)
            again = await inbox.post("/alerts", alert)
            assert (first.outcomes, again.outcomes) == (["stored"], ["repeated"])
            [kept] = inbox.desk.kept.values()
            told = {name: value for name, value in kept.items() if name != "key"}
            assert told == {
                "symbol": "BTC/USDT",
                "side": "buy",
                "quantity": "0.01",
                "source": "alert",
                "ttl": 60.0,
                "trader": "north",
            }

    on_a_loop(body)


def test_an_alert_out_of_time_is_refused_by_name() -> None:
    async def body() -> None:
        async with an_inbox(mapping=MAPPING, replay_window_s=60) as inbox:
            old = await inbox.post("/alerts", an_alert(time="2020-01-01T00:00:00Z"))
            ahead = await inbox.post("/alerts", an_alert(time="2120-01-01T00:00:00Z"))
            assert (old.status, ahead.status) == (422, 422)
            assert "old" in old.json["error"]
            assert "ahead" in ahead.json["error"]
            assert inbox.desk.kept == {}

    on_a_loop(body)


@pytest.mark.parametrize("token", [None, "wrong-wrong-wrong-wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é" * 20])
def test_without_the_token_nothing_is_taken(token: str | None) -> None:
    async def body() -> None:
        async with an_inbox(mapping={"token": "passphrase"}) as inbox:
            for path, said in (("/signals", a_signal("a")), ("/alerts", an_alert(passphrase="no"))):
                answer = await inbox.post(path, said, token=token)
                assert answer.status == 401
                assert answer.headers["www-authenticate"] == "Bearer"
            in_path = await inbox.post(f"/signals/{TOKEN}", a_signal("a"), token=token)
            assert in_path.status == 404, "the path is not asked for a token unless it is so configured"
            assert inbox.desk.kept == {}

    on_a_loop(body)


def test_the_token_may_come_in_the_path_or_in_an_alert_where_that_is_configured() -> None:
    async def body() -> None:
        async with an_inbox(token_in_path=True, mapping={**MAPPING, "token": "auth.word"}) as inbox:
            in_path = await inbox.post(f"/signals/{TOKEN}", a_signal("a"), token=None)
            in_body = await inbox.post("/alerts", an_alert(auth={"word": TOKEN}), token=None)
            not_here = await inbox.post("/signals", a_signal("b", auth={"word": TOKEN}), token=None)
            wrong_path = await inbox.post("/signals/wrong-wrong-wrong", a_signal("b"), token=None)
            assert [a.status for a in (in_path, in_body, not_here, wrong_path)] == [200, 200, 401, 401]
            assert TOKEN not in json.dumps([dict(kept) for kept in inbox.desk.kept.values()])

    on_a_loop(body)


def test_wrong_tokens_are_slowed_and_journalled_as_one_and_do_not_shut_out_the_right_one() -> None:
    async def body() -> None:
        async with an_inbox(strangers_per_min_max=3) as inbox:
            caller = await inbox.caller("wrong-wrong-wrong-wrong")
            answers = [await caller.post("/signals", a_signal("a")) for _ in range(20)]
            assert [a.status for a in answers] == [401] * 3 + [429] * 17
            assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
            assert (await inbox.post("/signals", a_signal("a"))).status == 200
        assert [n.code for n in inbox.notes] == [
            "wrong_token",
            "strangers_too_often",
            "wrong_token",
            "strangers_too_often",
        ]
        assert [n.detail["count"] for n in inbox.notes] == [1, 1, 2, 16]
        assert {(n.kind, n.level) for n in inbox.notes} == {(EventKind.INTAKE_REFUSED, Level.WARNING)}

    on_a_loop(body)


def test_too_many_requests_are_told_when_to_come_again() -> None:
    async def body() -> None:
        async with an_inbox(client_requests_per_min_max=2) as inbox:
            caller = await inbox.caller()
            answers = [await caller.post("/signals", a_signal(f"k{n}")) for n in range(3)]
            assert [a.status for a in answers] == [200, 200, 429]
            assert answers[2].headers["retry-after"] == "30"
            assert set(inbox.desk.kept) == {"k0", "k1"}
        async with an_inbox(requests_per_min_max=1) as inbox:
            statuses = [(await inbox.post("/signals", a_signal(f"k{n}"))).status for n in range(2)]
            assert statuses == [200, 429]

    on_a_loop(body)


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (CommandRefused("the engine is draining and takes no signals now"), "draining"),
        (StoreBusy("another connection holds the write lock"), "lock"),
        (StoreFull("the disk is full"), "full"),
    ],
)
def test_an_engine_that_cannot_take_signals_is_to_be_asked_again(failure: Exception, word: str) -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            inbox.desk.failure = failure
            answer = await inbox.post("/signals", a_signal("a"))
            assert answer.status == 503
            assert word in answer.json["error"]
            assert int(answer.headers["retry-after"]) > 0

    on_a_loop(body)


def test_a_defect_is_answered_without_its_details_and_the_next_request_is_taken() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            caller = await inbox.caller()
            inbox.desk.failure = KeyError("api-secret-123")
            answer = await caller.post("/signals", a_signal("a"))
            assert answer.status == 500
            assert b"api-secret" not in answer.body
            assert "not known" in answer.json["error"]
            inbox.desk.failure = None
            assert (await caller.post("/signals", a_signal("a"))).status == 200

    on_a_loop(body)


def test_a_signal_without_a_key_is_refused_where_keys_are_needed() -> None:
    async def body() -> None:
        async with an_inbox(keys_needed=True) as inbox:
            answer = await inbox.post("/signals", {"symbol": "BTC/USDT", "side": "buy"})
            assert answer.status == 422
            assert answer.json["error"].startswith("refused: key: missing")

    on_a_loop(body)


def test_a_token_that_strays_into_a_signal_is_kept_and_told_nowhere() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            kept = await inbox.post("/signals", a_signal("a", note=f"sent with {TOKEN}"))
            refused = await inbox.post("/signals", a_signal(TOKEN, source=f"{TOKEN} {TOKEN}"))
            assert (kept.status, refused.status) == (200, 422)
            assert inbox.desk.kept["a"]["note"] == "sent with ***"
            await inbox.codes(1)
            assert TOKEN not in repr(inbox.notes)
            assert TOKEN.encode() not in refused.body

    on_a_loop(body)


def test_a_request_under_way_is_answered_before_the_inbox_stops_and_half_a_body_is_not_waited_for() -> None:
    async def body() -> None:
        desk = Desk()
        desk.gate.clear()
        async with an_inbox(desk, body_s_max=600, idle_s_max=600) as inbox:
            asking = asyncio.create_task(inbox.post("/signals", a_signal("a")))
            idle, half = await inbox.caller(), await inbox.caller()
            half.writer.write(half.request("POST", "/signals", b'{"a"', Content_Length="100"))
            await desk.entered.wait()
            while not inbox.server._reading:
                await asyncio.wait({asking}, timeout=0.001)
            stopping, began = asyncio.create_task(inbox.server.stop()), inbox.book.clock.elapsed()
            assert (await half.answer()).status == 503
            assert await idle.hung_up()
            assert inbox.book.clock.elapsed() - began < FINISH_S, "nobody was waited for who asks nothing"
            desk.gate.set()
            assert (await asking).outcomes == ["stored"]
            await stopping
            assert await half.hung_up()
            with pytest.raises(ConnectionError):
                await inbox.caller()

    on_a_loop(body)


def test_a_port_that_is_taken_is_named_with_its_key() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            settings = InboxSettings(enabled=True, port=inbox.port, token_env="T")
            second = InboxServer(Desk(), settings, Token(TOKEN), inbox.book, inbox.book.clock)
            with pytest.raises(ConfigError, match=rf"inbox\.port: {inbox.port} .* taken"):
                await second.start()
            assert second.address == ""

    on_a_loop(body)


def test_an_inbox_that_others_can_reach_says_so_in_the_journal() -> None:
    async def body() -> None:
        async with an_inbox(host="0.0.0.0", expose=True) as inbox:
            assert await inbox.codes(1) == ["inbox_exposed"]
            assert (inbox.notes[0].kind, inbox.notes[0].level) == (EventKind.ENGINE, Level.WARNING)
        async with an_inbox() as inbox:
            await inbox.post("/signals", [])
            assert await inbox.codes(1) == ["empty"]

    on_a_loop(body)


def test_strangers_from_everywhere_make_one_entry_and_a_count() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            for n in range(200):
                inbox.book.tell("wrong_token", "the token is wrong", f"10.0.0.{n}")
            await inbox.codes(1)
        assert [note.detail["count"] for note in inbox.notes] == [1, 199]

    on_a_loop(body)


def test_a_book_whose_store_is_busy_writes_later() -> None:
    async def body() -> None:
        async with an_inbox() as inbox:
            written: list[str] = []
            busy = [True]

            async def note(events: object) -> None:
                if busy:
                    busy.clear()
                    raise StoreBusy("wait")
                assert isinstance(events, list)
                written.extend(event.code for event in events)

            book = RefusalBook(note, inbox.book.clock)
            book.tell("first", "x", "here")
            writing = asyncio.create_task(book.run())
            while busy:
                await asyncio.wait({writing}, timeout=0.001)
            book.tell("second", "x", "here")
            while len(written) < 2:
                await asyncio.wait({writing}, timeout=0.001)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            assert written == ["first", "second"]

    on_a_loop(body)
