"""What a pose does not show, and the sentence that says so."""

from __future__ import annotations

from unipose.posecodes.finding import Finding

_NOTHING_ELSE = "it holds how the joints are turned, nothing else"
_SHOWS_NOT = {
    "clothes": ("clothes", _NOTHING_ELSE),
    "age": ("how old somebody is", "it holds how the joints are turned, and they turn at any age"),
    "mood": ("feelings", "it holds how the body is held, not why"),
    "weather": ("the weather", "it holds a body and nothing around it"),
    "place": ("where somebody is", "it holds a body and nothing around it"),
    "identity": ("who somebody is", _NOTHING_ELSE),
    "gender": ("whether it is a woman or a man", _NOTHING_ELSE),
    "hair": ("hair", _NOTHING_ELSE),
    "skin": ("skin", _NOTHING_ELSE),
    "face": ("a face", "it holds how the head is turned, no features and no expression"),
    "health": ("how healthy somebody is", "it holds one position, and no examination"),
    "strength": ("how strong somebody is", "it holds where the limbs are, not the forces"),
    "thoughts": ("thoughts", "it holds how the body is held, nothing of what goes on inside"),
    "intention": ("what somebody intends", "it holds one moment, not the reason for it"),
    "speech": ("what somebody says", "it holds no sound and no lips"),
    "time": ("the time of day", "it holds a body and nothing around it"),
    "objects": ("objects", "it holds a body and nothing that the hands may hold"),
    "job": ("what somebody works as", _NOTHING_ELSE),
    "size": ("how tall or heavy somebody is", "angles are the same for every size of body"),
    "speed": ("how fast somebody moves", "it holds one moment without any movement"),
    "fingers": ("fingers", "its hands are known down to the wrists only"),
    "past": ("what came before", "it holds one moment"),
    "future": ("what comes next", "it holds one moment"),
    "others": ("other people", "it holds one body"),
    "taste": ("whether it looks good", "that is a matter of taste and cannot be measured"),
}
"""Topic -> what is not shown, and why."""


def not_shown(topic: str) -> Finding:
    """Return the sentence that says that a pose does not show this."""
    what, why = _SHOWS_NOT[topic]
    sentence = f"A pose does not show {what}: {why}."
    return Finding(
        kind="not_shown",
        value=topic,
        fact=f"not shown: {what}; {why}",
        sentence=sentence,
        evidence=sentence,
    )
