"""Questions about poses are answered exactly: by measuring, in words whose numbers are measured."""

from __future__ import annotations

import math
import random
import re
from dataclasses import replace

import pytest
import torch

from unipose.app.examples import EXAMPLES, example_pose
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import PoseQueryError
from unipose.posecodes.calls import (
    QUESTIONS,
    WITH_TWO_POSES,
    WITHOUT_POSE,
    Call,
    arguments_of,
    read_call,
)
from unipose.posecodes.finding import Finding, two_clauses
from unipose.posecodes.quantities import QUANTITIES, measure
from unipose.posecodes.questions import answer_call, show_film, show_pose
from unipose.posecodes.shown_pose import ShownPose, pairs

SHOWN = {name: show_pose(example_pose(name)) for name in EXAMPLES}
ALL = [
    Call(verb=verb, arguments=arguments)
    for verb in QUESTIONS
    if verb not in ("why", "when")
    for arguments in sorted(set(arguments_of(verb).values()))
]
QUICK, SLOW = [], []
for call in ALL:
    (SLOW if call.arguments[:1] == ("touch",) or call.verb == "touching" else QUICK).append(call)
MESH = frozenset(SLOW)
SAMPLE = random.Random(7).sample(QUICK, 1500) + random.Random(7).sample(SLOW, 25)
SHORT = [call for call in ALL if len(call.arguments) < 3 and call not in MESH]


def posed(**degrees: tuple[float, float, float]) -> ShownPose:
    """Return the standing example with some joints turned (degrees about x, y, z)."""
    turns = torch.zeros(1, len(SMPL.joints), 3)
    for joint, angles in (EXAMPLES["stand"] | degrees).items():
        turns[0, SMPL.index[joint]] = torch.tensor(angles)
    return show_pose(Pose.from_axis_angle(turns * (math.pi / 180)))


def random_poses(count: int, seed: int) -> list[Pose]:
    """Return poses with every joint turned at random, the root too."""
    generator = torch.Generator().manual_seed(seed)
    turns = 0.5 * torch.randn(count, len(SMPL.joints), 3, generator=generator)
    return [Pose.from_axis_angle(turns)[i] for i in range(count)]


def ask(line: str, *poses: str | ShownPose, **known: object) -> Finding:
    """Return the answer to a written call about example poses."""
    shown = [SHOWN[pose] if isinstance(pose, str) else pose for pose in poses]
    return answer_call(read_call(f"> {line}"), shown, **known)  # type: ignore[arg-type]


def some(call: Call, first: ShownPose, second: ShownPose) -> Finding:
    """Return the answer about as many of two poses as the call needs."""
    if call.verb in WITHOUT_POSE:
        return answer_call(call, [])
    return answer_call(call, [first, second] if call.verb in WITH_TWO_POSES else [first])


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text)


def other_side(text: str) -> str:
    swap = {"left": "right", "right": "left", "leftward": "rightward", "rightward": "leftward"}
    return re.sub(r"\w+", lambda word: swap.get(word[0], word[0]), text)


def value_in_a_mirror(call: Call, value: object) -> object:
    if isinstance(value, tuple):
        return sorted(other_side(str(item)) for item in value)
    if isinstance(value, str):
        return sorted(re.split(r"; | and |, ", other_side(value)))
    signed = call.verb == "measure" and (call.arguments[0] in ("side", "twist", "turn", "facing"))
    if isinstance(value, float):
        return pytest.approx(-value if signed else value, abs=0.05)
    return value


def as_listed(value: object) -> object:
    if isinstance(value, tuple):
        return sorted(map(str, value))
    return sorted(re.split(r"; | and |, ", value)) if isinstance(value, str) else value


@pytest.mark.parametrize("verb", [verb for verb in QUESTIONS if verb not in ("why", "when")])
def test_every_question_has_an_answer_about_the_examples(verb: str):
    shown = list(SHOWN.values())
    for i, call in enumerate(call for call in [*SAMPLE, *SHORT] if call.verb == verb):
        found = some(call, shown[i % 7], shown[(i + 3) % 7])
        assert found.sentence[-1] == "."


def test_the_sentence_says_the_numbers_of_the_fact_and_at_most_three():
    shown = list(SHOWN.values())
    for i, call in enumerate([*SAMPLE, *SHORT]):
        found = some(call, shown[i % 7], shown[(i + 2) % 7])
        assert numbers(found.sentence) == numbers(found.fact), call
        assert len(numbers(found.sentence)) <= 3, found.sentence


