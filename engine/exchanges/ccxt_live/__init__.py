"""Real accounts: any venue that ccxt speaks to, behind the same contract as the paper exchange."""

from engine.exchanges.ccxt_live.account import CcxtAccount
from engine.exchanges.ccxt_live.kind import make_ccxt
from engine.exchanges.ccxt_live.quirks import QUIRKS, quirk_of

__all__ = ["QUIRKS", "CcxtAccount", "make_ccxt", "quirk_of"]
