"""Read numbers from text files piece by piece, and say where one is none."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase, BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unipose.errors import FileError, MissingFileError
from unipose.file_signatures import UTF_16

CHUNK_BYTES = 1 << 20
LONGEST_LINE_BYTES = 1 << 16
LARGEST_NUMBER = 1e7
"""Angles in degrees and positions in file units stay far below; larger ones are damage."""


def open_for_reading(path: str | Path) -> BufferedReader:
    """Open a file to read bytes; what is not there or is no file is an error."""
    path = Path(path)
    if path.is_dir():
        raise FileError(path, "is a folder, not a file.", "Name a file in it.")
    if path.exists() and not path.is_file():
        raise FileError(path, "is not an ordinary file.")
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise MissingFileError(path, "there is no such file.") from error
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot be read ({error}).") from error


def read_bytes(path: str | Path, *, largest_bytes: int) -> bytes:
    """Return what a file holds; raises as `open_for_reading`, and if it is larger than that."""
    path = Path(path)
    with open_for_reading(path) as file:
        size = path.stat().st_size
        if size > largest_bytes:
            raise FileError(path, f"has {size:,} bytes, more than {largest_bytes:,}.")
        return file.read()


def open_text(path: str | Path) -> BufferedIOBase:
    """Open a text file to read bytes; UTF-16 with a byte order mark is read as UTF-8."""
    file = open_for_reading(path)
    if not file.peek(2).startswith(UTF_16):
        return file
    with file:
        return BytesIO(file.read().decode("utf-16", errors="replace").encode())


def read_line(file: BufferedIOBase, path: Path) -> str | None:
    """Return the next line without its end, None at the end of the file; UTF-8, else Latin-1."""
    line = file.readline(LONGEST_LINE_BYTES)
    if not line:
        return None
    if len(line) == LONGEST_LINE_BYTES:
        raise FileError(path, f"has a header line of over {LONGEST_LINE_BYTES} bytes.")
    try:
        return line.decode().strip()
    except UnicodeDecodeError:
        return line.decode("latin-1").strip()


def read_tokens(file: BufferedIOBase) -> Iterator[list[bytes]]:
    """Yield the words of the rest of a file, a megabyte at a time; no word is cut in two."""
    rest = b""
    while chunk := file.read(CHUNK_BYTES):
        chunk = rest + chunk
        whole = max(chunk.rfind(b"\n"), chunk.rfind(b" "), chunk.rfind(b"\t")) + 1
        rest = chunk[whole:]
        if len(rest) > LONGEST_LINE_BYTES:  # no number is that long
            yield [rest[:40]]
            return
        yield chunk[:whole].split()
    if rest:
        yield rest.split()


def parse_numbers(tokens: list[bytes], path: Path, where: str) -> Float[np.ndarray, "token"]:
    """Return `tokens` as numbers; one that is no ordinary number is an error with its place.

    Where no token has a point, a comma is the decimal one: "0,5" is 0.5.
    """
    try:
        numbers = np.fromiter(map(float, tokens), dtype=np.float64, count=len(tokens))
    except ValueError:
        bad = next(token for token in tokens if not _is_number(token))
        if bad.count(b",") == 1 and not any(b"." in token for token in tokens):
            return parse_numbers([token.replace(b",", b".") for token in tokens], path, where)
        raise FileError(path, f"{where}: expected a number, found {_shown(bad)}.") from None
    if not np.all(np.abs(numbers) < LARGEST_NUMBER):
        bad = tokens[int(np.argmin(np.abs(numbers) < LARGEST_NUMBER))]
        raise FileError(path, f"{where}: {_shown(bad)} is not a usable number.")
    return numbers


def _is_number(token: bytes) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _shown(token: bytes) -> str:
    return repr(token[:40].decode("latin-1"))
