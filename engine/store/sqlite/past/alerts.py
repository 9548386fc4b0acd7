"""Which alerts there were at an earlier moment, and which wishes had been posted."""

from __future__ import annotations

from typing import Final

from engine.store.sqlite.past.lives import NOT_KEPT_TEXT, told_of
from engine.store.sqlite.past.moments import NEAR, Columns, Past, last_row, position_of_time

ALERTS_MAX: Final = 1_000  # the newest ones that had been raised
COMMANDS_MAX: Final = 2_000


def alert_rows(past: Past) -> list[Columns]:
    """Return the newest `ALERTS_MAX` alerts that had been raised, each as it then stood."""
    last = last_row(past, "newest_alert", "alert_from")
    order = {
        (e.detail.get("rule"), e.detail.get("subject"), e.code, e.at): e.seq for e in past.near if e.kind == "alert"
    }

    def had_come(row: Columns, at: int | None, *codes: str) -> bool:
        if at is None:
            return False
        seq = next((order[key] for code in codes if (key := (row[1], row[2], code, at)) in order), None)
        return at <= past.at if seq is None else seq <= past.seq

    found = []
    for row in past.rows("alerts_until", last, ALERTS_MAX):
        if had_come(row, row[7], "alert_raised", "alert_flapping"):
            is_over = had_come(row, row[13], "alert_resolved")
            is_seen = had_come(row, row[11], "alert_acknowledged")
            found.append(row if is_over else _open_alert(past, row, is_seen=is_seen))
    return found


def _open_alert(past: Past, row: Columns, *, is_seen: bool) -> Columns:
    """Return an alert that was not over yet. Its text is that of its raising: what it said in between is not kept."""
    (alert_id, rule, subject, severity, state, _, remedy, raised_at, changed_at, signal_id) = row[:10]
    ack_by, ack_at, snoozed_until, resolved_at, repeats = row[10:]
    if resolved_at is not None or ack_at is not None:
        state = "acknowledged" if is_seen else "active"
    if changed_at > past.at:
        snoozed_until, changed_at = None, ack_at if is_seen else raised_at
    if not is_seen:
        ack_by, ack_at = "", None
    text = _text_when_raised(past, row) or NOT_KEPT_TEXT
    return (
        *(alert_id, rule, subject, severity, state, text, remedy, raised_at, changed_at, signal_id),
        *(ack_by, ack_at, snoozed_until, None, 1 if resolved_at is not None else repeats),
    )


def _text_when_raised(past: Past, row: Columns) -> str:
    rule, subject, raised_at = row[1], row[2], row[7]
    about = (
        position_of_time(past.kept, raised_at) or 0
    ) - NEAR // 2  # the times of entries beside each other may cross
    for told in map(told_of, past.rows("events_within", about, past.seq, NEAR)):
        named = (told.detail.get("rule"), told.detail.get("subject")) if told.kind == "alert" else None
        if told.at == raised_at and named == (rule, subject):
            return told.text.removeprefix(f"{rule}: ")
    return ""


def command_rows(past: Past) -> list[Columns]:
    """Return the newest `COMMANDS_MAX` wishes that had been posted, newest first, without what became of them later."""
    last = last_row(past, "newest_command", "command_from")
    rows = past.rows("commands", last + 1, COMMANDS_MAX)
    return [row if row[11] is None or row[11] <= past.at else (*row[:9], "posted", "", None) for row in rows]
