"""The .obj we write is the posed surface, and holds one pose only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.errors import FileError, MissingFileError
from unipose.files.obj import write_obj


def bent(count: int = 1) -> Pose:
    axis_angle = torch.zeros(count, 24, 3)
    axis_angle[:, 4, 0] = 1.1
    return Pose.from_axis_angle(axis_angle, translation=torch.ones(count, 3))


def test_another_program_reads_the_posed_surface(tmp_path: Path) -> None:
    body = load_body()
    read = trimesh.load(write_obj(bent(), tmp_path / "bent.obj", body), process=False)
    expected = body.mesh(bent()).vertices[0].numpy()
    np.testing.assert_allclose(read.vertices, expected, atol=1e-6)
    assert (read.faces == body.faces.numpy()).all()


def test_a_sequence_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"holds one pose, these are 2.*animated \.glb"):
        write_obj(bent(2), tmp_path / "two.obj", load_body())


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="folder does not exist"):
        write_obj(bent(), tmp_path / "nowhere" / "one.obj", load_body())
