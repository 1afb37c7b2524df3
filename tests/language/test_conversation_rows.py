from __future__ import annotations

import pytest
import torch

from tests.fakes.tiny_chat_model import tiny_chat_model
from unipose.language.chat_rendering import Message
from unipose.language.conversation_model import ConversationModel
from unipose.language.conversation_rows import ConversationRows, SpokenRow
from unipose.posecodes.calls import VERBS

pytestmark = pytest.mark.slow
ASKED = ("is the left knee bent?", "wave", "which hand is higher, and by how much is it higher?")


@pytest.fixture(scope="module")
def model() -> ConversationModel:
    return ConversationModel(*tiny_chat_model())


def _row(model: ConversationModel, asked: str, **options: object) -> SpokenRow:
    ids = model.template.render([Message.of("user", asked)], open_answer=True).ids
    return SpokenRow(ids=ids, grammar=model.grammar(VERBS), most_tokens=12, **options)  # type: ignore[arg-type]


def _alone(model: ConversationModel, row: SpokenRow) -> list[int]:
    rows = ConversationRows(model)
    rows.join([row])
    while rows.running:
        rows.step()
    return row.said


def test_rows_that_come_and_go_say_what_each_says_alone(model: ConversationModel):
    alone = [_alone(model, _row(model, asked)) for asked in ASKED]
    rows, waiting = ConversationRows(model), [_row(model, asked) for asked in ASKED]
    rows.join(waiting[:1])
    rows.step()
    rows.step()
    rows.join(waiting[1:])
    while rows.running:
        rows.step()
    assert [row.said for row in waiting] == alone


def test_a_row_says_what_the_model_says_in_a_conversation_of_its_own(model: ConversationModel):
    row = _row(model, ASKED[0])
    said = _alone(model, row)
    whole = model.answer([Message.of("user", ASKED[0])])
    assert whole.startswith(model.text_of(said, row.grammar)[:8])


def test_a_seed_gives_the_same_answer_whoever_else_is_there(model: ConversationModel):
    def drawn(seed: int) -> SpokenRow:
        generator = torch.Generator().manual_seed(seed)
        return _row(model, ASKED[0], temperature=1.5, generator=generator)

    alone = _alone(model, drawn(7))
    rows, mine = ConversationRows(model), drawn(7)
    rows.join([drawn(1), mine, _row(model, ASKED[2])])
    while rows.running:
        rows.step()
    assert mine.said == alone
    assert _alone(model, drawn(8)) != alone


def test_what_was_read_before_is_not_read_again_and_changes_nothing(model: ConversationModel):
    first = _row(model, ASKED[0])
    rows = ConversationRows(model)
    rows.join([first])
    before = rows._read_by(0, first)
    longer = [*first.ids, *model.template.encode(" and the right one?")]
    fresh = _row(model, ASKED[0])
    fresh.ids = longer
    again = _row(model, ASKED[0], before=before)
    again.ids = longer
    assert before.same_as(longer) == len(first.ids)
    together = ConversationRows(model)
    together.join([_row(model, ASKED[1]), again])
    while together.running:
        together.step()
    assert again.said == _alone(model, fresh)


def test_a_row_that_leaves_early_changes_nothing_for_the_others(model: ConversationModel):
    rows, stays, leaves = ConversationRows(model), _row(model, ASKED[0]), _row(model, ASKED[2])
    rows.join([leaves, stays])
    rows.step()
    rows.leave([leaves])
    while rows.running:
        rows.step()
    assert stays.said == _alone(model, _row(model, ASKED[0]))
    assert not leaves.finished