def test_a_mirrored_pose_has_mirrored_answers():
    poses = random_poses(4, seed=3) + [example_pose(name) for name in ("wave", "balance", "step")]
    shown = [show_pose(pose) for pose in poses]
    mirrored = [show_pose(pose.mirrored()) for pose in poses]
    for i, call in enumerate([*SAMPLE, *SHORT]):
        swapped = read_call(other_side(str(call)))
        a, b = i % 7, (i + 2) % 7
        found, other = some(call, shown[a], shown[b]), some(swapped, mirrored[a], mirrored[b])
        if call in MESH:  # its vertices are not mirrored
            assert (other.margin or 9) < 1 or other.value == found.value or found.kind == "list"
            continue
        assert as_listed(other.value) == value_in_a_mirror(call, found.value), (call, a, b)
        assert other.margin == (found.margin and pytest.approx(found.margin, abs=0.05)), call


@pytest.mark.slow
def test_turning_the_body_about_the_vertical_changes_nothing_but_facing():
    poses = random_poses(7, seed=5)
    shown, turned = [show_pose(pose) for pose in poses], [show_pose(turn(p, 70.0)) for p in poses]
    for i, call in enumerate([*SAMPLE, *SHORT]):
        if "facing" in call.arguments or "viewer" in call.arguments:
            continue
        found = some(call, shown[i % 7], shown[(i + 1) % 7])
        again = some(call, turned[i % 7], turned[(i + 1) % 7])
        if isinstance(found.value, float):
            assert again.value == pytest.approx(found.value, abs=0.01), call
        else:
            assert again.value == found.value, call


