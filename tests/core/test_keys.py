"""Where credentials come from, what is refused, and that no value of theirs shows itself."""

from __future__ import annotations

import copy
import os
import pickle
import resource
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from engine.core.errors import ConfigError
from engine.keys import Credentials, KeyPlace, Secret, load
from engine.redaction import MASK, REDACT

KEY = "canary-key-7Qd2"
SECRET = "canary+secret/9fE4=="
BODY = ("MHcCAQEEIBcanaryLineOne0123456789", "oAoGCCqGSM49AwEHoUQDQgAEcanaryTwo", "shortlast==")
PEM = "\n".join(("-----BEGIN EC PRIVATE KEY-----", *BODY, "-----END EC PRIVATE KEY-----", ""))
BY_NAME = KeyPlace("real", api_key_env="K", secret_env="S", password_env="P")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mine = tmp_path / "keys"
    mine.mkdir(mode=0o700)
    return mine


def a_key_file(folder: Path, text: str = "", mode: int = 0o600) -> Path:
    path = folder / "real.key"
    path.write_text(text or f'api_key = "{KEY}"\nsecret = "{SECRET}"\n')
    path.chmod(mode)
    return path


def refusal(place: KeyPlace, env: dict[str, str] | None = None) -> str:
    """Return the error's text, after looking that neither it nor its traceback tells a value."""
    with pytest.raises(ConfigError) as caught:
        load(place, env or {})
    told = "".join(traceback.format_exception(caught.value))
    for value in (KEY, SECRET, BODY[0]):
        assert value not in told
    assert caught.value.__cause__ is None
    said = str(caught.value)
    assert REDACT.line(said, 1_000) == said, "the words must not look like a secret themselves"
    return said


def test_the_environment_gives_key_secret_and_password_without_their_line_end() -> None:
    found = load(BY_NAME, {"K": KEY + "\n", "S": SECRET + "\r\n", "P": "pass word 1"})
    assert found.as_ccxt() == {"apiKey": KEY, "secret": SECRET, "password": "pass word 1"}


def test_a_password_that_no_variable_is_named_for_is_left_out() -> None:
    found = load(KeyPlace("real", api_key_env="K", secret_env="S"), {"K": KEY, "S": SECRET})
    assert found.as_ccxt() == {"apiKey": KEY, "secret": SECRET}


def test_a_variable_that_is_not_set_is_named_with_its_setting() -> None:
    said = refusal(BY_NAME, {"K": KEY, "P": "x"})
    assert "trader real" in said
    assert "'S' is not set" in said
    assert "secret_env" in said


@pytest.mark.parametrize("value", ["", "\n", "abc", "<your key>", "xxxxxxxxxx", "changeme", "your_api_key", "${KEY}"])
def test_an_empty_value_and_a_placeholder_are_refused(value: str) -> None:
    assert "environment variable K" in refusal(BY_NAME, {"K": value, "S": SECRET, "P": "password-1"})


@pytest.mark.parametrize("value", [f" {KEY}", f"{KEY} ", f"{KEY}\n{KEY}", f"{KEY}\x1b[m", f"{KEY}\udc80"])
def test_a_value_that_was_pasted_badly_is_refused(value: str) -> None:
    assert "paste the value alone" in refusal(BY_NAME, {"K": value, "S": SECRET, "P": "password-1"})


@pytest.mark.parametrize("written", [PEM, PEM.replace("\n", "\\n"), PEM.replace("\n", "\r\n"), PEM.rstrip("\n")])
def test_a_pem_secret_comes_out_whole_however_its_lines_end(written: str) -> None:
    found = load(KeyPlace("real", api_key_env="K", secret_env="S"), {"K": KEY, "S": written})
    assert found.as_ccxt()["secret"] == PEM


def test_a_pem_secret_that_is_cut_off_is_refused() -> None:
    assert "END line" in refusal(BY_NAME, {"K": KEY, "S": PEM[:60], "P": "password-1"})


def test_a_file_of_its_own_gives_key_and_secret(folder: Path) -> None:
    found = load(KeyPlace("real", key_file=a_key_file(folder)), {})
    assert found.as_ccxt() == {"apiKey": KEY, "secret": SECRET}


def test_a_file_gives_a_pem_secret_over_many_lines_and_a_wallet(folder: Path) -> None:
    found = load(KeyPlace("real", key_file=a_key_file(folder, f'api_key = "{KEY}"\nsecret = """\n{PEM}"""\n')), {})
    assert found.as_ccxt()["secret"] == PEM
    wallet = 'wallet_address = "0xA11ce00000"\nprivate_key = "0xfeed0000beef"\n'
    found = load(KeyPlace("real", key_file=a_key_file(folder, wallet)), {})
    assert found.as_ccxt() == {"walletAddress": "0xA11ce00000", "privateKey": "0xfeed0000beef"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o700, 0o444])
def test_a_file_that_others_may_read_is_refused_with_the_command_that_mends_it(folder: Path, mode: int) -> None:
    path = a_key_file(folder, mode=mode)
    assert f"chmod 600 {path}" in refusal(KeyPlace("real", key_file=path))


def test_a_file_that_nobody_may_write_is_strict_enough(folder: Path) -> None:
    assert load(KeyPlace("real", key_file=a_key_file(folder, mode=0o400)), {}).api_key == Secret(KEY)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_file_in_a_folder_that_others_can_write_to_is_refused(folder: Path, mode: int) -> None:
    path = a_key_file(folder)
    folder.chmod(mode)
    assert f"chmod go-w {folder}" in refusal(KeyPlace("real", key_file=path))


def test_a_link_in_the_file_s_place_is_refused(folder: Path) -> None:
    link = folder / "link.key"
    link.symlink_to(a_key_file(folder))
    assert "is a link" in refusal(KeyPlace("real", key_file=link))


