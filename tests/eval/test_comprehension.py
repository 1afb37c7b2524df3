"""What is said of poses, pairs and pictures: our writer scores high, babble scores chance."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data_builders.posecodes.captions import write_three_captions
from data_builders.posecodes.modifiers import write_modifiers
from eval import comprehension
from eval.comprehension import (
    ComprehensionOptions,
    describe_people,
    rows_of,
    score,
    score_changes_told,
    score_texts,
)
from eval.pictures import SeenPerson, poses_of, studio_people
from eval.truth import front_joints
from tests.eval.test_estimation import looking_people
from tests.eval.test_truth import random_poses
from tests.fakes.honest_assistant import HonestAssistant
from tests.fakes.retrieval import tiny_retrieval
from tests.fakes.studio import make_studio
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.retrieval.model import Kind


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


class HonestWitness(HonestAssistant):
    """Says of poses, pairs and known people in pictures what our writers say."""

    def __init__(self, body: Body, people: list[SeenPerson] | None = None) -> None:
        super().__init__(body)
        self.people = {person.box: person for person in people or []}

    def compare_batch(self, a: Pose, b: Pose) -> list[str]:
        before, after = front_joints(self.body, a), front_joints(self.body, b)
        return write_modifiers(before, after, seed=4, indices=range(len(a)))

    def describe(self, shown: object, *, box: tuple[float, float, float, float]) -> str:
        if box not in self.people:
            return "Somebody stands there."
        return self.describe_batch(Pose(rotations=self.people[box].rotations[None]))[0]


def test_what_our_writer_says_is_true_and_close_to_the_captions(body: Body) -> None:
    poses = random_poses(40)
    texts = HonestWitness(body).describe_batch(poses)
    found = score_texts(texts, poses, tiny_retrieval("pose"), body, seed=3)
    babble = score_texts(["Lovely day."] * 40, poses, tiny_retrieval("pose"), body, seed=3)
    assert found["truth"] == 1.0
    assert found["chance_truth"] < 0.9  # type: ignore[operator]
    assert babble["truth"] == 0.0
    assert found["rouge_l"] > babble["rouge_l"] + 10  # type: ignore[operator]
    assert found["meteor_synonyms"] in ("none", "wordnet")


def test_the_captions_themselves_score_everything(body: Body) -> None:
    poses = random_poses(34)
    joints = front_joints(body, poses)
    three = write_three_captions(
        joints, seed=comprehension.OWN_SEEDS + 3, indices=range(len(poses))
    )
    texts = [captions.aggregated.text for captions in three]
    found = score_texts(texts, poses, tiny_retrieval("pose"), body, seed=3)
    assert found["bleu4"] == pytest.approx(100.0)
    assert found["rouge_l"] == pytest.approx(100.0)


def test_texts_that_are_all_alike_score_chance(body: Body) -> None:
    found = score_texts(["Stand."] * 32, random_poses(32), tiny_retrieval("pose"), body, seed=0)
    assert found["r_precision_top1"] == pytest.approx(found["chance_r_precision_top1"])
    assert found["r_precision_top3"] == pytest.approx(3 / 32)


def test_an_answer_without_a_word_stays_in_every_measure(body: Body) -> None:
    found = score_texts(["", " "] * 16, random_poses(32), tiny_retrieval("pose"), body, seed=0)
    assert (found["empty"], found["texts"], found["truth"]) == (32, 32, 0.0)
    assert found["bleu4"] == 0.0


def test_changes_that_our_writer_tells_happened(body: Body) -> None:
    a, b = random_poses(32, 1), random_poses(32, 2)
    texts = HonestWitness(body).compare_batch(a, b)
    found = score_changes_told(texts, a, b, tiny_retrieval("pair"), body, seed=3)
    assert found["truth"] == 1.0
    assert found["chance_truth"] < 1.0  # type: ignore[operator]


def test_people_in_pictures_are_told_by_their_boxes(body: Body) -> None:
    people = studio_people(make_studio(mixed=0.0), 32)
    texts = describe_people(HonestWitness(body, people), people)
    found = score_texts(texts, poses_of(people), tiny_retrieval("pose"), body, seed=0)
    assert found["truth"] > 0.9  # type: ignore[operator]  # two people may share a box


def save(tmp_path: Path, kind: Kind) -> Path:
    tiny_retrieval(kind).save_pretrained(tmp_path / kind)
    return tmp_path / kind


@pytest.mark.slow
def test_the_program_scores_all_that_a_model_can_say(
    mocap_folder: Path, tmp_path: Path, body: Body
) -> None:
    looking_people(tmp_path, 33, "test")
    options = ComprehensionOptions(
        data=mocap_folder, only="*bvh*", limit=6, poses=34, pairs=60, people=32,
        pictures=tmp_path, pose=save(tmp_path, "pose"), pair=save(tmp_path, "pair"),
    )  # fmt: skip
    result = score(HonestWitness(body), options, body, sees=True)
    assert result["truth"] == 1.0
    assert result["chance_image_truth"] == pytest.approx(result["image_truth"])  # all alike
    assert [row[0] for row in rows_of(result) if not str(row[0]).startswith(" ")] == [
        "described", "compared", "seen",
    ]  # fmt: skip
    assert "left_out" not in result
    blind = score(HonestWitness(body), options, body, sees=False)
    assert "no eyes" in str(blind["left_out"])
    assert "seen" not in blind


def test_a_group_must_be_filled() -> None:
    with pytest.raises(ConfigError, match="32"):
        ComprehensionOptions(data=Path(), people=31)


def test_the_same_seed_makes_the_same_groups(body: Body) -> None:
    poses, model = random_poses(40), tiny_retrieval("pose")
    texts = HonestWitness(body).describe_batch(poses)
    torch.manual_seed(1)
    first = score_texts(texts, poses, model, body, seed=5)
    assert first == score_texts(texts, poses, model, body, seed=5)
    assert first["r_precision_seed"] == 5
