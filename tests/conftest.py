"""How the laws are tested: the same examples every time, and on request others, in search of what nobody thought of.

A gate that draws new examples at each run refuses a change for what another change did. So `make test` always tries
the same ones, and `make hunt` others, ten times as many where a test does not say how many; what it finds becomes a
test of its own.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("hunt", max_examples=1_000, deadline=None, print_blob=True)
settings.load_profile("same")
