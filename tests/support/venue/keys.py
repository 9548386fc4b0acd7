"""The venue's API keys. All of them are made for tests and open nothing but this venue."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ACCOUNTS: Final = ("main", "second")


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `secret` is what the client signs with; `account` whose it is."""

    name: str
    secret: str
    account: str

    @property
    def is_private_key(self) -> bool:
        return self.secret.startswith("-----BEGIN")

    def public(self) -> ec.EllipticCurvePublicKey:
        """Return what the venue keeps of a private key."""
        loaded = serialization.load_pem_private_key(self.secret.encode(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey), "the venue makes no other keys"
        return loaded.public_key()


class Keyring:
    """The keys that a venue takes; none while `revoked`."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self.revoked = False
        self._keys = {key.name: key for key in keys}

    def get(self, name: str) -> Key | None:
        """Return the key of this name, if it is taken."""
        return None if self.revoked else self._keys.get(name)

    def all(self) -> tuple[Key, ...]:
        """Return every key, revoked or not."""
        return tuple(self._keys.values())


def keys_for(venue: str) -> tuple[Key, ...]:
    """Return a venue's test keys: one per account and form, those of the first account first."""
    return tuple(key for account in ACCOUNTS for key in _MAKERS[venue](account))


def _binance(account: str) -> tuple[Key, ...]:
    return (Key(f"binance-{account}-key", f"binance-{account}-secret", account),)


def _kraken(account: str) -> tuple[Key, ...]:
    return (Key(f"kraken-{account}-key", base64.b64encode(f"kraken-{account}-secret".encode()).decode(), account),)


def _coinbase(account: str) -> tuple[Key, ...]:
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return (
        Key(f"organizations/tests/apiKeys/{account}", pem.decode(), account),
        Key(f"coinbase-{account}-key", f"coinbase-{account}-secret", account),  # the older form, signed by HMAC
    )


_MAKERS: Final = {"binance": _binance, "kraken": _kraken, "coinbase": _coinbase}
