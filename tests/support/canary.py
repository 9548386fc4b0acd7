"""Canaries: credentials made for a test, which must then stand in nothing that the program wrote.

The forms that are looked for are made here anew, so that what the program forgets to hide is found all the same.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PIECE: Final = 12  # so much of a canary is a leak too: what is cut off, or broken over two pages of a database
STEP: Final = 4
LINE_MIN: Final = 16
BASE64: Final = "base64"
HEX: Final = "hex"


def a_pem_key() -> str:
    """Return a fresh elliptic-curve key as venues hand it out."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def leaks(paths: Iterable[Path], canaries: Iterable[str]) -> list[str]:
    """Return where a canary, or a part of 16 characters or more of it, stands in these files and folders, in any form.

    One line a find: the file, which canary in the order given, the form, the place. No line repeats the canary itself.
    Upper and lower case count as the same. An empty list also comes of files that are empty: look that they are not.
    """
    pieces = {piece: (n, form) for n, canary in enumerate(canaries) for form, piece in _pieces(canary)}
    found = []
    for path in paths:
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            text = file.read_bytes().lower()
            hits: dict[tuple[int, str], int] = {}
            for at in range(0, len(text), STEP):
                what = pieces.get(text[at : at + PIECE]) or pieces.get(text[at : at + 2 * PIECE])
                if what is not None:
                    hits.setdefault(what, at)
            found += [f"{file}: canary {n}, {form}, at byte {at}" for (n, form), at in hits.items()]
    return found


def _pieces(canary: str) -> Iterator[tuple[str, bytes]]:
    """Yield every piece of every form, from wherever in it: the texts are looked at in steps."""
    for name, form in forms(canary).items():
        raw = form.encode().lower()
        raw = raw[4:-4] if BASE64 in name else raw  # its first and last digits are shared with what stands around it
        length = 2 * PIECE if HEX in name else PIECE  # two digits for each character
        yield from ((name, raw[at : at + length]) for at in range(len(raw) - length + 1))


def forms(canary: str) -> Mapping[str, str]:
    """Return how a canary may be written, by name. Of a PEM text only the body's long lines are secret."""
    lines = [line for line in canary.splitlines() if not line.startswith("-----") and len(line) >= LINE_MIN]
    texts = lines if len(canary.splitlines()) > 1 else [canary]
    return {f"{name} {n}": form for n, text in enumerate(texts) for name, form in _forms(text)}


def _forms(text: str) -> Iterator[tuple[str, str]]:
    raw = text.encode()
    yield "plain", text
    yield "reversed", text[::-1]
    yield "percent-encoded", quote(text, safe="")
    yield "percent-encoded twice", quote(quote(text, safe=""), safe="")
    yield "in JSON", json.dumps(text)[1:-1]
    yield HEX, raw.hex()
    for before in range(3):  # base64 of a longer text: its digits depend on where ours begins
        yield f"{BASE64} after {before}", base64.b64encode(bytes(before) + raw).decode()
        yield f"urlsafe {BASE64} after {before}", base64.urlsafe_b64encode(bytes(before) + raw).decode()


def a_key_file(folder: Path, values: Mapping[str, str]) -> Path:
    """Return a key file with these values, as `key_file` wants it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "trader.key"
    lines = [f'{name} = """{value}"""' for name, value in values.items()]
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as out:
        out.write("\n".join(lines) + "\n")
    return path
