"""Retrieval models: sizes, what changes features and what does not, the loss, files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import roma
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

from data_builders.pose_pool import PosePool
from tests.fakes.retrieval import SENTENCES, TINY, tiny_retrieval
from unipose.body.pose import Pose
from unipose.errors import ConfigError, MissingFileError, PoseQueryError, WeightsError
from unipose.retrieval.model import (
    ROWS,
    RetrievalConfig,
    RetrievalModel,
    batch_based_classification,
)
from unipose.retrieval.words import learn_words


def poses(count: int, seed: int = 0) -> Pose:
    return Pose.from_rotations(PosePool.random(count, seed=seed).rotations)


def turned(pose: Pose, radians: float) -> Pose:
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, radians, 0.0]))
    rotations = pose.rotations.clone()
    rotations[:, 0] = turn @ rotations[:, 0]
    return replace(pose, rotations=rotations)


def test_features_have_length_1_and_the_configured_size():
    alone, pairs = tiny_retrieval("pose"), tiny_retrieval("pair")
    for features in (
        alone.embed_poses(poses(5)),
        alone.embed_texts(SENTENCES),
        pairs.embed_pairs(poses(5), poses(5, seed=1)),
    ):
        assert features.shape[1] == TINY.features
        torch.testing.assert_close(features.norm(dim=1), torch.ones(len(features)))


def test_the_published_pose_tower_spreads_the_joints_to_40_tokens_of_512():
    words = learn_words(SENTENCES, size=50)
    config = RetrievalConfig(words=words.get_vocab_size())
    model = RetrievalModel(config, words)
    seen = model.encoder(torch.zeros(2, 22, 6))
    assert seen.shape == (2, 512, 40)
    assert model.encode_pose([poses(2).rotations]).shape == (2, 512)
    assert model.read(*model.spell(["left arm", "the knee is bent"])).shape == (2, 512)
    assert model.scale.item() == 10.0
    assert not model.text.words.weight.requires_grad
    # lift, two spreading, halving, two residual blocks, projection; one less than the tokenizer's
    width = 512
    conv3, conv1, conv4 = (k * width**2 + width for k in (3, 1, 4))
    expected = 3 * 6 * width + width + 2 * conv3 + conv4 + 2 * (conv3 + conv1) + conv3
    assert sum(p.numel() for p in model.encoder.parameters()) == expected


def test_many_rows_give_what_each_gives_alone():
    model, many = tiny_retrieval("pose"), poses(ROWS + 3)
    features = model.embed_poses(many)
    torch.testing.assert_close(features[ROWS + 1 : ROWS + 2], model.embed_poses(many[ROWS + 1]))
    texts = [*SENTENCES, "left"]
    together = model.embed_texts(texts)
    for i, text in enumerate(texts):
        torch.testing.assert_close(together[i], model.embed_texts([text])[0])


def test_no_poses_give_no_features():
    empty = Pose(rotations=torch.zeros(0, 24, 3, 3))
    assert tiny_retrieval("pose").embed_poses(empty).shape == (0, TINY.features)


def test_words_are_filled_up_behind_and_counted():
    model = tiny_retrieval("pose")
    ids, lengths = model.spell(["left arm up", "arm"])
    assert lengths.tolist() == [3, 1]
    assert ids[1].tolist() == [ids[0, 1].item(), 0, 0]


def test_the_order_of_words_matters():
    model = tiny_retrieval("pose")
    one, other = model.embed_texts(["left knee right arm", "right knee left arm"])
    assert float((one - other).abs().max()) > 1e-4


def test_case_does_not_matter():
    one, other = tiny_retrieval("pose").embed_texts(["Left KNEE", "left knee"])
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("places", [True, False])
def test_a_turn_of_the_whole_body_changes_nothing(places: bool):
    model, some = tiny_retrieval("pose", places=places), poses(6)
    torch.testing.assert_close(
        model.embed_poses(some), model.embed_poses(turned(some, 1.3)), atol=1e-5, rtol=1e-4
    )
    pairs = tiny_retrieval("pair", places=places)
    torch.testing.assert_close(
        pairs.embed_pairs(some, poses(6, seed=1)),
        pairs.embed_pairs(some, turned(poses(6, seed=1), -2.0)),
        atol=1e-5,
        rtol=1e-4,
    )


def test_a_pair_is_not_the_pair_turned_round():
    pairs, one, other = tiny_retrieval("pair"), poses(4), poses(4, seed=1)
    there, back = pairs.embed_pairs(one, other), pairs.embed_pairs(other, one)
    assert float((there - back).abs().max()) > 1e-4


def test_every_joint_is_seen():
    model, some = tiny_retrieval("pose", places=False), poses(1)
    before = model.embed_poses(some)
    for joint in range(1, 22):
        bent = some.rotations.clone()
        bent[:, joint] = bent[:, joint] @ roma.rotvec_to_rotmat(torch.tensor([0.0, 0.0, 1.0]))
        after = model.embed_poses(Pose(rotations=bent))
        assert float((after - before).abs().max()) > 1e-5, joint


def test_everything_learns_but_frozen_words():
    model = tiny_retrieval("pair").train()
    model.text.words.weight.requires_grad_(False)
    loss = batch_based_classification(
        *model([poses(3).rotations, poses(3, seed=1).rotations], *model.spell(SENTENCES)),
        model.scale,
    )
    loss.backward()
    still = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert still == {"text.words.weight"}


def test_the_loss_by_hand():
    poses_, texts = torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # cosines [[1, 0.6], [0, 0.8]], by 10: rows differ by 4 and 8, columns by 10 and 2
    by_hand = sum(math.log(1 + math.exp(-gap)) for gap in (4, 8, 10, 2)) / 4
    loss = batch_based_classification(poses_, texts, torch.tensor(10.0))
    assert float(loss) == pytest.approx(by_hand, rel=1e-4)


def test_the_loss_does_not_ask_which_side_is_which():
    one, other = (normalize(torch.randn(9, 4), dim=-1) for _ in range(2))
    scale = torch.tensor(7.0)
    torch.testing.assert_close(
        batch_based_classification(one, other, scale), batch_based_classification(other, one, scale)
    )


def test_a_text_without_words_is_an_error():
    with pytest.raises(PoseQueryError, match="words"):
        tiny_retrieval("pose").embed_texts(["left", "  "])


def test_a_model_of_poses_is_not_one_of_pairs():
    with pytest.raises(ConfigError, match="made for poses, not for pairs"):
        tiny_retrieval("pose").embed_pairs(poses(1), poses(1))
    with pytest.raises(ConfigError, match="made for pairs, not for poses"):
        tiny_retrieval("pair").embed_poses(poses(1))


def test_pairs_need_as_many_second_poses_as_first_ones():
    with pytest.raises(PoseQueryError, match="2 and 3"):
        tiny_retrieval("pair").embed_pairs(poses(2), poses(3))


@pytest.mark.parametrize("kind", ["pose", "pair"])
def test_a_saved_model_gives_the_same_features(kind: str, tmp_path: Path):
    model = tiny_retrieval(kind)
    model.save_pretrained(tmp_path, trained={"step": 3})
    loaded = RetrievalModel.load(tmp_path)
    assert loaded.config == model.config
    assert torch.equal(loaded.embed_texts(SENTENCES), model.embed_texts(SENTENCES))
    assert json.loads((tmp_path / "retrieval.json").read_text())["trained"] == {"step": 3}
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


def test_half_precision_halves_the_file_and_hardly_moves_features(tmp_path: Path):
    model = tiny_retrieval("pose")
    model.save_pretrained(tmp_path / "whole")
    model.save_pretrained(tmp_path / "half", half=True)
    stored = load_file(tmp_path / "half" / "retrieval.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16}
    loaded = RetrievalModel.load(tmp_path / "half")
    assert loaded.scale.dtype == torch.float32
    torch.testing.assert_close(
        loaded.embed_poses(poses(4)), model.embed_poses(poses(4)), atol=5e-3, rtol=0
    )


def test_an_empty_folder_says_how_to_get_a_model(tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"train\.retrieval"):
        RetrievalModel.load(tmp_path)


def test_weights_that_do_not_fit_are_named(tmp_path: Path):
    tiny_retrieval("pose").save_pretrained(tmp_path)
    path = tmp_path / "retrieval.safetensors"
    state = load_file(path)
    state.pop("scale")
    save_file(state, path)
    with pytest.raises(WeightsError, match="scale"):
        RetrievalModel.load(tmp_path)
    path.write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        RetrievalModel.load(tmp_path)


@pytest.mark.parametrize("damage", ["{", '{"sizes": {"height": 3}}', "{}"])
def test_a_damaged_description_is_named(damage: str, tmp_path: Path):
    tiny_retrieval("pose").save_pretrained(tmp_path)
    (tmp_path / "retrieval.json").write_text(damage)
    with pytest.raises(WeightsError, match="cannot be loaded"):
        RetrievalModel.load(tmp_path)


def test_another_word_list_is_refused():
    with pytest.raises(ConfigError, match="word list has"):
        RetrievalModel(TINY, learn_words(["left"], size=9))


def test_a_size_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="tokens"):
        RetrievalConfig(tokens=0)


@pytest.mark.parametrize("kind", ["pose", "pair"])
def test_the_embedded_evaluator_can_be_loaded_and_was_chosen_on_validation(kind: str):
    folder = Path(__file__).parents[3] / "unipose" / "weights" / "mini" / f"retrieval_{kind}"
    model = RetrievalModel.load(folder)
    assert model.config.kind == kind
    known = json.loads((folder / "retrieval.json").read_text())
    assert known["trained"]["split"] == "train"
    assert known["validation"]["mean_recall"] > 20 * known["validation"]["chance_mean_recall"]
    assert (folder / "retrieval.safetensors").stat().st_size < 4e6
