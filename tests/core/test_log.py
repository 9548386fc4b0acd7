"""The log's lines, its folding, its file, and the secrets that are never in it."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import log
from engine.log import LogSettings
from engine.logfile import Fold, LogLine, Record, Ring, RotatingFile, render
from engine.redaction import MASK, Redactor

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def a_record(event: str = "late row", elapsed: float = 0.0, **facts: object) -> Record:
    return Record(AT, elapsed, "warning", "feed", event, facts)


def written(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_one_json_object_in_the_file_and_one_entry_in_the_ring(tmp_path: Path) -> None:
    running = log.start(LogSettings(), path=tmp_path / "x.log", env={})
    log.logger("test.feed").warning("late row", symbol="BTC/USDT", note="two\nlines \x1b[31mred")
    log.stop()
    (line,) = written(tmp_path / "x.log")
    assert (line["level"], line["part"], line["event"], line["symbol"]) == (
        "warning",
        "test.feed",
        "late row",
        "BTC/USDT",
    )
    assert line["note"] == "two lines red"
    assert line["at"].endswith("Z")
    (kept,), dropped = running.ring.since(0)
    assert (kept.event, dropped) == ("late row", 0)
    assert stat.S_IMODE((tmp_path / "x.log").stat().st_mode) == 0o600


def test_a_part_below_its_level_writes_nothing(tmp_path: Path) -> None:
    settings = LogSettings(level="warning", levels={"test.loud": "debug", "test.mute": "off"})
    log.start(settings, path=tmp_path / "x.log", env={})
    log.logger("test.usual").info("no")
    log.logger("test.usual").warning("yes")
    log.logger("test.loud").debug("yes too")
    log.logger("test.mute").error("never")
    log.stop()
    assert [line["event"] for line in written(tmp_path / "x.log")] == ["yes", "yes too"]


def test_log_off_makes_no_file_and_formats_nothing(tmp_path: Path) -> None:
    class Untouchable:
        def __str__(self) -> str:
            raise AssertionError("was formatted")

    running = log.start(LogSettings(), path=tmp_path / "x.log", env={"SIGNALDECK_LOG": "off"})
    log.logger("test.off").error("broken", what=Untouchable())
    log.stop()
    assert not (tmp_path / "x.log").exists()
    assert running.ring.since(0) == ([], 0)


def test_what_libraries_log_goes_to_the_file_above_their_floor(tmp_path: Path) -> None:
    log.start(LogSettings(level="debug"), path=tmp_path / "x.log", env={})
    logging.getLogger("ccxt.base").debug("signature=abcdef")
    logging.getLogger("somewhere").warning("seen %s", "this")
    log.stop()
    assert [line["event"] for line in written(tmp_path / "x.log")] == ["seen this"]


def test_an_error_is_told_with_its_way_and_without_values(tmp_path: Path) -> None:
    log.start(LogSettings(), path=tmp_path / "x.log", env={})
    try:
        hidden = "value-of-a-local"
        raise ValueError("no " + hidden[:2])
    except ValueError as e:
        log.logger("test.error").error("it broke", error=e)
    log.stop()
    (line,) = written(tmp_path / "x.log")
    assert line["error"].startswith("ValueError: no va [test_log.py:")
    assert "value-of-a-local" not in json.dumps(line)


@pytest.mark.parametrize(("switch", "lines"), [("on", 2), ("off", 0)])
def test_nothing_reaches_the_terminal(tmp_path: Path, switch: str, lines: int) -> None:
    path = tmp_path / "x.log"
    program = (
        "import logging\nfrom pathlib import Path\nfrom engine import log\n"
        f"log.start(log.LogSettings(), path=Path({str(path)!r}), env={{'SIGNALDECK_LOG': {switch!r}}})\n"
        "log.logger('a').error('one'); logging.getLogger('b').error('two'); log.stop()\n"
        "log.logger('a').error('three'); logging.getLogger('b').error('four')\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")
    assert path.exists() == bool(lines)
    assert not lines or len(written(path)) == lines


def test_a_repeated_line_is_counted_and_told_once_its_run_is_over() -> None:
    fold = Fold(fold_s=10)
    assert [len(fold.offer(a_record(elapsed=t))) for t in (0, 1, 2)] == [1, 0, 0]
    closing, fresh = fold.offer(a_record(elapsed=11))
    assert (closing.repeated, fresh.repeated) == (2, 0)
    assert fold.ended(30) == []


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.floats(0, 4)), max_size=120),
    st.integers(1, 5),
)
def test_no_record_is_lost_in_the_fold(calls: list[tuple[str, int, float]], lines_max: int) -> None:
    fold, now, told = Fold(fold_s=5, lines_max=lines_max, runs_max=1), 0.0, 0
    for event, fact, pause in calls:
        now += pause
        told += sum(r.repeated or 1 for r in fold.offer(a_record(event, now, fact=fact)))
    told += sum(r.repeated or 1 for r in fold.ended(float("inf")))
    assert told == len(calls)


def test_a_flood_of_different_lines_is_bounded() -> None:
    fold = Fold(fold_s=10, lines_max=20)
    assert sum(len(fold.offer(a_record(n=n))) for n in range(1_000)) == 20


def test_the_ring_says_how_much_a_slow_reader_missed() -> None:
    ring = Ring(3)
    for n in range(5):
        ring.add(LogLine(0, AT, "info", "a", str(n), {}))
    lines, dropped = ring.since(1)
    assert ([line.event for line in lines], dropped) == (["2", "3", "4"], 1)


def test_a_full_file_is_renamed_and_only_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = RotatingFile(path, bytes_max=30, kept=2)
    for n in range(9):
        file.write(b"line number %d\n" % n)
    file.close()
    assert sorted(os.listdir(tmp_path)) == ["x.log", "x.log.1", "x.log.2"]
    assert path.read_bytes() == b"line number 8\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"line number 6\nline number 7\n"


def test_a_disk_that_fails_silences_the_file_and_nothing_else(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "gone" / "x.log", 1000, 1)
    file.write(b"a\n")
    assert "No such file" in file.broken
    (tmp_path / "gone").mkdir()
    for _ in range(201):
        file.write(b"b\n")
    assert file.broken == ""
    file.close()


def test_a_link_in_the_file_s_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "x.log").symlink_to(target)
    file = RotatingFile(tmp_path / "x.log", 1000, 1)
    file.write(b"a\n")
    assert file.broken
    assert target.read_text() == ""


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40),
    around=st.text(max_size=20),
)
def test_a_known_secret_is_in_no_line_in_any_form(secret: str, around: str) -> None:
    redact = Redactor()
    redact.learn(secret)
    coded, quoted = base64.b64encode(secret.encode()).decode(), quote(secret, safe="")
    line, raw = render(a_record(f"said {secret}", coded=coded, query=quoted, mixed=f"{around} {secret}"), redact)
    assert MASK in line.event
    for text in (line.event, *line.facts.values()):
        assert not any(form in text.replace(MASK, "") for form in (secret, coded, quoted))
    json.loads(raw)


@pytest.mark.parametrize(
    "text",
    [
        "signature=deadbeef99",
        '"apiKey": "deadbeef99"',
        "Authorization: Bearer deadbeef99",
        "X-MBX-APIKEY: deadbeef99",
        "GET https://api.example.com/v3/order?timestamp=1&deadbeef99=1",
        "http://me:deadbeef99@proxy.example:80/",
    ],
)
def test_what_looks_like_a_secret_is_hidden_unasked(text: str) -> None:
    assert "deadbeef99" not in Redactor()(text)
