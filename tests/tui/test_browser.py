"""The dashboard in a web browser: who gets in, what a visitor can do, and that nothing is left of a visit."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("textual_serve", reason="the browser is an extra")

from tests.support.command_line import ROOT, Shell, a_shell
from tests.support.visitors import Served, a_server, a_store_left, a_visitor, is_running, together, until
from tests.tui.test_cli_running import an_engine
from tui.browser import CELLS_MAX, CELLS_MIN, fitting

pytestmark = pytest.mark.waits

ELSEWHERE = "http://evil.example"


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    return a_shell(tmp_path)


@pytest.fixture
def db(tmp_path: Path, run: Shell) -> Path:
    return a_store_left(run, tmp_path)


def rows(db: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(db)) as store:
        return store.execute(query).fetchall()


# who gets in


def test_only_the_machines_own_name_the_pages_own_origin_and_the_key_open_the_door(run: Shell, db: Path) -> None:
    async def scene() -> None:
        async with a_visitor(served, has_key=False) as stranger:
            wrong, half = "0" * 48, served.key[:24]
            for path in ("/", "/?key=", f"/?key={wrong}", f"/?key={half}", "/ws", f"/ws?key={wrong}", "/download/x"):
                assert (await stranger.get(path))[0] == 403, path
            for stranger.connection in ("/ws", "/ws/", f"/ws/{wrong}", f"/ws/{half}", f"/ws/{wrong}?key={served.key}"):
                assert await stranger.knock(Origin=served.base) in {403, 404}, stranger.connection
            assert (await stranger.get("/static/js/textual.js"))[0] == 200, "which is no secret"
            assert (await stranger.get("/static/js/textual.js", Host="evil.example"))[0] == 403
        async with a_visitor(served) as friend:
            assert (await friend.get("/static/js/textual.js"))[0] == 200
            page = f"/?key={served.key}"
            assert (await friend.get(page, Host=served.host.replace("127.0.0.1", "localhost")))[0] == 200
            for host in ("evil.example", f"evil.example:{served.host.split(':')[1]}", "127.0.0.1.evil.example", ""):
                assert (await friend.get(page, Host=host))[0] in {400, 403}, host
                assert await friend.knock(Host=host, Origin=f"http://{host}") in {400, 403}, host
            assert (await friend.get(page, Origin=ELSEWHERE))[0] == 403
            for origin in (ELSEWHERE, "null", served.base.replace("http:", "https:"), f"{served.base}0"):
                assert await friend.knock(Origin=origin) == 403, origin
            assert await friend.knock() == 403, "a browser always says whence it asks"
            assert not served.children(), "nobody who was turned away has started anything"
            assert await friend.knock(Origin=served.base) == 101

    with a_server(run, db) as served:
        together(scene)


def test_the_page_may_be_framed_by_nobody_and_fetches_nothing_from_elsewhere(run: Shell, db: Path) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.session.get(served.url) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "http" not in policy
            assert f"connect-src 'self' ws://{served.host};" in policy, "other ports may be other users'"

    with a_server(run, db) as served:
        together(scene)


def test_nothing_that_a_browser_keeps_or_passes_on_has_the_key(run: Shell, db: Path) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.visit() as visit:
            await visit.sees("Queue")
            assert not list(visitor.session.cookie_jar), "a cookie goes to every port of this machine"
            async with visitor.session.get(served.url, allow_redirects=False) as answer:
                assert answer.status == 200
                assert "Set-Cookie" not in answer.headers
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["Cache-Control"] == "no-store"
            assert (await visitor.get("/"))[0] == 403, "nothing but the address opens the door"

    with a_server(run, db) as served:
        together(scene)


def test_a_page_is_loaded_again_as_often_as_one_likes(run: Shell, db: Path) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor:
            for _ in range(2):
                await visitor.reload()
                async with visitor.visit() as visit:
                    await visit.sees("Queue")
                await until(lambda: not served.children(), "its process was left")

    with a_server(run, db, "--visitors", "1") as served:
        together(scene)


def test_no_other_machine_is_served(run: Shell, db: Path) -> None:
    for host in ("0.0.0.0", "192.0.2.7", "::", "deck.example"):
        ran = run("browser", "--host", host, "--db", db)
        assert ran.code == 2
        assert "to this machine alone" in ran.err
        assert "ssh -L 8780:127.0.0.1:8780" in ran.err
    with a_server(run, db) as served:
        sockets = Path(f"/proc/{served.server.pid}/net/tcp").read_text().split()
        port = f":{int(served.host.split(':')[1]):04X}"
        assert next(address for address in sockets if address.endswith(port)) == f"0100007F{port}"


def test_a_port_that_is_taken_is_named(run: Shell, db: Path) -> None:
    with a_server(run, db) as served:
        ran = run("browser", "--port", served.host.split(":")[1], "--db", db)
        assert ran.code == 2
        assert "--port" in ran.err
        assert "0 for one that the system chooses" in ran.err


def test_where_no_store_is_nothing_is_served(run: Shell, tmp_path: Path) -> None:
    ran = run("browser", "--db", tmp_path / "none.sqlite")
    assert (ran.code, "no store is at" in ran.err) == (3, True)


def test_without_the_extra_one_sentence_names_what_to_install(run: Shell, db: Path) -> None:
    without = "import sys; sys.modules['textual_serve'] = None; from tui.cli import main; main()"
    words = [sys.executable, "-c", without, "browser", "--db", str(db)]
    ran = subprocess.run(words, capture_output=True, env=run.env, cwd=ROOT, timeout=60)
    assert ran.returncode == 2
    assert b"`pip install 'signaldeck[browser]'`" in ran.stderr
    assert ran.stderr.count(b"\n") == 1


# what a visitor can do


def test_a_visitor_looks_at_the_engine_that_runs_and_changes_nothing(run: Shell, tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"

    async def scene(engine: int) -> None:
        async with a_visitor(served) as visitor, visitor.visit() as visit:
            await visit.sees("DEMO", "READ-ONLY", "Traders")
            await visit.press("PyK2pXy")
            await visit.press("?")
            await visit.sees("Help")
            assert rows(db, "SELECT count(*) FROM command") == [(0,)]
            assert rows(db, "SELECT count(*) FROM trader WHERE desired = 'pause'") == [(0,)]
            status = run.as_child("status", "--json", "--db", db).json
            assert (status["engine"]["pid"], status["engine"]["state"]) == (engine, "running"), "no second engine"

    with an_engine(run, db) as engine, a_server(run, db) as served:
        together(lambda: scene(engine.pid))


def test_a_visitor_acts_only_where_that_was_allowed_and_under_a_name_that_says_whence(
    run: Shell, tmp_path: Path
) -> None:
    db = tmp_path / "x.sqlite"

    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.visit() as visit:
            await visit.sees("DEMO", "Traders")
            await visit.press("P")
            await visit.sees("Pause all traders?")
            await visit.press("y")
            await until(lambda: bool(rows(db, "SELECT 1 FROM command WHERE state = 'done'")), "nothing was done")
            assert rows(db, "SELECT kind, operator FROM command") == [("pause_all", "ann, in a browser")]

    with an_engine(run, db), a_server(run, db, "--allow-acting") as served:
        together(scene)


# what is left


def test_a_visit_that_ends_leaves_no_process_and_its_place_to_another(run: Shell, db: Path) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor:
            async with visitor.visit() as visit:
                await visit.sees("Queue")
                [child] = served.children()
                assert await visitor.knock(Origin=served.base) == 503
                status, said = await visitor.get(f"/?key={served.key}")
                assert (status, "1 visitor looks already" in said) == (503, True)
                assert served.children() == {child}
            await until(lambda: not served.children(), "its process was left")
            async with visitor.visit() as visit:
                await visit.sees("Queue")

    with a_server(run, db, "--visitors", "1") as served:
        together(scene)


def test_who_leaves_the_dashboard_sees_the_connection_end(run: Shell, db: Path) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.visit() as visit:
            await visit.sees("Queue")
            await visit.press("q")
            await visit.sees("Close this dashboard?")
            await visit.press("y")
            await visit.ends()
            await until(lambda: not served.children(), "its process was left")

    with a_server(run, db) as served:
        together(scene)


def test_a_process_that_dies_ends_its_visit_and_no_picture_stays_as_if_it_lived(run: Shell, db: Path) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.visit() as visit:
            await visit.sees("Queue")
            [child] = served.children()
            subprocess.run(["kill", "-KILL", str(child)], check=True)
            await visit.ends()

    with a_server(run, db) as served:
        together(scene)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_when_it_is_ended_every_visit_ends_in_order(run: Shell, db: Path, number: signal.Signals) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.visit() as first, visitor.visit() as second:
            await first.sees("Queue")
            await second.sees("Queue")
            children = served.children()
            assert len(children) == 2
            served.server.send_signal(number)
            await first.ends()
            await second.ends()
            await until(lambda: served.server.poll() is not None, "it did not end")
            assert served.server.returncode == 0
            assert not [pid for pid in children if is_running(pid)]

    with a_server(run, db) as served:
        together(scene)


@pytest.mark.parametrize("is_still", [False, True], ids=["while it draws", "while nothing is drawn"])
def test_when_it_is_killed_the_visitors_processes_end_by_themselves(run: Shell, db: Path, is_still: bool) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor, visitor.visit() as visit:
            await visit.sees("Queue")
            if is_still:
                await visit.press("\x1b[18~?")  # the help over the audit: nothing changes there, so nothing is drawn
                await visit.sees("Copy JSON")
            [child] = served.children()
            served.server.kill()
            await until(lambda: not is_running(child), "a process was left without its server")
            assert not db.with_name(f"{db.name}.crash").exists(), "it broke where it could have left"

    with a_server(run, db) as served:
        together(scene)


@pytest.mark.parametrize(
    "nonsense", ["no JSON", "{}", "[]", "7", '["stdin"]', '["stdin", 7]', '["resize", {"width": {}}]', '["resize", 1]']
)
def test_nonsense_ends_one_visit_and_nothing_else(run: Shell, db: Path, nonsense: str) -> None:
    async def scene() -> None:
        async with a_visitor(served) as visitor:
            async with visitor.visit() as visit:
                await visit.sees("Queue")
                await visit.say(nonsense)
                await visit.say(json.dumps(["resize", {"width": 10**6, "height": -1}]))
                await visit.ends()
            async with visitor.visit() as visit:
                await visit.sees("Queue")

    with a_server(run, db) as served:
        together(scene)


@pytest.mark.parametrize(
    ("width", "height", "fits"),
    [
        ("120", "40", (120, 40)),
        (120, 40, (120, 40)),
        (10**9, 0, (80, CELLS_MIN[1])),
        (10**5, "1", (CELLS_MAX[0], CELLS_MIN[1])),
        (None, "", (80, 24)),
        ("-5", "1e3", (80, 24)),
        (True, 2.5, (80, 24)),
    ],
)
def test_a_size_is_within_bounds_whatever_is_asked(width: object, height: object, fits: tuple[int, int]) -> None:
    assert fitting(width, height) == fits


def test_a_server_that_was_left_says_how_to_come_in(run: Shell, db: Path) -> None:
    served: Served
    with a_server(run, db, "--visitors", "2") as served:
        assert served.url.startswith("http://127.0.0.1:")
        assert served.server.stdout is not None
        assert b"ctrl+c ends it" in served.server.stdout.readline()
