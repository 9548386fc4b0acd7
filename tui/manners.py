"""How the program speaks out of turn: it lets a question be answered first, and says why a key does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.app import App
from textual.dom import DOMNode
from textual.notifications import Notify
from textual.screen import ModalScreen

from tui.herald import Patience

if TYPE_CHECKING:
    from textual.actions import ActionParseResult


class WellSpoken(App[int]):
    """A program whose passing messages wait while something is asked, and whose keys are never silent without a reason."""

    def __init__(self) -> None:
        self._patience = Patience()
        super().__init__()

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key says. One that does nothing now says why, where its owner has a `why_not(action)`."""
        if await super().run_action(action, default_namespace, namespaces):
            return True
        explain = getattr(default_namespace, "why_not", None)
        why = str(explain(action)) if explain is not None else ""
        if why:
            self.notify(why, severity="warning", markup=False)
        return bool(why)

    def on_notify(self, event: Notify) -> None:
        """Let what comes while something is asked wait until it is answered: it would cover the question."""
        if isinstance(self.screen, ModalScreen):
            self._patience.hold(event.notification)
            event.prevent_default()

    def _refresh_notifications(self) -> None:
        """Draw the passing messages, never over a question; those that waited for its answer come after it."""
        if not self.screen_stack or isinstance(self.screen, ModalScreen):
            return
        super()._refresh_notifications()
        for one in self._patience.release():
            self.notify(one.message, title=one.title, severity=one.severity, timeout=one.timeout, markup=one.markup)
