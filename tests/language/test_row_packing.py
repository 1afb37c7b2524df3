"""Rows that begin alike, packed into one: the same losses for fewer tokens."""

from __future__ import annotations

import pytest
import torch

from tests.fakes.tiny_chat_model import tiny_chat_model
from tests.fakes.tiny_model import tiny_plain_assistant
from train.converse import ConverseStep
from unipose.language.attention import seen_places
from unipose.language.base_forward import own_masks
from unipose.language.chat_rendering import Message
from unipose.language.claim_teacher import ClaimTeacher
from unipose.language.rendering import IGNORE_INDEX, READ_POSE, Batch, Row, collate, render_sample
from unipose.language.row_packing import pack


def row_of(text: str, learned: int) -> Row:
    """Return a row of letters, of which the last `learned` predict the next one."""
    row = Row()
    for letter in text:
        row.add(ord(letter))
    for place in range(len(text) - learned, len(text) - 1):
        row.targets[place] = row.ids[place + 1]
    return row


def packed_batch(rows: list[Row], *, learn_shared: bool = True) -> Batch:
    return collate([pack(rows, learn_shared=learn_shared)], pad=0)


def seen_by(batch: Batch) -> torch.Tensor:
    return seen_places(batch, read_both_ways=False)[0][0, 0]


def test_three_rows_are_packed_as_the_docstring_shows():
    packed = packed_batch([row_of("spuab", 2), row_of("spuc", 1), row_of("spudef", 3)])
    assert "".join(map(chr, packed.ids[0])) == "spuabcdef"
    assert packed.positions[0].tolist() == [0, 1, 2, 3, 4, 3, 3, 4, 5]
    assert packed.branches[0].tolist() == [0, 0, 0, 1, 1, 2, 3, 3, 3]
    seen = seen_by(packed)
    assert seen[8].tolist() == [True, True, True, False, False, False, True, True, True]


def test_what_is_learned_is_never_shared():
    packed = packed_batch([row_of("abc", 3), row_of("abc", 3)])
    assert int((packed.targets != IGNORE_INDEX).sum()) == 4


def test_shared_turns_can_be_read_without_being_learned():
    rows = [row_of("abcdefg", 4), row_of("abcdxyz", 4)]  # d, e, f and d, x, y teach
    packed = packed_batch(rows, learn_shared=False)
    assert "".join(map(chr, packed.ids[0])) == "abcdefgxyz"
    assert packed.branches[0].tolist() == [0] * 4 + [1] * 3 + [2] * 3
    assert packed.targets[0, :4].tolist() == [IGNORE_INDEX] * 4
    learned = [chr(target) for target in packed.targets[0, 4:].tolist() if target != IGNORE_INDEX]
    assert learned == ["f", "g", "y", "z"]


def test_the_loss_of_packed_rows_is_the_sum_of_the_losses_apart():
    model, template = tiny_chat_model()
    step = ConverseStep(model)
    begin = [Message.of("system", "You talk."), Message.of("tool", "pose 1")]
    rows = [
        template.render([*begin, Message.of("user", said), Message.of("assistant", answer)])
        for said, answer in (
            ("is it bent", "> check bent left knee"),
            ("hi", "Hello!"),
            ("why", "> why"),
        )
    ]
    packed = packed_batch(rows)
    assert packed.ids.shape[1] < sum(len(row.ids) for row in rows)
    with torch.no_grad():
        apart = sum(float(step(packed_batch([row]))) for row in rows)
        assert float(step(packed)) == pytest.approx(apart, rel=1e-5)


@pytest.mark.parametrize("learned", [0, 3])
def test_equal_rows_share_all_that_is_not_learned(learned: int):
    packed = packed_batch([row_of("abcde", learned)] * 2)
    own = "cde" if learned else ""
    assert "".join(map(chr, packed.ids[0])) == "abcde" + own
    assert packed.branches[0].tolist() == [0, 0, *[1] * len(own), *[2] * len(own)] + (
        [] if own else [0] * 3
    )


def test_a_row_alone_is_itself():
    packed = packed_batch([row_of("abcde", 2)])
    seen = seen_by(packed)
    assert packed.positions[0].tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(seen, torch.ones(5, 5).tril().bool())


def test_what_a_row_says_moves_no_other_row():
    model, template = tiny_chat_model()
    begin = [Message.of("system", "You talk."), Message.of("user", "hi")]
    hello, why, help_ = (
        template.render([*begin, Message.of("assistant", said)])
        for said in ("Hello!", "> why", "> help")
    )
    hidden = []
    for other in (why, help_):
        rows = packed_batch([hello, other])
        with torch.no_grad():
            seen, positions = seen_places(rows, read_both_ways=False)
            found = model.model(
                input_ids=rows.ids, position_ids=positions,
                attention_mask=own_masks(model, seen, positions, torch.float32),
            ).last_hidden_state  # fmt: skip
        hidden.append(found[0, rows.branches[0] == 1])
    torch.testing.assert_close(*hidden)


def test_two_poses_in_places_of_filler_are_not_taken_for_one():
    v = tiny_plain_assistant().vocabulary
    one, other = torch.randint(2048, (2, v.length))
    rows = [render_sample([codes, " it?"], "Yes", v) for codes in (one, one, other)]
    assert len(pack(rows[:2]).read) == 1
    packed = pack([rows[0], rows[2]])
    assert [codes.tolist() for codes in packed.read] == [one.tolist(), other.tolist()]
    assert packed.branches.index(1) == rows[0].kinds.index(READ_POSE)


def test_which_pose_is_named_is_read_off_the_end_of_each_packed_request():
    rows = [row_of("spuab", 2), row_of("spuc", 1), row_of("spudef", 3)]
    for number, row in enumerate(rows):
        row.named_at = [(len(row.ids) - 1, torch.arange(3) == number)]
    batch = packed_batch(rows)
    assert batch.named_at is not None
    assert batch.named_at.places.tolist() == [4, 5, 8]
    assert [chr(batch.ids[0, place]) for place in batch.named_at.places] == ["b", "c", "f"]
    teacher = ClaimTeacher(1, width=3, names=3)
    assert teacher.names is not None
    hidden = torch.zeros(1, 9, 3)
    hidden[0, batch.named_at.places] = torch.eye(3)
    right = []
    for weight in (torch.eye(3), -torch.eye(3)):
        with torch.no_grad():
            teacher.names.weight.copy_(3 * weight)
        right.append(teacher.losses(hidden, batch)[2])
    assert right[0] < 0.5 < right[1]