def turn(pose: Pose, degrees: float) -> Pose:
    """Return the pose turned to its own left."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    around = torch.tensor([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    rotations = pose.rotations.clone()
    rotations[:, 0] = around @ rotations[:, 0]
    return replace(pose, rotations=rotations)


@pytest.mark.parametrize(
    ("line", "pose", "value"),
    [
        ("check squatting", "squat", True),
        ("check standing", "squat", False),
        ("check sitting", "sit", True),
        ("check bent knees", "sit", True),
        ("check bent knees", "balance", False),
        ("check bent left knee", "balance", True),
        ("check straight right knee", "balance", True),
        ("check raised right hand", "wave", True),
        ("check raised hands", "wave", False),
        ("check raised arms", "balance", True),
        ("check raised left foot", "balance", True),
        ("check on ground right foot", "balance", True),
        ("check on ground feet", "balance", False),
        ("check above left hand head", "reach", True),
        ("check above hands head", "reach", False),
        ("check front hands chest", "squat", True),
        ("check leaning forward", "squat", True),
        ("check leaning forward", "stand", False),
        ("check looking up", "reach", True),
        ("check looking ahead", "stand", True),
        ("check symmetric", "stand", True),
        ("check symmetric", "wave", False),
        ("check upright", "stand", True),
        ("check balanced", "stand", True),
        ("check balanced", "sit", False),
        ("check weight right foot", "balance", True),
        ("check weight both feet", "stand", True),
        ("check facing front", "stand", True),
        ("check horizontal thighs", "sit", True),
        ("check vertical shins", "sit", True),
        ("check touch left hand head", "stand", False),
        ("which higher hands", "wave", "right hand"),
        ("which higher hands", "stand", "neither"),
        ("which bent knees", "balance", "left knee"),
        ("which straight knees", "balance", "right knee"),
        ("which forward feet", "step", "left foot"),
        ("which near feet viewer", "step", "left foot"),
        ("which weight feet", "balance", "right foot"),
        ("which near hands head", "wave", "right hand"),
        ("count on ground feet", "balance", 1),
        ("count raised arms", "balance", 2),
        ("count above hands head", "reach", 1),
        ("posture", "squat", "squatting, both legs bent"),
        ("posture", "wave", "standing, the right arm raised"),
        ("touching left hand", "stand", ()),
        ("where left hand", "reach", "above the head, to the left"),
    ],
)
def test_what_is_plain_to_see_is_answered(line: str, pose: str, value: object):
    assert ask(line, pose).value == value


@pytest.mark.parametrize(
    ("line", "pose", "degrees"),
    [
        ("measure angle left knee", "balance", 76),
        ("measure angle left knee", "stand", 180),
        ("measure angle right elbow", "wave", 85),
        ("measure lean", "squat", 27),
        ("measure nod", "reach", -18),
        ("measure tilt left thigh", "sit", 88),
    ],
)
def test_angles_are_those_that_the_pose_was_made_with(line: str, pose: str, degrees: float):
    assert ask(line, pose).value == pytest.approx(degrees, abs=1.5)


def test_the_answer_gives_the_number_and_why_gives_both_sides():
    found = ask("which higher hands", "wave")
    assert found.sentence == "The right hand is 81 cm higher than the left hand."
    assert found.fact == "right hand is 81 cm higher than left hand"
    reason = ask("why", last=found).sentence
    assert reason == (
        "The left hand is 80 cm above the ground, the right hand is 161 cm above the ground: "
        "a difference of 81 cm."
    )


def test_two_poses_are_compared_in_their_order():
    assert ask("became squatting", "stand", "squat").value is True
    assert ask("became squatting", "squat", "stand").value is False
    assert ask("became squatting", "squat", "squat").sentence.startswith("No, already before")
    assert ask("moved up right hand", "stand", "wave").value is True
    assert ask("moved down right hand", "stand", "wave").value is False
    assert ask("moved up", "stand", "wave").value == ("right hand", "right elbow")
    assert ask("moved more hands", "stand", "wave").value == "right hand"
    assert ask("between higher right hand", "stand", "wave").value == "second"
    assert ask("between apart feet", "squat", "stand").value == "first"


@pytest.mark.parametrize("bend", [44.9, 45.1])
def test_the_margin_is_small_where_the_answer_changes(bend: float):
    found = ask("check bent left knee", posed(left_knee=(bend, 0, 0)))
    assert found.value is (bend > 45)
    assert found.margin == pytest.approx(0.1, abs=0.05)
    assert found.margin_unit == "degrees"


def test_the_margin_of_a_conjunction_is_that_of_the_part_that_decides():
    shown = posed(left_knee=(60, 0, 0), right_knee=(50, 0, 0))
    assert ask("check bent knees", shown).margin == pytest.approx(5.0, abs=0.1)


def test_a_recording_is_searched_for_the_moment():
    turns = torch.zeros(61, len(SMPL.joints), 3)
    bends = 100 - (torch.arange(61) - 36).abs() * 2.5  # most bent at 1.2 s of 2
    turns[:, SMPL.index["left_knee"], 0] = bends * (math.pi / 180)
    film = show_film(Pose.from_axis_angle(turns, fps=30.0))
    found = ask("when bent left knee", film=film)
    assert (found.value, found.unit) == (1.2, "s")
    assert found.sentence == "The left knee is most bent at 1.2 s: bent by 100 degrees."


def test_every_extreme_of_a_recording_has_a_moment():
    film = show_film(
        replace(
            Pose.from_rotations(torch.cat([example_pose(name).rotations for name in EXAMPLES])),
            fps=1.0,
        )
    )
    moments = {}
    for arguments in arguments_of("when").values():
        found = answer_call(Call(verb="when", arguments=arguments), [], film=film)
        moments[arguments] = found.value
        assert numbers(found.sentence) == numbers(found.fact)
    assert set(moments.values()) <= set(range(len(EXAMPLES)))
    for part in ("left hand", "right hand", "left knee", "head"):
        assert moments["highest", part] != moments["lowest", part]
    assert [*EXAMPLES][int(moments["highest", "left knee"])] == "balance"
    assert [*EXAMPLES][int(moments["lowest", "head"])] in ("squat", "sit")


def test_a_hand_laid_on_the_other_arm_touches_it_and_neighbours_never_do():
    folded = posed(
        left_shoulder=(0, -60, -50), left_elbow=(0, -110, 0),
        right_shoulder=(0, 60, 50), right_elbow=(0, 110, 0),
    )  # fmt: skip
    assert ask("touching", folded).value
    assert ask("check touch left hand left wrist", folded).value is False
    assert ask("check touch left knee left hip", SHOWN["squat"]).value is False


def test_what_a_pose_does_not_show_is_said():
    found = ask("unknown clothes")
    assert (found.kind, found.value) == ("not_shown", "clothes")
    assert found.sentence == (
        "A pose does not show clothes: it holds how the joints are turned, nothing else."
    )


@pytest.mark.parametrize(
    ("line", "poses", "message"),
    [
        ("when highest left hand", (), "a recording is needed"),
        ("why", (), "no answer before"),
        ("became standing", ("stand",), "two poses"),
        ("posture", (), "one pose, got 0"),
        ("describe", ("stand",), "nothing that is answered by measuring"),
    ],
)
def test_what_cannot_be_answered_is_refused(line: str, poses: tuple[str, ...], message: str):
    with pytest.raises(PoseQueryError, match=message):
        ask(line, *poses)


def test_parts_of_one_side_belong_together():
    assert pairs("hands", "knees") == [("left hand", "left knee"), ("right hand", "right knee")]
    assert pairs("hands", "left hand") == [("right hand", "left hand")]


def test_what_two_clauses_share_is_said_once():
    clauses = ["the left foot is 5 cm behind the head", "the right foot is 6 cm behind the head"]
    assert two_clauses(clauses) == "the left foot is 5 cm and the right foot 6 cm behind the head"


def test_every_quantity_of_the_body_is_measured():
    of_body = [name for name, quantity in QUANTITIES.items() if quantity.of == "body"]
    values = [measure(name, SHOWN["wave"]) for name in of_body]
    assert all(math.isfinite(value) for value in values)
