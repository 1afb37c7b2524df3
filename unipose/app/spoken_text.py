"""What is said in one turn, piece by piece."""

from __future__ import annotations

from unipose.language.call_loop import TextCallback


class SpokenText:
    """Collects what is said; passes it on; puts parts on lines of their own."""

    def __init__(self, on_text: TextCallback | None) -> None:
        self._on_text = on_text
        self.text = ""
        self.part_has_text = False
        self._break = False

    def __call__(self, piece: str) -> None:
        """Add a piece of text, and pass it on."""
        if not piece:
            return
        if self._break and self.text:
            piece = "\n" + piece.lstrip()
        self._break = False
        self.part_has_text |= bool(piece.strip())
        self.text += piece
        if self._on_text is not None:
            self._on_text(piece)

    def part(self) -> None:
        """Begin a new part: what comes next stands on a line of its own."""
        self.part_has_text = False
        self._break = True
