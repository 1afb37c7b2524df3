"""A studio of made-up movements and some of its pictures."""

from __future__ import annotations

import pytest

from data_builders.studio import Studio
from tests.fakes.studio import make_studio


@pytest.fixture(scope="session")
def studio() -> Studio:
    return make_studio()


@pytest.fixture(scope="session")
def images(studio):
    return [studio.sample(index) for index in range(16)]
