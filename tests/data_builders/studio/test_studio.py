"""Pictures are a function of their number; films keep their people; records carry it all on."""

from __future__ import annotations

import hashlib
import io
import multiprocessing

import numpy as np
import pytest
import torch
from PIL import Image

from data_builders.studio import StudioConfig, encode_jpeg, encode_png, studio_records
from data_builders.studio.block_random import BlockRandom
from data_builders.studio.config import DEBUG
from data_builders.studio.motions import mirror_words
from tests.fakes.studio import made_up_motions, make_studio
from unipose.body.keypoint_sets import COCO_WHOLEBODY_133
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError


def fingerprint(image) -> str:
    digest = hashlib.sha256(encode_jpeg(image.pixels))
    for array in (image.depth, image.instances, image.parts):
        digest.update(array.tobytes())
    for person in image.people:
        digest.update(person.whole_body_px.tobytes() + person.whole_body_seen.tobytes())
        digest.update(repr((person.phrases, person.contacts, person.label)).encode())
    return digest.hexdigest()


def fingerprint_elsewhere(index: int) -> str:
    return fingerprint(make_studio().sample(index))


def test_a_picture_is_the_same_in_any_order(studio, images):
    assert [fingerprint(studio.sample(i)) for i in (7, 2)] == [
        fingerprint(images[i]) for i in (7, 2)
    ]
    assert fingerprint(images[7]) != fingerprint(images[2])


@pytest.mark.slow
def test_a_picture_is_the_same_in_another_process(images):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(fingerprint_elsewhere, [4, 1]) == [fingerprint(images[i]) for i in (4, 1)]


def test_another_seed_gives_other_pictures(images):
    assert fingerprint(make_studio(seed=1).sample(3)) != fingerprint(images[3])


def test_a_mirrored_clip_is_the_other_hand():
    motions = made_up_motions()
    plain, mirrored = (
        motions.draw(BlockRandom(3), frames=1, fps=10.0, mirrored=side) for side in (False, True)
    )
    flip = np.array([-1.0, 1.0, 1.0])
    left, right = SMPL.index["left_elbow"], SMPL.index["right_elbow"]
    expected = plain.rotations[0, left] * flip[:, None] * flip
    np.testing.assert_allclose(mirrored.rotations[0, right], expected)
    assert plain.label == "wave with the left hand"
    assert mirrored.label == "wave with the right hand"


def test_left_and_right_are_exchanged_as_words_only():
    assert mirror_words("Left foot, right hand, upright") == "Right foot, left hand, upright"


def test_a_film_keeps_its_people_and_moves_its_camera():
    film = make_studio(frames=3, people=(0.0, 1.0)).film(0)
    first, last = film.frames[0], film.frames[-1]
    assert len(film.frames) == 3
    assert film.fps == 10.0
    for one, other in zip(first.people, last.people):
        assert np.array_equal(one.betas, other.betas)
        assert one.take == other.take
        assert not np.array_equal(one.joints, other.joints)
    away = (first.camera.position - last.camera.position).norm()
    assert float(away) > 1e-3


def test_a_record_holds_what_the_picture_knows(studio):
    pairs = list(studio_records(studio, range(3), split="val"))
    records = [record for _, some in pairs for record in some]
    assert records
    for record in records:
        assert record.source == "studio"
        assert record.split == "val"
        assert record.keypoints_2d.keypoint_set is COCO_WHOLEBODY_133
        assert set(record.keypoints_2d.scores[0].tolist()) <= {0.0, 0.5, 1.0}
        assert torch.equal(record.keypoints_2d.scores > 0, record.keypoints_2d.present)
        assert record.keypoints_3d.present.all()
    assert len({record.key for record in records}) == len(records)


def test_pictures_and_masks_become_files(images):
    with Image.open(io.BytesIO(encode_png(images[0].parts))) as mask:
        assert np.array_equal(np.asarray(mask), images[0].parts)
    with Image.open(io.BytesIO(encode_jpeg(images[0].pixels))) as picture:
        assert picture.size == (112, 96)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"people": (0.5, 0.4)}, "sum to 1"),
        ({"height_px": 8}, "at least 16 pixels"),
        ({"mirrored": 1.5}, "mirrored"),
        ({"frames": 0}, "frames at a rate"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(settings, problem):
    with pytest.raises(ConfigError, match=problem):
        StudioConfig(**settings)


def test_the_debug_preset_is_small():
    assert DEBUG.height_px * DEBUG.width_px <= 4096
