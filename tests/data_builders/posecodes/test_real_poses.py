"""Over twenty thousand recorded poses nothing false is said, and all of it is read back."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from data_builders.mocap import read_manifest
from data_builders.posecodes.captions import (
    CaptionOptions,
    write_captions_with_codes,
    write_three_captions,
)
from data_builders.posecodes.modifiers import write_three_modifiers
from unipose.body.body import load_body
from unipose.body.facing import face_front
from unipose.body.kinematics import forward_kinematics
from unipose.body.skeletons import POSED_JOINTS
from unipose.posecodes.changes import MeasuredPair
from unipose.posecodes.head import head_angles
from unipose.posecodes.joints import whole_turns
from unipose.posecodes.measure import Measured
from unipose.posecodes.reader import read, read_change_text

COUNT = 20_000
OPTIONS = CaptionOptions(
    extras=frozenset({"lying", "lean", "head"}), eligible="statistics", idle="mined", pronouns=True
)
SWAP = {"left": "right", "right": "left"}


@pytest.fixture(scope="module")
def recorded(mocap_folder) -> tuple[np.ndarray, np.ndarray]:
    """Rotations as recorded, and joints turned to the front with their tilt, of 20,000 poses."""
    rows = [r.open(fps=12.0).rotations[:, :POSED_JOINTS] for r in read_manifest(mocap_folder)]
    rotations = torch.cat(rows).float()
    chosen = np.random.default_rng(0).permutation(len(rotations))[:COUNT]
    assert len(chosen) == COUNT
    rotations = rotations[np.sort(chosen)]
    return rotations.numpy(), forward_kinematics(
        face_front(rotations), load_body().rest_joints
    ).numpy()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_caption_of_a_recorded_pose_says_anything_false(recorded):
    rotations, joints = recorded
    measured = Measured(joints, head=head_angles(rotations))
    known: dict = {}
    false = told = 0
    rows = write_three_captions(measured, seed=1, indices=range(COUNT), options=OPTIONS)
    for i, three in enumerate(rows):
        for text, codes in three:
            reading = read(text)
            assert (reading.unread, set(reading.statements)) == ([], codes), text
            for said in reading.statements:
                if said not in known:
                    known[said] = measured.holds(said.recipes)
                told, false = told + 1, false + (not known[said][i])
    assert told > 20 * COUNT
    assert false == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_instruction_between_recorded_poses_asks_for_what_did_not_happen(recorded):
    rotations, joints = recorded
    later = np.minimum(np.arange(COUNT) + 4, COUNT - 1)
    turns = whole_turns(rotations[:, 0], rotations[later, 0])
    pair = MeasuredPair(joints, joints[later], turns=turns)
    known: dict = {}
    false = told = 0
    rows = write_three_modifiers(joints, joints[later], seed=2, indices=range(COUNT), turns=turns)
    for i, three in enumerate(rows):
        for text, changes in three:
            reading = read_change_text(text)
            assert (reading.unread, set(reading.changes)) == ([], changes), text
            for change in reading.changes:
                if change not in known:
                    known[change] = pair.holds(change)
                told, false = told + 1, false + (not known[change][i])
    assert told > 3 * COUNT
    assert false == 0


def test_a_caption_with_left_and_right_exchanged_says_the_mirror_image(poses):
    rows = write_captions_with_codes(poses(60, 81), seed=3, indices=range(60), style="full")
    for text, codes in rows:
        swapped = re.sub(r"\b(left|right)\b(?! angle)", lambda m: SWAP[m[1]], text)
        assert set(read(swapped).statements) == {said.mirrored() for said in codes}, swapped
