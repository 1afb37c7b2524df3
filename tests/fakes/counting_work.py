"""Long work that only counts, and goes on where it was."""

from __future__ import annotations

import sys

from unipose.app.server.long_work import Command, WorkFolder

COUNTED = 20
_COUNTER = """
import json, os, sys, time
from pathlib import Path
parent = os.getppid()
out, progress = Path(sys.argv[1]) / "count.txt", Path(os.environ["UNIPOSE_PROGRESS"])
begin = int(out.read_text()) if out.exists() else 0
with (out.parent / "begun.txt").open("a") as begun:
    begun.write(f"{begin}\\n")
for number in range(begin, COUNTED):
    if os.getppid() != parent:
        sys.exit("whoever started this has gone")
    temporary = progress.with_suffix(".new")
    temporary.write_text(json.dumps({"doing": "counting", "done": number, "of": COUNTED}))
    temporary.replace(progress)
    temporary = out.with_suffix(".new")
    temporary.write_text(str(number + 1))
    temporary.replace(out)
    time.sleep(float(sys.argv[2]))
""".replace("COUNTED", str(COUNTED))


def counting(pause_s: float) -> Command:
    """Return the command that counts, with a pause after each number."""

    def command(folder: WorkFolder) -> list[str]:
        return [sys.executable, "-S", "-c", _COUNTER, str(folder.path / "out"), str(pause_s)]

    return command
