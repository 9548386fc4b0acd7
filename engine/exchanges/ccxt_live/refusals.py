"""Which answers prove that a venue did not take an order, by the venue's own codes. Everything else proves nothing.

ccxt's error classes are not asked: several venues' codes fall into one class, and a page of a proxy falls into it too.
A text that begins with a key of a table means the kind beside it; the longest key wins. None says: known, and no proof.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.core.errors import RefusalKind
from engine.redaction import REDACT

_K = RefusalKind
Codes = Mapping[str, RefusalKind | None]
# A refusal in these words may be about an earlier copy of the order, which is then live: whatever code it comes under,
# it proves nothing.
_OF_A_TWIN: Final = re.compile(r"duplicat|unique|already|exist|repeat|cl_?ord_?id|client_?order_?id", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusals:
    """One venue's definite refusals.

    `texts` returns the venue's own error texts in a JSON body, as they are matched against `codes`; none means that the
    body states no error. `statuses` are HTTP statuses that its gate answers before anything is processed.
    """

    texts: Callable[[object], Sequence[str]]
    codes: Codes
    statuses: Mapping[int, RefusalKind] = field(default_factory=dict)

    def judge(self, status: int | None, body: object) -> tuple[RefusalKind, str] | None:
        """Return the refusal that a wholly read reply proves, with the venue's words; None if it proves none."""
        texts = self.texts(body)
        if texts:
            kinds = [self._kind(text) for text in texts]
            if any(kind is None for kind in kinds):
                return None  # one unknown word is enough to doubt all of them
            assert kinds[0] is not None
            return kinds[0], REDACT.line("; ".join(texts), 200)
        if status is not None and status in self.statuses:
            return self.statuses[status], f"HTTP {status}"
        return None

    def _kind(self, text: str) -> RefusalKind | None:
        if _OF_A_TWIN.search(text):
            return None
        matching = [key for key in self.codes if text.startswith(key)]
        return self.codes[max(matching, key=len)] if matching else None


def _binance_texts(body: object) -> Sequence[str]:
    if not isinstance(body, Mapping) or "code" not in body or "msg" not in body:
        return ()
    return (f"{body['code']} {body['msg']}",)


def _kraken_texts(body: object) -> Sequence[str]:
    errors = body.get("error") if isinstance(body, Mapping) else None
    return [str(e) for e in errors if not str(e).startswith("W")] if isinstance(errors, list) else ()


def _coinbase_texts(body: object) -> Sequence[str]:
    if not isinstance(body, Mapping):
        return ()
    refused = body.get("error_response")
    if isinstance(refused, Mapping):
        words = (refused.get(k) for k in ("new_order_failure_reason", "preview_failure_reason", "error"))
        # The first word that says something; the vague ones fill the other fields.
        telling = [str(w) for w in words if w and not str(w).startswith("UNKNOWN")]
        return telling[:1] or (str(refused.get("error") or "UNKNOWN"),)
    if isinstance(body.get("error"), str):
        return (str(body["error"]),)
    return ()


def _plain_texts(body: object) -> Sequence[str]:
    """A venue whose forms nobody has verified: no text of its is matched, so nothing it says is a refusal."""
    return ("unverified",) if body is not None else ()


BINANCE: Final = Refusals(
    _binance_texts,
    {
        "-1002 ": _K.AUTH,
        "-1003 ": _K.RATE,
        "-1013 ": _K.SIZE,  # a filter: price, lot size, notional
        "-1014 ": _K.OTHER,  # unknown order composition
        "-1015 ": _K.RATE,  # too many orders
        "-1021 ": _K.CLOCK,  # outside of the recvWindow
        "-1022 ": _K.AUTH,
        "-1100 ": _K.OTHER,
        "-1101 ": _K.OTHER,
        "-1102 ": _K.OTHER,
        "-1103 ": _K.OTHER,
        "-1104 ": _K.OTHER,
        "-1105 ": _K.OTHER,
        "-1106 ": _K.OTHER,
        "-1111 ": _K.SIZE,  # too precise
        "-1112 ": _K.MAINTENANCE,  # an empty book
        "-1114 ": _K.OTHER,
        "-1115 ": _K.OTHER,
        "-1116 ": _K.OTHER,
        "-1117 ": _K.OTHER,
        "-1121 ": _K.SYMBOL,
        "-1130 ": _K.OTHER,
        "-2010 ": _K.OTHER,  # the matching engine said no
        "-2010 Account has insufficient balance": _K.FUNDS,
        "-2010 Market is closed": _K.MAINTENANCE,
        "-2010 This action is disabled": _K.AUTH,
        "-2010 This symbol is not permitted": _K.SYMBOL,
        "-2014 ": _K.AUTH,
        "-2015 ": _K.AUTH,
    },
    {418: _K.RATE, 429: _K.RATE},
)

