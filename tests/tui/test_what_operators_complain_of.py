"""What operators of comparable tools complain of in public, and what shows that it is not so here.

Each entry has the public threads, the complaint in our words, and the tests that would fail if it were true of SignalDeck;
"Answer:" is what was decided where a wish cannot be shown by a test alone. The last test here reads this table.

* derailed/k9s#155, derailed/k9s#444: with autoscroll off the view moved all the same, once a buffer was full.
    tui/test_complaints_of_views.py::test_a_log_that_is_held_or_frozen_shows_the_same_rows_whatever_comes
    tui/test_list_screens.py::test_frozen_rows_stand_still_and_what_is_new_is_counted
    tui/test_journal_screens.py::test_a_filter_while_frozen_shows_only_what_stood_there
* derailed/k9s#732: the view jumps to the end while one scrolls; the wheel is fought.
    tui/test_complaints_of_views.py::test_a_turn_of_the_wheel_holds_the_view_where_it_was_put
    tui/test_complaints_of_views.py::test_a_key_after_the_wheel_goes_on_from_what_is_seen
    tui/test_complaints_of_views.py::test_the_wheel_back_and_g_follow_again
    tui/test_live_table.py::test_a_table_that_follows_stays_on_the_first_row_until_the_cursor_is_moved
* derailed/k9s#1019: the log falls minutes behind, and nothing says how far.
    tui/test_complaints_of_views.py::test_a_burst_of_ten_thousand_leaves_the_log_neither_behind_nor_without_bounds
    tui/test_complaints_of_views.py::test_the_way_from_a_log_that_stands_still_back_to_what_is_newest_is_two_keys_at_most
    tui/test_journal_screens.py::test_a_leap_longer_than_a_page_starts_with_the_newest_page
* derailed/k9s#395, charles-001/dolphie#112: nothing can be copied out of a log; "copied" is said while nothing arrived.
    tui/test_complaints_of_terminals.py::test_a_line_of_the_log_reaches_the_terminals_clipboard_and_no_more_is_claimed
    tui/test_error_screen.py::test_text_and_json_are_sent_to_the_clipboard
    tui/test_story_screen.py::test_a_story_too_long_for_the_clipboard_is_not_cut
    tui/test_journal_screens.py::test_what_is_shown_is_exported_to_a_file_of_its_own
* derailed/k9s#87, derailed/k9s#319: what destroys sits beside what shows, and asks nothing.
    tui/test_complaints_of_acts.py::test_with_caps_lock_on_no_key_that_reads_or_moves_changes_anything
    tui/test_complaints_of_acts.py::test_a_key_that_acts_means_one_thing_wherever_it_is
    tui/test_main_wishes.py::test_cancel_asks_and_its_default_is_no
    tui/test_story_screen.py::test_cancel_asks_first_and_enter_says_no
* derailed/k9s#2226, derailed/k9s#3475, derailed/k9s#3506: fingers confirm by habit, and every question looks alike.
    tui/test_confirm.py::test_enter_at_once_says_no
    tui/test_confirm.py::test_no_way_with_enter_confirms_what_cannot_be_taken_back
    tui/test_confirm.py::test_y_is_only_a_letter_while_a_word_is_typed
    tui/test_main_wishes.py::test_the_kill_switch_wants_its_word
    tui/test_bulk.py::test_many_have_to_be_typed_where_there_is_real_money
* derailed/k9s#524: a switch is wanted with which one can look and change nothing.
    tui/test_main_wishes.py::test_a_read_only_screen_offers_nothing_that_changes_anything
    tui/test_every_key.py::test_who_may_only_look_can_press_every_key_and_wishes_nothing
    tui/test_attaching.py::test_one_attached_dashboard_sees_what_another_did_and_both_outlive_the_engine
* sidekiq/sidekiq#5997, sidekiq/sidekiq#3243: "all" took what came after one had looked, and ignored the filter.
    tui/test_bulk.py::test_what_comes_while_the_question_stands_is_not_in_it
    tui/test_bulk.py::test_marks_are_set_one_by_one_by_range_and_for_all_that_match
    tui/test_bulk.py::test_the_version_that_was_seen_goes_with_the_wish
* sidekiq/sidekiq#6719, sidekiq/sidekiq#6833: after an outage "retry all" is the one button that is needed.
    faults/test_incident.py::test_an_operator_sees_an_outage_through_and_retries_all_that_it_cost
* oban-bg/oban_web#36, oban-bg/oban#1104: what matches but is not on the visible page is left out.
    tui/test_complaints_of_acts.py::test_everything_that_the_filter_takes_is_acted_on_and_not_the_visible_page_alone
    tui/test_bulk.py::test_a_state_in_the_filter_is_asked_of_the_store
* kodless/leek#49: nobody says beforehand how many can be retried and how many not, nor afterwards what came of it.
    tui/test_bulk.py::test_only_what_ended_badly_is_retried_and_the_others_say_why_not
    tui/test_bulk.py::test_one_refusal_does_not_stop_the_others
    tui/test_bulk.py::test_what_was_refused_stays_marked
    tui/test_bulk.py::test_what_cannot_be_done_to_any_is_said_and_not_asked
* ebarti/JobCtrl#114: what was acted on were not the rows that were seen.
    tui/test_complaints_of_acts.py::test_what_a_filter_hides_of_the_marked_is_named_before_it_is_acted_on
    tui/test_complaints_of_acts.py::test_a_filter_alone_marks_nothing_and_a_wish_is_about_the_row_under_the_cursor
* jesseduffield/lazydocker#557, jesseduffield/lazydocker#558, jesseduffield/lazydocker#836: some want to be asked, some
  not; a key that toggles does the opposite on an old picture.
    Answer: whether one is asked is no setting. What can be taken back and is about one thing asks nothing, all else does.
    tui/test_complaints_of_acts.py::test_one_trader_is_paused_at_one_key_and_all_of_them_only_after_a_question
    tui/test_complaints_of_acts.py::test_a_key_pressed_on_a_stale_row_never_does_the_opposite
    tui/test_main_wishes.py::test_pause_and_resume_are_two_keys_for_the_selected_trader
    simulation/test_orders.py::test_a_press_on_a_stale_screen_is_refused
* charles-001/dolphie#86: an action is refused because a filter hides what it is about.
    tui/test_complaints_of_views.py::test_what_a_filter_hides_can_still_be_gone_to_and_acted_on
    tui/test_complaints_of_acts.py::test_what_a_filter_hides_of_the_marked_is_named_before_it_is_acted_on
    tui/test_complaints_of_views.py::test_a_question_names_what_it_is_about_though_the_row_has_gone_from_view
* tconbeer/harlequin#71: ctrl+enter never reaches the program in many terminals.
    tui/test_complaints_of_acts.py::test_no_key_is_one_that_terminals_swallow_or_send_as_another
    tui/test_complaints_of_acts.py::test_a_letter_beside_control_is_never_the_only_way_where_a_multiplexer_has_it
* darrenburns/posting#34, tconbeer/harlequin#976: who has vi in the fingers leaves for a rival that has its keys.
    tui/test_live_table.py::test_every_movement_key_moves
    tui/test_story_screen.py::test_keys_scroll_by_lines_pages_and_to_both_ends
    tui/test_journal_screens.py::test_in_context_the_matches_stand_among_the_others_and_n_goes_round_them
* tconbeer/harlequin#506: after an action the focus is elsewhere, and getting it back costs keys.
    tui/test_complaints_of_views.py::test_focus_and_cursor_are_where_they_were_after
    tui/test_main_keys.py::test_enter_opens_the_row_and_escape_returns_to_it
* freqtrade/frequi#108, freqtrade/freqtrade#8403: it asks blindly all the time; a dead connection is shown by nothing.
    tui/test_main_screen.py::test_the_board_is_read_only_when_something_was_committed
    tui/test_main_screen.py::test_a_store_that_cannot_be_read_is_said_and_asked_again
    tui/test_attaching.py::test_an_engine_that_does_not_answer_stands_in_the_status_line_until_it_does
* freqtrade/freqtrade#11725: stale prices suppressed all signals for days, and nobody was told.
    simulation/test_real_prices.py::test_each_ailment_is_told_from_the_others_everywhere_and_only_live_prices_are_traded_on
    core/test_feeds.py::test_the_alert_of_a_feed_names_it_and_goes_with_its_ailment
    tui/test_main_parts.py::test_heartbeat_and_feed_have_limits_of_their_own
    tui/test_main_parts.py::test_an_exchange_that_ails_stands_in_the_status_line_and_one_that_is_well_does_not
* hjacobs/kube-ops-view#94, concourse/concourse#479: the wall's screen showed old figures as if they were of now.
    tui/test_main_screen.py::test_a_silent_engine_makes_the_screen_say_that_it_is_old
    tui/test_main_screen.py::test_a_dead_engine_inside_is_said_over_everything
    tui/test_story_screen.py::test_an_engine_that_went_silent_is_said_to_be_silent
* Textualize/toolong#59: it ends badly, and the shell then prints what the mouse does.
    tui/test_complaints_of_terminals.py::test_whichever_way_it_ends_the_shell_gets_its_terminal_back_as_it_was
    faults/test_terminal.py::test_sigterm_drains_and_restores_the_screen
* riverqueue/river#971: what was retried together came out of order.
    tui/test_complaints_of_acts.py::test_signals_retried_together_go_out_in_the_order_in_which_they_came
    tui/test_bulk.py::test_every_marked_signal_is_in_the_plan_once_and_the_oldest_comes_first
"""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.house.sources import sources

ENTRIES: Final = [entry for entry in (__doc__ or "").split("\n* ")[1:] if entry]
THREAD: Final = re.compile(r"[\w.-]+/[\w.-]+#[0-9]+")
PROOF: Final = re.compile(r"^ {4}(\S+\.py)::(test_\w+)$", re.MULTILINE)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: THREAD.findall(entry)[0].replace("/", "_"))
def test_every_complaint_has_its_thread_and_tests_that_are_really_there(entry: str) -> None:
    there = {(s.path.removeprefix("tests/"), f.name) for s in sources("tests") for f in s.functions()}
    proofs = PROOF.findall(entry)
    assert proofs, "a complaint without a proof"
    assert [proof for proof in proofs if proof not in there] == []
    told = [line for line in entry.splitlines()[1:] if line.startswith("    ")]
    assert len(proofs) == len([line for line in told if not line.strip().startswith("Answer: ")]), "a line is not read"


def test_no_complaint_is_in_the_table_twice_and_none_was_lost() -> None:
    threads = [thread for entry in ENTRIES for thread in THREAD.findall(entry.split(": ")[0])]
    assert len(ENTRIES) == 22
    assert len(threads) == len(set(threads)) == 35
