"""Secrets are removed by value from everything that leaves the program as text."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from engine.core.text import clean

MASK: Final = "***"
SECRET_LENGTH_MIN: Final = 6  # shorter ones would black out ordinary words
PEM_MARK: Final = "-----"  # opens and closes the lines around a PEM body, which are no secret
PEM_LINE_MIN: Final = 16

# What looks like a secret although nobody told us its value. The name and the value may be quoted, escaped or
# percent-encoded, or two texts of a list.
_PATTERNS: Final = re.compile(
    r"(?i)(?:\b|(?<=%[0-9a-f]{2}))(signature|(?:api|bapi|access)[-_]?(?:key|sign|passphrase)|secret|passphrase|password|token|authorization"
    r"|private[-_]?key)"
    r"(\\*[\"']?\s*(?:[=:]|%3[ad])\s*\\*[\"']?|\\*[\"']\s*,\s*\\*[\"'])"
    r"(?:(?:Bearer|Basic)(?:\s|%20|\+)+)?[^\s\"'&,;}\\]+"
)
_TOKEN: Final = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")  # a signed token: header, claims, signature
_URL_QUERY: Final = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
_URL_LOGIN: Final = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
_HEX: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{16,})")


# The beginnings of the names above: most texts hold none, and are not looked at any closer.
_STEMS: Final = ("sign", "key", "secret", "passphrase", "password", "token", "authorization")
PART_LENGTH_MIN: Final = 12  # so much of a secret is hidden too: who quotes us may cut us short
_GRAM: Final = 6
_STRIDE: Final = PART_LENGTH_MIN - _GRAM + 1
_PARTED_LENGTH_MAX: Final = 256  # longer forms are whole PEM texts, whose lines are forms of their own


class _Known:
    """The forms to look for, and a quick way to see that none is there.

    Whatever a text shares with a form, from 12 characters on, covers the 6 that begin at some multiple of 7. So only
    every seventh piece of the text is looked up among the pieces of the forms, however many there are.
    """

    def __init__(self, forms: Iterable[str]) -> None:
        self.forms = tuple(sorted(forms, key=lambda f: (-len(f), f)))  # the longest first: one may be part of another
        self.longest = len(self.forms[0]) if self.forms else 0
        self._short = tuple(form for form in self.forms if len(form) < PART_LENGTH_MIN)
        long = [form[:_PARTED_LENGTH_MAX] for form in self.forms if len(form) >= PART_LENGTH_MIN]
        self._pieces = frozenset(_cut(long, _GRAM))
        self._parts = frozenset(_cut(long, PART_LENGTH_MIN))

    def hide_in(self, text: str) -> str:
        pieces = [text[n : n + _GRAM] for n in range(0, len(text), _STRIDE)]
        if self._pieces.isdisjoint(pieces) and not any(form in text for form in self._short):
            return text
        for form in self.forms:
            if form in text:
                text = text.replace(form, MASK)
        return self._without_parts(text)

    def _without_parts(self, text: str) -> str:
        kept, done = [], 0
        begin = end = 0  # of the part that is being found
        for n in range(len(text) - PART_LENGTH_MIN + 1):
            if text[n : n + PART_LENGTH_MIN] not in self._parts:
                continue
            if n > end or not end:
                if end:
                    kept += [text[done:begin], MASK]
                    done = end
                begin = n
            end = n + PART_LENGTH_MIN
        return "".join([*kept, text[done:begin], MASK, text[end:]]) if end else text


def _cut(forms: Iterable[str], length: int) -> Iterator[str]:
    return (form[n : n + length] for form in forms for n in range(len(form) - length + 1))


class Redactor:
    """Knows the loaded secrets, and what a signed request looks like. Safe to call from any thread."""

    def __init__(self) -> None:
        self._known = _Known(())
        self._learning = threading.Lock()

    @property
    def is_taught(self) -> bool:
        """Say whether any secret is known."""
        return bool(self._known.forms)

    def learn(self, *secrets: str) -> None:
        """Hide these values from here on, however they are written: plain, quoted, escaped, in base64 and in hex.

        Values handed in together are also hidden where they stand as `one:other` in base64. Of a PEM text each line
        counts as a secret.
        """
        pieces = [piece for secret in secrets for piece in _pieces(secret)]
        pairs = [f"{one}:{other}" for one in secrets for other in secrets if one is not other]
        forms = {form for piece in pieces + pairs for form in _spellings(piece)}
        fresh = {form for form in forms if len(form) >= SECRET_LENGTH_MIN}
        with self._learning:
            self._known = _Known({*self._known.forms, *fresh})

    def by_value(self, text: str) -> str:
        """Return `text` without the known secrets and long parts of them; what only looks like one is left alone.

        A secret that escapes or invisible characters split is found too; then the text comes back clean, on one line.
        """
        known = self._known
        if not known.forms:
            return text
        text = known.hide_in(text)
        if text.isprintable():
            return text
        bare = clean(text, len(text))
        hidden = known.hide_in(bare)
        return text if hidden == bare else hidden

    def __call__(self, text: str) -> str:
        """Return `text` without secrets, signatures and URL queries."""
        text = self.by_value(text)
        if "://" in text:
            text = _URL_QUERY.sub(rf"\1?{MASK}", text)
            text = _URL_LOGIN.sub(f"://{MASK}@", text)
        lower = text.lower()
        if any(stem in lower for stem in _STEMS):
            text = _PATTERNS.sub(rf"\1\2{MASK}", text)
        return _TOKEN.sub(MASK, text) if "eyJ" in text else text

    def within(self, value: object) -> object:
        """Return a value of JSON with every text in it redacted, names by value alone."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self.by_value(name): self.within(inner) for name, inner in value.items()}
        return [self.within(inner) for inner in value] if isinstance(value, list) else value

    def line(self, text: str, length_max: int = 500) -> str:
        """Return foreign text as one clean line of at most `length_max` characters, without secrets.

        Secrets go before anything is cut, since the half of one is still one.
        """
        longest = self._known.longest
        bound = 8 * length_max + 2 * longest
        if len(text) > bound:  # the last piece before the cut may be a part of a secret
            text = self(text[:bound])
            text = text[: len(text) - longest] + "…"
        return clean(self(text), length_max)


