"""The command palette: the same bindings as on the keys, found by their words."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any, NamedTuple

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from tui.screens.help import nodes_of
from tui.widgets.live_table import MOVES


class Offer(NamedTuple):
    """One action that can be taken now."""

    node: DOMNode
    binding: Binding
    key: str

    @property
    def words(self) -> str:
        return self.binding.description

    @property
    def more(self) -> str:
        return f"{self.key}  {self.binding.tooltip}".rstrip()


class Commands(Provider):
    """Offers every bound action that can be taken now, on any panel."""

    def offers(self) -> Iterator[Offer]:
        """Return the actions that are on, each once."""
        seen: set[tuple[int, str]] = set()
        for node in nodes_of(self.screen):
            for bindings in node._bindings.key_to_bindings.values():
                for binding in bindings:
                    place = (id(node), binding.action)
                    if not _is_worth_a_line(binding) or place in seen or not _is_on(node, binding):
                        continue
                    seen.add(place)
                    yield Offer(node, binding, self.app.get_key_display(binding))

    async def discover(self) -> Hits:
        for offer in self.offers():
            yield DiscoveryHit(offer.words, self._take(offer), help=offer.more)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for offer in self.offers():
            score = matcher.match(offer.words)
            if score > 0:
                yield Hit(score, matcher.highlight(offer.words), self._take(offer), text=offer.words, help=offer.more)

    def _take(self, offer: Offer) -> partial[Coroutine[Any, Any, bool]]:
        return partial(self.app.run_action, offer.binding.action, offer.node)


def _is_worth_a_line(binding: Binding) -> bool:
    """Say whether somebody would look for it by its name: what has no id is not ours, and moves have their keys."""
    return binding.id is not None and bool(binding.description) and binding.group is not MOVES


def _is_on(node: DOMNode, binding: Binding) -> bool:
    name, _, argument = binding.action.partition("(")
    parameters = (argument.rstrip(")"),) if argument else ()
    return bool(node.check_action(name.rpartition(".")[2], parameters))
