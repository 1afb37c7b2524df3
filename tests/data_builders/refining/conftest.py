"""The stick figure of the posecode tests, here too."""

from __future__ import annotations

from tests.posecodes.conftest import mirror, pairs, posed, poses

__all__ = ["mirror", "pairs", "posed", "poses"]
