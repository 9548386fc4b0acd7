"""Coinbase's two ways of proving who asks: a signed token that expires, or the older signature with a time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.venue.keys import Key, Keyring
from tests.support.venue.wire import Call

TIMESTAMP_S_MAX: Final = 30
TOKEN_S_MAX: Final = 120


class Untrusted(Exception):
    """The request proves nothing; the text says why, for whoever debugs a test."""


def owner(call: Call, keys: Keyring, now_s: float | None) -> Key:
    """Return the key that signed. `now_s` None leaves out the times: they count only on arrival. Raises Untrusted."""
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind == "Bearer":
        return _by_token(token, call, keys, now_s)
    return _by_signature(call, keys, now_s)


def _by_signature(call: Call, keys: Keyring, now_s: float | None) -> Key:
    key, at = keys.get(call.headers.get("cb-access-key", "")), call.headers.get("cb-access-timestamp", "")
    if key is None or key.is_private_key:
        raise Untrusted("no such key")
    # The newer paths are signed without their query.
    target = call.path if call.path.startswith("/api/v3") else call.target
    made = hmac.new(key.secret.encode(), f"{at}{call.method}{target}{call.body}".encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(made, call.headers.get("cb-access-sign", "")):
        raise Untrusted("invalid signature")
    if now_s is not None and (not at.isdigit() or abs(now_s - int(at)) > TIMESTAMP_S_MAX):
        raise Untrusted("request timestamp expired")
    return key


def _by_token(token: str, call: Call, keys: Keyring, now_s: float | None) -> Key:
    try:
        head, claims, signature = token.split(".")
        header, said = _part(head), _part(claims)
        key, raw = keys.get(str(said["sub"])), _raw(signature)
        if key is None or not key.is_private_key or header.get("kid") != key.name or header.get("alg") != "ES256":
            raise Untrusted("no such key")
        whole = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        key.public().verify(whole, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        begins, ends, uri = float(said["nbf"]), float(said["exp"]), str(said["uri"])
    except InvalidSignature:
        raise Untrusted("invalid signature") from None
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise Untrusted("malformed token") from None
    # ccxt cuts off "https://" alone, so over plain HTTP the scheme stands before the host.
    named = uri.replace("http://", "")
    if named != f"{call.method} {call.headers.get('host', '')}{call.path}":
        raise Untrusted(f"token is for {uri}")
    if now_s is not None and not (begins <= now_s < ends and ends - begins <= TOKEN_S_MAX):
        raise Untrusted("token is not valid now")
    return key


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _part(text: str) -> dict[str, Any]:
    found = json.loads(_raw(text))
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - a malformed token, whatever its type
    return found