KRAKEN: Final = Refusals(
    _kraken_texts,
    {
        "EAPI:Invalid key": _K.AUTH,
        "EAPI:Invalid nonce": None,  # a request that was carried twice is refused so the second time
        "EAPI:Invalid signature": _K.AUTH,
        "EAPI:Rate limit exceeded": _K.RATE,
        "EAccount:Invalid permissions": _K.AUTH,
        "EGeneral:Invalid arguments": _K.OTHER,
        "EGeneral:Permission denied": _K.AUTH,
        "EGeneral:Temporary lockout": _K.RATE,
        "EOrder:Cost minimum not met": _K.SIZE,
        "EOrder:Insufficient funds": _K.FUNDS,
        "EOrder:Invalid price": _K.SIZE,
        "EOrder:Minimum volume": _K.SIZE,
        "EOrder:Order minimum not met": _K.SIZE,
        "EOrder:Orders limit exceeded": _K.RATE,
        "EOrder:Rate limit exceeded": _K.RATE,
        "EOrder:Tick size check failed": _K.SIZE,
        "EOrder:Trading agreement required": _K.AUTH,
        "EQuery:Unknown asset pair": _K.SYMBOL,
        "EService:Deadline elapsed": _K.DEADLINE,
        "EService:Market in cancel_only mode": _K.MAINTENANCE,
        "EService:Market in limit_only mode": _K.MAINTENANCE,
        "EService:Market in post_only mode": _K.MAINTENANCE,
        "ETrade:Invalid request": _K.OTHER,
    },
    {429: _K.RATE},
)

COINBASE: Final = Refusals(
    _coinbase_texts,
    {
        "COMMANDER_REJECTED_NEW_ORDER": _K.OTHER,
        "INELIGIBLE_PAIR": _K.SYMBOL,
        "INSUFFICIENT_FUND": _K.FUNDS,
        "INVALID_ARGUMENT": _K.OTHER,
        "INVALID_LIMIT_PRICE": _K.SIZE,
        "INVALID_NO_LIQUIDITY": _K.MAINTENANCE,
        "INVALID_ORDER_CONFIG": _K.OTHER,
        "INVALID_PRICE_PRECISION": _K.SIZE,
        "INVALID_PRODUCT_ID": _K.SYMBOL,
        "INVALID_REQUEST": _K.OTHER,
        "INVALID_SIDE": _K.OTHER,
        "INVALID_SIZE_PRECISION": _K.SIZE,
        "ORDER_ENTRY_DISABLED": _K.MAINTENANCE,
        "PERMISSION_DENIED": _K.AUTH,
        "PREVIEW_INSUFFICIENT_FUND": _K.FUNDS,
        "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL": _K.SIZE,
        "PREVIEW_INVALID_PRICE_PRECISION": _K.SIZE,
        "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL": _K.SIZE,
        "PREVIEW_INVALID_SIZE_PRECISION": _K.SIZE,
        "UNAUTHENTICATED": _K.AUTH,
        "UNSUPPORTED_ORDER_CONFIGURATION": _K.OTHER,
        "rate_limit_exceeded": _K.RATE,
        "unauthorized": _K.AUTH,
        "invalid_signature": _K.AUTH,
        "invalid_token": _K.AUTH,
        "expired_token": _K.CLOCK,
    },
    {401: _K.AUTH, 429: _K.RATE},
)

UNVERIFIED: Final = Refusals(_plain_texts, {})
