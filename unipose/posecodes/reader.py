"""Reading of texts, both kinds: descriptions become statements, instructions become changes."""

from __future__ import annotations

from unipose.posecodes.change_reader import ChangeReading, read_change_text, read_changes
from unipose.posecodes.statement_reader import ReadStatements, read, read_statements

__all__ = [
    "ChangeReading",
    "ReadStatements",
    "read",
    "read_change_text",
    "read_changes",
    "read_statements",
]
