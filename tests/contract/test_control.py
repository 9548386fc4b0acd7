"""The control socket, spoken to as a stranger would: by its two clients, and by raw bytes."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.caller import Caller
from engine.control import CONNECTIONS_MAX, ControlClient, ControlServer
from engine.core.board import ExecutionStatus
from engine.core.commands import Command, CommandKind, CommandState, NewCommand
from engine.core.errors import BadInput, CommandRefused, ConfigError, NotThere, SignalDeckError, StoreFull
from engine.core.intake import Taken
from engine.places import SOCKET_PATH_BYTES_MAX, socket_path
from engine.wire import LINE_BYTES_MAX
from tests.support.control_desk import AT, Desk


def a_signal(key: str, **fields: object) -> dict[str, object]:
    return {"symbol": "BTC/USDT", "side": "buy", "key": key, **fields}


def a_wish(kind: CommandKind = CommandKind.PAUSE) -> NewCommand:
    return NewCommand("r1", kind, "ann", AT, target="trader_a", why="lunch", args={"seconds": "5"}, expected_version=3)


@asynccontextmanager
async def listening(path: Path, desk: Desk | None = None) -> AsyncIterator[Desk]:
    desk = desk or Desk()
    server = ControlServer(desk, path)
    await server.start()
    try:
        yield desk
    finally:
        await server.stop()


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await body()

    asyncio.run(whole())


async def raw(path: Path, *lines: bytes) -> list[dict[str, object]]:
    reader, writer = await asyncio.open_unix_connection(str(path), limit=4 * LINE_BYTES_MAX)
    answers = []
    for line in lines:
        writer.write(line + b"\n")
        await writer.drain()
        answers.append(json.loads(await reader.readuntil(b"\n")))
    writer.close()
    return answers


def test_signals_handed_in_are_answered_in_order(tmp_path: Path) -> None:
    async def body() -> None:
        async with listening(tmp_path / "s.sock") as desk:
            client = ControlClient(tmp_path / "s.sock")
            taken = await client.hand_in([a_signal("a", quantity="0.10"), a_signal("b")])
            await client.close()
            assert [t.key for t in taken] == ["a", "b"]
            assert desk.kept == {"a": a_signal("a", quantity="0.10"), "b": a_signal("b")}

    run(body)


def test_a_wish_and_its_result_cross_the_socket_unchanged(tmp_path: Path) -> None:
    async def body() -> None:
        async with listening(tmp_path / "s.sock") as desk:
            client = ControlClient(tmp_path / "s.sock")
            command = await client.submit(a_wish())
            await client.close()
            assert desk.commands == [a_wish()]
            assert (command.id, command.state, command.result, command.finished_at) == (
                7,
                CommandState.DONE,
                "so be it",
                AT,
            )

    run(body)


def test_a_diagnosis_crosses_the_socket_unchanged(tmp_path: Path) -> None:
    async def body() -> None:
        async with listening(tmp_path / "s.sock") as desk:
            client = ControlClient(tmp_path / "s.sock")
            assert await client.diagnose() == await desk.diagnose()
            await client.close()

    run(body)


def test_the_blocking_caller_speaks_the_same_language(tmp_path: Path) -> None:
    async def body() -> None:
        async with listening(tmp_path / "s.sock") as desk:

            def call() -> tuple[list[Taken], Command, ExecutionStatus, Mapping[str, object]]:
                with Caller(tmp_path / "s.sock") as caller:
                    return caller.hand_in([a_signal("k")]), caller.submit(a_wish()), caller.diagnose(), caller.ping()

            taken, command, status, pong = await asyncio.to_thread(call)
            assert taken == [Taken("stored", "id-k", "k")]
            assert command.result == "so be it"
            assert status == await desk.diagnose()
            assert isinstance(pong["pid"], int)

    run(body)


@pytest.mark.parametrize(
    "failure",
    [
        CommandRefused("its outcome is unknown: reconcile"),
        StoreFull("the disk is full"),
        BadInput("symbol", "no such form", "such as BTC/USDT"),
    ],
)
def test_an_error_keeps_its_class_and_its_words(tmp_path: Path, failure: SignalDeckError) -> None:
    async def body() -> None:
        async with listening(tmp_path / "s.sock") as desk:
            desk.failure = failure
            client = ControlClient(tmp_path / "s.sock")
            with pytest.raises(type(failure)) as caught:
                await client.submit(a_wish())
            assert str(caught.value) == str(failure)
            desk.failure = None
            assert (await client.submit(a_wish())).result == "so be it"
            await client.close()

    run(body)


def test_a_defect_in_the_engine_is_answered_without_its_details(tmp_path: Path) -> None:
    async def body() -> None:
        async with listening(tmp_path / "s.sock") as desk:
            desk.failure = KeyError("api-secret-123")
            client = ControlClient(tmp_path / "s.sock")
            with pytest.raises(SignalDeckError) as caught:
                await client.submit(a_wish())
            assert "KeyError" in str(caught.value)
            assert "api-secret" not in str(caught.value)
            await client.close()

    run(body)


def test_nobody_listening_is_not_there(tmp_path: Path) -> None:
    with Caller(tmp_path / "none.sock") as caller, pytest.raises(NotThere):
        caller.ping()
    with pytest.raises(NotThere):
        asyncio.run(ControlClient(tmp_path / "none.sock").ping())


def test_a_line_too_long_is_refused_and_the_connection_goes_on(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sock"
        async with listening(path):
            long = b'{"id": 1, "do": "ping", "x": "' + b"a" * (3 * LINE_BYTES_MAX) + b'"}'
            refused, pong = await raw(path, long, b'{"id": 2, "do": "ping"}')
            error = refused["error"]
            assert isinstance(error, dict)
            assert (error["kind"], error["field"]) == ("BadInput", "line")
            assert "bytes" in str(error["problem"])
            assert (pong["id"], pong["ok"]) == (2, True)

    run(body)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b'{"id": 1}',
        b'{"id": 1, "do": "dance"}',
        b'{"id": 1, "do": "hand_in", "signals": 3}',
        b'{"id": 1, "do": "hand_in", "signals": [3]}',
        b'{"id": 1, "do": "hand_in", "signals": [{"confidence": NaN}]}',
        b'{"id": 1, "do": "submit", "command": {"kind": "explode"}}',
        b'{"id": 1, "do": "submit", "command": {"kind": "pause", "request_id": "r", "operator": "o", "at": "soon"}}',
        b"[" * 200_000,
        b"\xff\xfe",
    ],
)
def test_a_bad_request_is_refused_and_the_connection_goes_on(tmp_path: Path, line: bytes) -> None:
    async def body() -> None:
        path = tmp_path / "s.sock"
        async with listening(path) as desk:
            refused, pong = await raw(path, line, b'{"id": 2, "do": "ping"}')
            error = refused["error"]
            assert isinstance(error, dict)
            assert error["kind"] == "BadInput"
            assert pong["ok"] is True
            assert desk.kept == {}

    run(body)


def test_a_number_keeps_every_digit_on_its_way(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sock"
        async with listening(path) as desk:
            line = b'{"id": 1, "do": "hand_in", "signals": [{"symbol": "BTC/USDT", "key": "k", "quantity": 0.12345678901234567890}]}'
            await raw(path, line)
            assert desk.kept["k"]["quantity"] == "0.12345678901234567890"

    run(body)


def test_one_connection_too_many_is_refused_and_room_comes_back(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sock"
        async with listening(path):
            clients = [ControlClient(path) for _ in range(CONNECTIONS_MAX)]
            for client in clients:
                await client.ping()
            late = ControlClient(path)
            with pytest.raises(CommandRefused):
                await late.ping()
            await late.close()
            await clients[0].close()
            while True:
                try:
                    await late.ping()
                    break
                except CommandRefused:
                    await late.close()
            for client in [*clients, late]:
                await client.close()

    run(body)


def test_the_socket_is_for_its_owner_alone_and_is_gone_after_stop(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sock"
        async with listening(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not path.exists()

    run(body)


def test_a_stale_socket_is_replaced_and_a_foreign_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))

    async def body() -> None:
        async with listening(path):
            client = ControlClient(path)
            await client.ping()
            await client.close()
        path.write_text("a letter")
        with pytest.raises(ConfigError):
            await ControlServer(Desk(), path).start()
        assert path.read_text() == "a letter"

    run(body)


def test_a_folder_that_anyone_may_write_is_refused(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(ConfigError, match="chmod"):
        asyncio.run(ControlServer(Desk(), open_to_all / "s.sock").start())


def test_an_answer_under_way_is_given_before_the_server_stops(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sock"
        desk = Desk()
        desk.gate.clear()
        server = ControlServer(desk, path)
        await server.start()
        client = ControlClient(path)
        asking = asyncio.create_task(client.hand_in([a_signal("a")]))
        reader, writer = await asyncio.open_unix_connection(str(path))  # one that waits for nothing
        await desk.entered.wait()
        stopping = asyncio.create_task(server.stop())
        assert await reader.read() == b""
        desk.gate.set()
        assert [t.outcome for t in await asking] == ["stored"]
        await stopping
        writer.close()
        await client.close()

    run(body)


def test_a_client_finds_the_engine_again_after_a_restart(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sock"
        client = ControlClient(path)
        async with listening(path):
            await client.ping()
        with pytest.raises(NotThere):
            await client.ping()
        async with listening(path):
            await client.ping()
        await client.close()

    run(body)


def test_a_cancelled_request_does_not_leave_its_answer_to_the_next(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sock"
        async with listening(path) as desk:
            desk.gate.clear()
            client = ControlClient(path)
            asking = asyncio.create_task(client.hand_in([a_signal("a")]))
            await desk.entered.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            desk.gate.set()
            assert "pid" in await client.ping()
            await client.close()

    run(body)


def test_a_long_path_moves_the_socket_and_both_sides_agree(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    path = socket_path(deep / "store.sqlite")
    assert len(str(path)) <= SOCKET_PATH_BYTES_MAX
    assert path == socket_path(deep / ".." / ("e" * 60) / "store.sqlite")
    assert path != socket_path(deep / "other.sqlite")

    async def body() -> None:
        async with listening(path):
            client = ControlClient(path)
            await client.ping()
            await client.close()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    run(body)