def test_a_pipe_and_a_folder_in_the_file_s_place_are_refused_at_once(folder: Path) -> None:
    os.mkfifo(folder / "pipe", 0o600)
    assert "is no file" in refusal(KeyPlace("real", key_file=folder / "pipe"))
    (folder / "inner").mkdir(0o600)
    assert "is no file" in refusal(KeyPlace("real", key_file=folder / "inner"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_or_a_folder_of_somebody_else_is_refused(folder: Path) -> None:
    path = a_key_file(folder)
    os.chown(path, 12345, -1)
    assert "belongs to somebody else" in refusal(KeyPlace("real", key_file=path))
    os.chown(folder, 12345, -1)
    assert "others can write to its folder" in refusal(KeyPlace("real", key_file=path))


def test_a_file_that_is_not_there_is_named() -> None:
    assert "/none/real.key: cannot be read" in refusal(KeyPlace("real", key_file=Path("/none/real.key")))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"api_key = {KEY}", "not TOML at line 1"),
        (f'api_key = "{KEY}\nsecret = 1', "not TOML at line 1"),
        (f'api_key = "{KEY}"\nx = "{SECRET}"', "holds something else"),
        (f'{KEY} = "x"\nsecret = "y"', "holds something else"),
        (f'api_key = "{KEY}"', "needs api_key and secret"),
        (f'secret = "{SECRET}"\nwallet_address = "{KEY}"', "needs api_key and secret"),
        (f'api_key = "{KEY}"\nsecret = 12345678', "secret is no text"),
        (f'api_key = "{KEY}"\nsecret = ""', "secret"),
        (f'# {"#" * 70_000}\napi_key = "{KEY}"', "more than"),
        ("x = " + "[" * 5_000, "not TOML"),
    ],
    ids=["bare", "open", "more", "name", "alone", "mixed", "number", "empty", "long", "deep"],
)
def test_a_file_that_says_something_else_is_refused_and_not_repeated(folder: Path, text: str, why: str) -> None:
    said = refusal(KeyPlace("real", key_file=a_key_file(folder, text)))
    assert why in said
    assert "real.key" in said


class Ring(KeyringBackend):
    """A keyring in memory, behind the real package."""

    priority = 1.0

    def __init__(self, entries: dict[str, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the package's own
        self._entries = entries

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries.get(f"{service}:{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._entries[f"{service}:{username}"] = password


@pytest.fixture
def _its_own_ring() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("_its_own_ring")
def test_the_keyring_gives_the_entries_of_its_trader() -> None:
    entries = {"signaldeck:real/api_key": KEY, "signaldeck:real/secret": SECRET, "signaldeck:other/password": "x"}
    keyring.set_keyring(Ring(entries))
    found = load(KeyPlace("real", keyring=True), {})
    assert found.as_ccxt() == {"apiKey": KEY, "secret": SECRET}


@pytest.mark.usefixtures("_its_own_ring")
def test_an_entry_that_is_missing_is_named_with_the_command_that_makes_it() -> None:
    keyring.set_keyring(Ring({"signaldeck:real/api_key": KEY}))
    assert "`keyring set signaldeck real/secret`" in refusal(KeyPlace("real", keyring=True))
    keyring.set_keyring(Ring({"signaldeck:real/wallet_address": KEY}))
    assert "`keyring set signaldeck real/private_key`" in refusal(KeyPlace("real", keyring=True))


@pytest.mark.usefixtures("_its_own_ring")
def test_a_machine_without_a_keyring_is_told_what_else_there_is() -> None:
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]  # the package's own
    said = refusal(KeyPlace("real", keyring=True))
    assert "NoKeyringError" in said
    assert "api_key_env" in said


def test_a_machine_without_the_package_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # as the interpreter marks what cannot be imported
    assert "pip install 'signaldeck[keyring]'" in refusal(KeyPlace("real", keyring=True))


def test_a_trader_without_any_place_is_refused() -> None:
    assert "key_file" in refusal(KeyPlace("real"))


def test_a_secret_shows_itself_to_nobody_who_does_not_ask() -> None:
    secret = Secret(KEY)
    held = Credentials(secret, Secret(SECRET))
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>80}", f"{secret!r}", repr(held), f"{[secret]}"):
        assert KEY not in shown
        assert MASK in shown
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            take(secret)
    with pytest.raises(TypeError):
        asdict(held)
    with pytest.raises(TypeError):
        vars(secret)
    assert secret.reveal() == KEY


def test_secrets_are_equal_by_value_and_to_nothing_else() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret(SECRET)
    assert Secret(KEY) != KEY
    with pytest.raises(TypeError):
        hash(Secret(KEY))


def test_a_fingerprint_tells_keys_apart_without_showing_them() -> None:
    one, same, other = (Credentials(Secret(key), Secret(SECRET)) for key in (KEY, KEY, KEY + "2"))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert len(one.fingerprint) == 12
    assert Credentials(wallet_address=Secret(KEY)).fingerprint == one.fingerprint
    assert Credentials().fingerprint == ""


def test_what_was_read_is_hidden_at_once_and_no_crash_leaves_the_memory_behind(folder: Path) -> None:
    marks = [f"fresh-{n}-{folder.parent.name}" for n in range(3)]
    load(BY_NAME, dict(zip("KSP", marks, strict=True)))
    load(KeyPlace("real", key_file=a_key_file(folder, f'api_key = "{marks[0]}-f"\nsecret = """{PEM}"""')), {})
    said = REDACT(f"{marks} {marks[0]}-f {BODY[0]}")
    assert not [value for value in (*marks, BODY[0]) if value in said]
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
