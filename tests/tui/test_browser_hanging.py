"""Processes of visitors that hang, pages that read nothing: a visit ends all the same, and soon."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("textual_serve", reason="the browser is an extra")

from textual_serve.download_manager import DownloadManager

from engine.clock import SystemClock
from tests.support.command_line import Shell, a_shell
from tests.support.visitors import a_server, a_store_left, a_visitor, is_running, together, until
from tui.browser import Visit

pytestmark = pytest.mark.waits

AT_ONCE_S = 10.0


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    return a_shell(tmp_path)


@pytest.fixture
def db(tmp_path: Path, run: Shell) -> Path:
    return a_store_left(run, tmp_path)


@pytest.mark.parametrize("is_full", [False, True], ids=["with room in its pipe", "with a full pipe"])
def test_a_hung_process_is_ended_when_its_page_is_closed(run: Shell, db: Path, is_full: bool) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor:
            async with visitor.visit() as visit:
                await visit.sees("Queue")
                [child] = served.children()
                os.kill(child, signal.SIGSTOP)
                for _ in range(40 if is_full else 1):
                    await visit.say(["stdin", "x" * 8_000])
            await until(lambda: not is_running(child), "it was left", late_s=AT_ONCE_S)
            await until(lambda: child not in served.children(), "its corpse was left", late_s=AT_ONCE_S)
            async with SystemClock().timeout(AT_ONCE_S):
                while (await visitor.get(f"/?key={served.key}"))[0] == 503:
                    await SystemClock().sleep(0.05)
            async with visitor.visit() as visit:
                await visit.sees("Queue")

    with a_server(run, db, "--visitors", "1") as served:
        together(scene)


@pytest.mark.parametrize("messages", [40, 200], ids=["that fill its pipe", "without end"])
def test_a_process_that_leaves_its_pipe_full_is_ended_though_the_page_is_open(
    run: Shell, db: Path, messages: int
) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.visit() as visit:
            await visit.sees("Queue")
            [child] = served.children()
            os.kill(child, signal.SIGSTOP)
            for _ in range(messages):
                await visit.say(["stdin", "x" * 8_000])
            await until(lambda: not is_running(child), "it was left", late_s=AT_ONCE_S)
            await visit.ends()

    with a_server(run, db, "--visitors", "1") as served:
        together(scene)


def test_what_is_pasted_arrives_whole_though_the_process_is_slow_to_take_it(run: Shell, db: Path) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.visit() as visit:
            await visit.sees("Queue")
            [child] = served.children()
            os.kill(child, signal.SIGSTOP)
            for _ in range(40):
                await visit.say(["stdin", "x" * 8_000])
            await visit.say(["stdin", "?"])
            os.kill(child, signal.SIGCONT)
            await visit.sees("Help")

    with a_server(run, db) as served:
        together(scene)


DRAWS = "sys.stdout.buffer.write(b'D' + bytes((0, 0, 16, 0)) + bytes(4096)); sys.stdout.flush()"


@pytest.mark.parametrize("program", [f"{DRAWS}; time.sleep(60)", f"while True: {DRAWS}"], ids=["still", "drawing"])
@pytest.mark.parametrize("is_page_open", [True, False], ids=["a page that reads nothing", "a page that is gone"])
def test_after_a_visit_neither_a_process_nor_a_task_is_left(program: str, is_page_open: bool) -> None:
    words = [sys.executable, "-c", f"import sys, time; print('__GANGLION__', flush=True)\n{program}"]

    async def draw(drawn: bytes | str) -> None:
        first_drawn.set()
        if not is_page_open:
            raise ConnectionResetError
        await asyncio.Event().wait()

    async def close() -> None: ...

    async def scene() -> None:
        command, downloads = f"exec {shlex.join(words)}", DownloadManager()
        visit = Visit(command, write_bytes=draw, write_str=draw, close=close, download_manager=downloads)
        await visit.start(80, 24)
        async with SystemClock().timeout(AT_ONCE_S):
            await first_drawn.wait()
            for _ in range(40):
                await visit.send_bytes(b"x" * 8_000)
            await asyncio.gather(visit.stop(), visit.stop())
        await visit.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert visit._process is not None
        assert not is_running(visit._process.pid)

    first_drawn = asyncio.Event()
    together(scene)
