"""What is hidden, what is left alone, and that no shortcut of the search misses anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.redaction import MASK, PART_LENGTH_MIN, Redactor

KEY = "Vm6PUZEmv9SD/5VNHk+4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh"
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


def taught(*secrets: str) -> Redactor:
    redact = Redactor()
    redact.learn(*secrets)
    return redact


@given(before=TEXTS, after=TEXTS, begin=st.integers(0, 63), length=st.integers(PART_LENGTH_MIN, 64))
def test_a_part_of_a_secret_is_hidden_wherever_it_stands(before: str, after: str, begin: int, length: int) -> None:
    part = KEY[begin : begin + length]
    if len(part) < PART_LENGTH_MIN:
        return
    told = taught(KEY).by_value(before + part + after)
    assert not any(KEY[n : n + PART_LENGTH_MIN] in told for n in range(len(KEY)) if len(KEY) - n >= PART_LENGTH_MIN)
    assert MASK in told


@given(text=TEXTS)
def test_a_text_without_secrets_is_left_as_it_is(text: str) -> None:
    assert taught(KEY, "passphrase-0815").by_value(text) == text


def test_a_short_secret_is_hidden_too_and_a_very_short_one_would_hide_words() -> None:
    assert taught("hunter2").by_value("it is hunter2!") == f"it is {MASK}!"
    assert not taught("word").is_taught


@pytest.mark.parametrize("split", ["\u200b", "\x1b[0m", "\u202e", "\x00"])
def test_a_secret_that_invisible_characters_split_is_hidden(split: str) -> None:
    told = taught(KEY)(f"said {split.join(KEY)}\nand more")
    assert told == f"said {MASK} and more"


def test_text_of_several_lines_keeps_them_where_nothing_is_hidden() -> None:
    assert taught(KEY)("one\ntwo\tthree") == "one\ntwo\tthree"


def test_a_line_that_is_cut_shows_no_half_of_a_secret() -> None:
    redact = taught(KEY)
    for before in range(0, 12_000, 37):
        assert KEY[:6] not in redact.line("x" * before + KEY * 3, 100)


def test_key_and_secret_are_hidden_as_a_login_in_base64() -> None:
    told = taught("hunter2", "tiger-3")("aHVudGVyMjp0aWdlci0z and more")
    assert told == f"{MASK} and more"


def test_values_of_json_keep_their_shape() -> None:
    value = {"token": 5, KEY: [f"said {KEY}", None, 1.5], "secret": "plain"}
    told = taught(KEY).within(value)
    assert told == {"token": 5, MASK: [f"said {MASK}", None, 1.5], "secret": "plain"}
    json.dumps(told)


@pytest.mark.parametrize(
    "text",
    [
        '{"API-Sign": "deadbeef99=="}',
        "[('API-Key', 'deadbeef99')]",
        r"{\"apiKey\": \"deadbeef99\"}",
        "OK-ACCESS-PASSPHRASE: deadbeef99",
        "a=1%26signature%3Ddeadbeef99",
        "Authorization: Basic%20deadbeef99",
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4eCJ9deadbeef99.c2lnbmVk-deadbeef99",
        "wss://me:deadbeef99@stream.example/",
    ],
)
def test_what_a_signed_request_carries_is_hidden_unasked(text: str) -> None:
    assert "deadbeef99" not in Redactor()(text)


@pytest.mark.parametrize(
    "text",
    ["the signature was refused", "1 key, 2 secrets", "secret_env names a variable", "see https://example.com/path"],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert Redactor()(text) == text
