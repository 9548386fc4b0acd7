"""What the inbox is told: its section, its token, and what is wrong with either in words that mend it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.config import load
from engine.config_text import shown, template
from engine.core.errors import ConfigError
from engine.core.inbox import InboxSettings
from engine.inbox.token import LENGTH_MIN, Token, bearer_of, is_same, load_token
from engine.redaction import Redactor

WORD = "a-token-of-some-length"


@pytest.fixture(autouse=True)
def _nobody_s_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/config"))


def a_file(folder: Path, text: str) -> Path:
    path = folder / "deck.toml"
    path.write_text(text)
    return path


def refusal(path: Path | None, env: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, env or {})
    return str(caught.value)


def a_token_file(folder: Path, text: str = WORD + "\n", mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_an_inbox_is_off_and_for_this_machine_alone_unless_it_is_asked_for() -> None:
    settings = load(None, {}).settings.inbox
    assert not settings.enabled
    assert settings.is_loopback


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ("enabled = true", "inbox.token_env", "needs a token"),
        ("token_env = 'A'\ntoken_file = 'b'", "inbox.token_env", "keep one"),
        ("enabled = true\ntoken_env = 'A'\nhost = '0.0.0.0'", "inbox.host", "inbox.expose = true"),
        ("host = 'example.org'", "inbox.host", "127.0.0.1"),
        ("token = 'hunter2-hunter2-hunter2'", "inbox.token", "token_env"),
        ("port = 70000", "inbox.port", "65535"),
        ("replay_window_s = 0", "inbox.replay_window_s", "300"),
        ("mapping.needs = ['luck']", "inbox.mapping.needs[0]", "'time' or 'key'"),
        ("mapping.source = 'exit'", "inbox.mapping.source", "another name"),
        ("mapping.source = 'fast_scalping'", "inbox.mapping.source", "a strategy's"),
        ("[inbox.mapping.symbols]\nBTCUSDT = 'BTCUSDT'", "inbox.mapping.symbols", "BTC/USDT"),
    ],
)
def test_a_fault_names_file_key_and_fix(tmp_path: Path, text: str, key: str, word: str) -> None:
    said = refusal(a_file(tmp_path, f"[inbox]\n{text}\n"))
    assert said.startswith(f"{tmp_path / 'deck.toml'}:")
    assert f": {key}: " in said
    assert word in said
    assert "hunter2" not in said


def test_another_host_is_taken_when_it_is_meant() -> None:
    assert not InboxSettings(enabled=True, token_env="A", host="::", expose=True).is_loopback
    assert InboxSettings(host="localhost").host == "127.0.0.1"
    assert InboxSettings(host="::1").is_loopback


def test_the_environment_sets_it_and_its_token_is_no_setting(tmp_path: Path) -> None:
    env = {
        "SIGNALDECK_INBOX__ENABLED": "true",
        "SIGNALDECK_INBOX__PORT": "9000",
        "SIGNALDECK_INBOX__SECRET": WORD,
        "SIGNALDECK_INBOX__TOKEN_ENV": "SIGNALDECK_INBOX__SECRET",
        "SIGNALDECK_INBOX__MAPPING__SYMBOLS__BTCUSDT": "BTC/USDT",
        "SIGNALDECK_INBOX__MAPPING__NEEDS": "time,key",
    }
    settings = load(None, env).settings.inbox
    assert (settings.enabled, settings.port, settings.mapping.needs) == (True, 9000, ("time", "key"))
    assert settings.mapping.symbols == {"btcusdt": "BTC/USDT"}
    named = a_file(tmp_path, "[inbox]\ntoken_env = 'SIGNALDECK_MY__WORD'\n")
    assert load(named, {"SIGNALDECK_MY__WORD": WORD}).settings.inbox.token_env == "SIGNALDECK_MY__WORD"


def test_a_token_file_is_named_from_the_configuration_s_folder(tmp_path: Path) -> None:
    assert load(a_file(tmp_path, "[inbox]\ntoken_file = 'x'\n"), {}).settings.inbox.token_file == tmp_path / "x"


def test_the_section_is_written_and_shown_with_what_could_be_a_token_masked(tmp_path: Path) -> None:
    assert "[inbox]\nenabled = false" in template()
    assert "[inbox.mapping]" in template()
    path = a_file(tmp_path, f"[inbox]\ntoken_file = 'x'\nmapping.token = '{WORD}'\n")
    rows = {row.key: row.value for row in shown(load(path, {}))}
    assert rows["inbox.token_file"] == str(tmp_path / "x")
    assert rows["inbox.strangers_per_min_max"] == "10"
    assert rows["inbox.token_in_path"] == "false"
    assert WORD not in repr(rows)


def test_the_token_comes_from_its_variable_or_its_file_and_is_known_to_the_redactor(tmp_path: Path) -> None:
    for settings, env in (
        (InboxSettings(token_env="A"), {"A": f" {WORD}\n"}),
        (InboxSettings(token_file=a_token_file(tmp_path)), {}),
    ):
        redact = Redactor()
        token = load_token(settings, env, redact)
        assert token.is_same(WORD)
        assert redact(f"it is {WORD}.") == "it is ***."
        assert WORD not in repr(token)


@pytest.mark.parametrize("text", ["", "short", "x" * (LENGTH_MIN - 1), "with blank in the middle", "x" * 513, "ä" * 20])
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    for settings, env in (
        (InboxSettings(token_env="A"), {"A": text}),
        (InboxSettings(token_file=a_token_file(tmp_path, text)), {}),
    ):
        with pytest.raises(ConfigError, match=r"inbox\.token_(env|file): ") as caught:
            load_token(settings, env, Redactor())
        assert not text or text not in str(caught.value)


def test_a_token_file_that_others_could_read_or_swap_is_refused(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    open_to_all = a_token_file(tmp_path, mode=0o640)
    link.symlink_to(open_to_all)
    os.mkfifo(pipe, 0o600)
    for path, word in (
        (open_to_all, "chmod 600"),
        (link, "is a link"),
        (pipe, "no file"),
        (tmp_path / "none", "No such"),
    ):
        with pytest.raises(ConfigError, match=word):
            load_token(InboxSettings(token_file=path), {}, Redactor())
    with pytest.raises(ConfigError, match="is not set"):
        load_token(InboxSettings(token_env="NOBODY_SET_THIS"), {}, Redactor())


class Guarded(bytes):
    """Bytes that a plain comparison, which stops at the first difference, would set off."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared with ==")

    def __ne__(self, other: object) -> bool:
        raise AssertionError("compared with !=")

    __hash__ = bytes.__hash__


def test_secrets_are_compared_without_looking_where_they_differ() -> None:
    secret = Guarded(WORD.encode())
    assert is_same(secret, WORD.encode())
    assert is_same(secret, Guarded(WORD.encode()))
    assert not is_same(secret, WORD.upper().encode())
    with pytest.raises(AssertionError):
        assert secret == WORD.encode()


def test_a_token_is_compared_whatever_the_characters_are() -> None:
    token = Token(WORD)
    assert not [given for given in ("", WORD[:-1], f"{WORD}x", "é" * 22, "\udce9" * 22) if token.is_same(given)]
    assert token.is_same(WORD)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (["Bearer abc"], "abc"),
        (["bearer   abc "], "abc"),
        (["Basic abc"], ""),
        (["abc"], ""),
        ([], ""),
        (["Bearer abc", "Bearer abc"], ""),
    ],
)
def test_a_bearer_token_is_read_from_one_header(headers: list[str], token: str) -> None:
    assert bearer_of(headers) == token
