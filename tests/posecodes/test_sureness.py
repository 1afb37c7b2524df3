"""Which answers hang on what the eyes are off by."""

from __future__ import annotations

import pytest

from unipose.app.examples import example_pose
from unipose.posecodes.calls import read_call
from unipose.posecodes.questions import answer_call, show_pose
from unipose.posecodes.sureness import hangs_on_eyes


@pytest.mark.parametrize(
    ("call", "hangs"),
    [
        ("> check bent left knee", False),  # by 110 degrees
        ("> check near left hand left knee", False),
        ("> which higher hands", True),  # level
        ("> measure angle left knee", True),
        ("> where left hand", True),
        ("> touching", True),  # judged within centimetres
        ("> assess squat", True),
        ("> which weight feet", True),
        ("> unknown clothes", False),
    ],
)
def test_an_answer_without_a_margin_is_never_called_sure(call: str, hangs: bool):
    found = answer_call(read_call(call), [show_pose(example_pose("squat"))])
    assert hangs_on_eyes(found) is hangs
