"""How often somebody may ask: an allowance that is spent at once and comes back evenly, and whose allowance it is."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60.0
_IPV6_NETWORK_BITS: Final = 64  # one customer has at least as many addresses as that leaves


@dataclass(frozen=True, slots=True)
class Allowance:
    """What was left of a minute's allowance at `at`, in seconds on a clock that never runs backwards."""

    left: float
    at: float


def draw(known: Allowance | None, per_min: int, now: float) -> tuple[Allowance, float]:
    """Take one of `per_min` a minute; returns what is left, and 0.0 if it was taken, else the seconds to wait for it.

    None is an allowance that nobody has touched. Who is refused has taken nothing.
    """
    left = remaining(known, per_min, now)
    if left >= 1.0:
        return Allowance(left - 1.0, now), 0.0
    return Allowance(left, now), (1.0 - left) * MINUTE_S / per_min


def remaining(known: Allowance | None, per_min: int, now: float) -> float:
    """Return how many may be taken at `now`: at most `per_min`, and a part of one counts."""
    if known is None:
        return float(per_min)
    return min(float(per_min), known.left + max(0.0, now - known.at) * per_min / MINUTE_S)


def client_of(address: str) -> str:
    """Return who shares one allowance: an IPv4 address, or the network of an IPv6 address. What is neither is itself."""
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(given, ipaddress.IPv4Address):
        return str(given)
    if given.ipv4_mapped is not None:
        return str(given.ipv4_mapped)
    if given.is_loopback:
        return str(given)
    return str(ipaddress.ip_network((given, _IPV6_NETWORK_BITS), strict=False))
