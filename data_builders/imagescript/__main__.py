"""Build ImageScript and ImageDiff: `python -m data_builders.imagescript --out DIR --source ...`."""

from __future__ import annotations

import sys

import tyro

from data_builders.imagescript.build import build
from data_builders.imagescript.config import BuildConfig
from unipose.errors import UniPoseError

if __name__ == "__main__":
    try:
        print(build(tyro.cli(BuildConfig, description=__doc__)))
    except UniPoseError as error:
        sys.exit(f"error: {error}")
