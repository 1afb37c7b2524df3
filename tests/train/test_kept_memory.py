"""Memory that a training process freed is there for its next step."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from train.kept_memory import SETTINGS, keep_memory

FAULTS = """
import resource, sys
from train.kept_memory import keep_memory

kept = keep_memory() if sys.argv[1] == "kept" else False
for step in range(21):
    if step == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(64_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""Allocates and frees 64 MB, as steps do, and prints how often the system had to give a page."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_a_step_takes_the_memory_that_the_last_one_freed():
    found = {}
    for how in ("kept", "given back"):
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True,
            env={name: value for name, value in os.environ.items() if name not in SETTINGS},
        )  # fmt: skip
        found[how] = done.stdout.split()
    if found["kept"][0] != "True":
        pytest.skip("no glibc here")
    assert int(found["kept"][1]) * 20 < int(found["given back"][1])


def test_settings_of_the_environment_hold():
    assert not keep_memory({"GLIBC_TUNABLES": "glibc.malloc.mmap_max=1"})
