"""How a pose is printed."""

from __future__ import annotations

import torch

from unipose.body.pose import Pose


def test_a_pose_is_printed_in_one_line():
    still = Pose.from_axis_angle(torch.zeros(3, 24, 3))
    assert repr(still) == "Pose(3 poses, body 'open')"
    shaped = Pose.from_axis_angle(torch.zeros(1, 24, 3), betas=torch.zeros(1, 10))
    assert repr(shaped) == "Pose(1 pose, betas, body 'open')"
