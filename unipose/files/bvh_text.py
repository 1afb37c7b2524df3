"""The text of a BVH file in which some numbers are replaced and every other byte stays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Int

from unipose.errors import FileError
from unipose.file_signatures import UTF_16
from unipose.files.atomic import written_whole
from unipose.files.bvh import find_numbers
from unipose.files.number_style import NumberStyle, number_style
from unipose.files.numbers import open_for_reading

STYLE_FRAMES = 64
"""From so many frames, evenly spread, it is told how a file writes its numbers."""
_WORD = re.compile(rb"\S+")


@dataclass(frozen=True, kw_only=True, eq=False)
class BvhText:
    """A BVH file as its bytes, and where each number of its motion stands in them."""

    path: Path
    content: bytes
    encoding: str | None
    """"utf-16-le" or "utf-16-be" if the file is such; `content` is then UTF-8 without the mark."""
    kinds: tuple[str, ...]
    """Of each column: "position", "rotation" or "scale"."""
    spans: Int[np.ndarray, "number 2"]
    """Start and end in `content` of each number, frame by frame."""

    @classmethod
    def read(cls, path: str | Path) -> BvhText:
        """Read a BVH file; raises FileError for what is none, as `read_bvh` does."""
        path = Path(path)
        with open_for_reading(path) as file:
            raw = file.read()
        content, encoding = raw, None
        if raw.startswith(UTF_16):
            encoding = "utf-16-le" if raw.startswith(UTF_16[0]) else "utf-16-be"
            try:
                content = raw[2:].decode(encoding).encode()
            except UnicodeDecodeError as error:
                raise FileError(path, f"is damaged: no UTF-16 ({error.reason}).") from error
        start, kinds = find_numbers(BytesIO(content), path)
        edges = (edge for match in _WORD.finditer(content, start) for edge in match.span())
        spans = np.fromiter(edges, dtype=np.int64).reshape(-1, 2)
        return cls(path=path, content=content, encoding=encoding, kinds=tuple(kinds), spans=spans)

    def __len__(self) -> int:
        return len(self.spans) // len(self.kinds)

    def word(self, frame: int, column: int) -> str:
        """Return a number as the file writes it."""
        start, end = self.spans[frame * len(self.kinds) + column]
        return self.content[start:end].decode("latin-1")

    def replaced(self, numbers: Mapping[tuple[int, int], float]) -> bytes:
        """Return the file's bytes with other numbers at (frame, column), in its own format.

        Degrees and the file's own unit of length. A number that is written as the old one would be
        keeps the old one's text.
        """
        styles: dict[str, NumberStyle] = {}
        pieces: list[bytes] = []
        done = 0
        for (frame, column), number in sorted(numbers.items()):
            kind = self.kinds[column]
            style = styles.get(kind) or styles.setdefault(kind, self._style(kind))
            old, new = self.word(frame, column), style.write(number)
            if style.write(float(old.replace(",", "."))) == new:
                continue
            start, end = self.spans[frame * len(self.kinds) + column]
            pieces += [self.content[done:start], new.encode("ascii")]
            done = end
        content = b"".join([*pieces, self.content[done:]])
        if self.encoding is None:
            return content
        return "\ufeff".encode(self.encoding) + content.decode().encode(self.encoding)

    def write(self, out: str | Path, numbers: Mapping[tuple[int, int], float]) -> Path:
        """Write the file with other numbers; it appears whole or not at all."""
        content, out = self.replaced(numbers), Path(out)
        with written_whole(out) as temporary:
            temporary.write_bytes(content)
        return out

    def _style(self, kind: str) -> NumberStyle:
        columns = [column for column, its in enumerate(self.kinds) if its == kind]
        frames = np.unique(np.linspace(0, len(self) - 1, STYLE_FRAMES).astype(int))
        words = ([self.word(int(f), c) for c in columns] for f in frames)
        return number_style(chain.from_iterable(words))
