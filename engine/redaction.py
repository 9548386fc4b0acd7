"""Secrets are removed by value from everything that leaves the program as text."""

from __future__ import annotations

import base64
import re
from typing import Final
from urllib.parse import quote

MASK: Final = "***"
SECRET_LENGTH_MIN: Final = 6  # shorter ones would black out ordinary words

# What looks like a secret although nobody told us its value.
_PATTERNS: Final = re.compile(
    r"(?i)\b(signature|api[-_]?key|api[-_]?sign|secret|passphrase|password|token|authorization|x-mbx-apikey)"
    r"(\"?'?\s*[=:]\s*\"?'?)(?:Bearer\s+|Basic\s+)?[^\s\"'&,;}]+"
)
_URL_QUERY: Final = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
_URL_LOGIN: Final = re.compile(r"(\w+://)[^/\s:@]+:[^/\s@]+@")


class Redactor:
    """Knows the loaded secrets, and what a signed request looks like. Safe to call from any thread."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()

    def learn(self, secret: str) -> None:
        """Hide this value from here on, plain, quoted for a URL, and in base64."""
        if len(secret) < SECRET_LENGTH_MIN:
            return
        encoded = base64.b64encode(secret.encode()).decode()
        forms = {secret, quote(secret, safe=""), encoded, encoded.rstrip("=")}
        # The longest first: a form may be part of another.
        self._forms = tuple(sorted({*self._forms, *forms}, key=lambda f: (-len(f), f)))

    def __call__(self, text: str) -> str:
        """Return `text` without secrets, signatures and URL queries."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        text = _URL_QUERY.sub(rf"\1?{MASK}", text)
        text = _URL_LOGIN.sub(rf"\1{MASK}@", text)
        return _PATTERNS.sub(rf"\1\2{MASK}", text)


REDACT: Final = Redactor()  # the process's one: whatever loads a secret teaches it
