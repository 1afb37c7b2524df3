"""`unipose ask`: answer a question about a pose, two poses, a recording or a photo."""

from __future__ import annotations

from pathlib import Path

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson, Asked, BodyFile, ConversationModelOptions, ReadOptions
from unipose.errors import PoseQueryError
from unipose.file_signatures import check_file


def ask(
    files: Asked,
    *,
    reading: ReadOptions,
    as_json: AsJson = False,
    body: BodyFile = None,
    models: ConversationModelOptions,
) -> None:
    """Answer a question about a pose, two poses, a recording or a photo."""
    *names, question = files
    if not 1 <= len(names) <= 2:
        raise PoseQueryError(
            "expected one or two files and then the question, such as: "
            'unipose ask walk.bvh "is the left knee bent?"; '
            f"got {len(names)} files before {question[:60]!r}"
        )
    for name in names:
        check_file(Path(name), photos=True)
    from unipose.app.pose_input import own_body, read_asked

    shape = own_body(body)
    shown = [read_asked(Path(name), reading, shape) for name in names]
    assistant = models.load_assistant()
    assistant.speaker = models.load_speaker()
    answered = assistant.answer_fully(question, *shown)
    found = answered.finding
    measured = (
        {} if found is None else {"value": found.value, "unit": found.unit, "why": found.evidence}
    )
    print_answer(
        answered.text, as_json, files=names, at=reading.at, question=question, text=answered.text,
        sure=answered.sure, calls=[str(made.call) for made in answered.calls], **measured,
    )  # fmt: skip
