"""Families: classes that register themselves by name when their file is imported."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to members of one family. A file in the family's package is all that a new member needs."""

    def __init__(self, what: str, package: str) -> None:
        self._what, self._package = what, package
        self._members: dict[str, T] = {}
        self._loaded = False

    def add(self, name: str) -> Callable[[T], T]:
        """Return the decorator that registers a member. A name can be taken once."""

        def register(member: T) -> T:
            if self._members.setdefault(name, member) is not member:
                raise ValueError(f"two members of {self._what} are called {name!r}")
            return member

        return register

    def load(self) -> None:
        """Import every file of the package, in the order of their names."""
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self._package)
        for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            importlib.import_module(f"{self._package}.{found.name}")

    def get(self, name: str) -> T:
        """Return the member called `name`. Raises KeyError that names the known ones."""
        self.load()
        try:
            return self._members[name]
        except KeyError:
            known = ", ".join(sorted(self._members)) or "none"
            raise KeyError(f"no {self._what} is called {name!r}; known: {known}") from None

    def names(self) -> list[str]:
        self.load()
        return sorted(self._members)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        self.load()
        return iter(sorted(self._members.items()))
