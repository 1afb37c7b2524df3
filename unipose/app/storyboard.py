"""A conversation as one picture: what was said in bubbles, each new pose drawn beneath.

    python -m unipose.app.storyboard docs/conversation.png "/pose squat" "describe the pose" ...

asks the embedded model each line, as the chat does, and draws what really came back.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from unipose.app.conversation import Conversation
from unipose.app.sources import load_assistant
from unipose.app.wording import printable
from unipose.body.body import load_body
from unipose.render.drawing import draw_pose

WIDTH, BUBBLE, PICTURE = 1200, 760, 300
EDGE, GAP, INSET, LETTER, LINE = 36, 18, 20, 25, 35
PAPER, INK, WHITE = (246, 247, 249), (38, 42, 50), (255, 255, 255)
MINE, THEIRS = (47, 111, 237), (228, 231, 236)


@dataclass(frozen=True, kw_only=True)
class StoryboardTurn:
    """One line, its answer, and the picture of the pose that came with it, if one did."""

    line: str
    answer: str
    picture: Image.Image | None


def hold(chat: Conversation, lines: list[str]) -> list[StoryboardTurn]:
    """Ask the chat each line; a UniPoseError ends the conversation, a story has no failed line."""
    body = load_body()
    turns = []
    for line in lines:
        before = len(chat.poses)
        answer = chat.reply(line).text
        new = chat.poses[-1].pose if len(chat.poses) > before else None
        picture = None
        if new is not None:  # from where the viewer is, as the chat draws it
            picture = Image.fromarray(draw_pose(new, body, size=PICTURE, heading=0.0))
        turns.append(StoryboardTurn(line=line, answer=printable(answer), picture=picture))
    return turns


def draw(turns: list[StoryboardTurn]) -> Image.Image:
    """Return the conversation as a picture, the person's lines to the right."""
    font = ImageFont.load_default(LETTER)
    paper = Image.new("RGB", (WIDTH, 200 + sum(_height(turn, font) for turn in turns)), PAPER)
    pen = ImageDraw.Draw(paper)
    top = EDGE
    for turn in turns:
        below = _bubble(pen, turn.line, font, top=top, mine=True)
        if turn.picture is None:
            top = _bubble(pen, turn.answer, font, top=below, mine=False)
        else:  # beside the line, not under it: the page stays short
            mask = Image.new("L", turn.picture.size)
            ImageDraw.Draw(mask).rounded_rectangle(
                (0, 0, mask.width - 1, mask.height - 1), radius=INSET, fill=255
            )
            paper.paste(turn.picture, (EDGE, top), mask)
            top = max(below, top + turn.picture.height + GAP)
    return paper.crop((0, 0, WIDTH, top - GAP + EDGE))


def _height(turn: StoryboardTurn, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    lines = len(_wrapped(turn.line, font)) + len(_wrapped(turn.answer, font))
    return LINE * lines + 4 * INSET + 2 * GAP + (turn.picture.height if turn.picture else 0)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > BUBBLE and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _bubble(
    pen: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    *,
    top: int,
    mine: bool,
) -> int:
    """Draw one bubble and return where the next one begins."""
    lines = _wrapped(text, font)
    width = max(round(font.getlength(line)) for line in lines) + 2 * INSET
    left = WIDTH - EDGE - width if mine else EDGE
    bottom = top + LINE * len(lines) + INSET
    pen.rounded_rectangle(
        (left, top, left + width, bottom), radius=INSET, fill=MINE if mine else THEIRS
    )
    for i, line in enumerate(lines):
        place = (left + INSET, top + INSET // 2 + i * LINE)
        pen.text(place, line, font=font, fill=WHITE if mine else INK)
    return bottom + GAP


def main(arguments: list[str]) -> None:
    """Draw the conversation of `arguments[1:]` into the file `arguments[0]`."""
    if len(arguments) < 2:
        raise SystemExit("usage: python -m unipose.app.storyboard OUT.png LINE [LINE ...]")
    draw(hold(Conversation(lambda: load_assistant(None)), arguments[1:])).save(
        Path(arguments[0]), optimize=True
    )


if __name__ == "__main__":
    main(sys.argv[1:])