def _pieces(secret: str) -> Iterator[str]:
    if len(secret) < SECRET_LENGTH_MIN:
        return
    yield secret
    if not secret.startswith(PEM_MARK):
        return
    lines = secret.replace("\\n", "\n").splitlines()
    body = [line for line in lines if not line.startswith(PEM_MARK)]
    yield from (ending.join(part) for part in (lines, body) for ending in ("\n", "\r\n", "\\n", ""))
    yield from (line for line in body if len(line) >= PEM_LINE_MIN)


def _spellings(text: str) -> Iterator[str]:
    raw = text.encode(errors="surrogatepass")
    for written in _escaped(text):
        yield written
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), written)
    yield from (raw.hex(), raw.hex().upper())
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        yield from (whole, whole.rstrip("="))
        yield from _cores(raw, encode)
    if number := _HEX.fullmatch(text):
        yield from (number[1], number[1].lower(), number[1].upper())


def _escaped(text: str) -> Iterable[str]:
    from html import escape  # large tables, which only those who have secrets need
    from urllib.parse import quote, quote_plus

    shown = text.encode(errors="replace").decode()  # a lone surrogate has no form in a URL
    quoted, in_json = quote(shown, safe=""), json.dumps(text)[1:-1]
    return (
        *(text, quoted, quote(shown), quote_plus(shown), quote(quoted, safe="")),
        *(in_json, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(in_json)[1:-1], in_json.replace("/", "\\/")),
        escape(text),
    )


def _cores(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """Yield what base64 makes of `raw` within a longer text: by where it begins, and without the digits it shares."""
    for before in range(3):
        whole = encode(bytes(before) + raw).decode().rstrip("=")
        end = len(whole) - (1 if (before + len(raw)) % 3 else 0)
        yield whole[(0, 2, 3)[before] : end]


REDACT: Final = Redactor()  # the process's one: whatever loads a secret teaches it
