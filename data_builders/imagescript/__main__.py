"""Build ImageScript and ImageDiff: `python -m data_builders.imagescript --out DIR --source ...`."""

from __future__ import annotations

import sys

import tyro

from data_builders.imagescript.build import build
from data_builders.imagescript.config import BuildConfig
from unipose.errors import UniPoseError


def main(config: BuildConfig) -> None:
    """Build the data sets, and say what they hold; our errors become one line."""
    try:
        sys.stdout.write(build(config) + "\n")
    except UniPoseError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(tyro.cli(BuildConfig, description=__doc__))
