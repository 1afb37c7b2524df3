"""Wording of positions: how a body lies, leans, holds its head, and turns as a whole.

Tables as in phrases.py: the first is what writers use, the one called ALSO is only read. "~" stands
for a side.
"""

from __future__ import annotations

Words = dict[tuple[str, str], tuple[str, ...]]


def _each_side(table: Words) -> Words:
    """Return the table with each row of "~" once for the left and once for the right."""
    found: Words = {}
    for (first, second), said in table.items():
        sided = "~" in first + second
        for side in ("left", "right") if sided else ("",):
            key = first.replace("~", side), second.replace("~", side)
            found[key] = tuple(phrase.replace("~", side) for phrase in said)
    return found


POSITION_WORDS = _each_side({
    ("body", "lying_on_back"): ("lying on the back", "lying face up", "lying flat on the back",
                                "stretched out on the back", "on the back facing up"),
    ("body", "lying_on_front"): ("lying on the stomach", "lying face down", "lying on the front",
                                 "lying flat on the stomach", "lying on the belly"),
    ("body", "lying_on_~"): ("lying on the ~ side", "lying down on the ~ side",
                             "lying sideways on the ~ side", "lying with the ~ side down",
                             "lying on the ~ flank"),
    ("body", "upside_down"): ("upside down", "turned upside down", "in an upside down position",
                              "upside down with the feet in the air", "held upside down"),
    ("body", "on_all_fours"): ("on all fours", "down on all fours", "on hands and knees",
                               "down on hands and knees", "crouching on all fours"),
    ("torso", "facing_up"): ("facing the ceiling", "facing the sky", "facing upward",
                             "turned toward the ceiling", "turned toward the sky"),
    ("torso", "facing_down"): ("facing the ground", "facing the floor", "facing downward",
                               "turned toward the ground", "turned toward the floor"),
    ("torso", "leaning_forward"): ("leaning far forward", "inclined far forward",
                                   "bent far forward", "tilted far forward",
                                   "leaning deeply forward"),
    ("torso", "leaning_slightly_forward"): ("leaning slightly forward", "inclined slightly forward",
                                            "bent slightly forward", "tilted slightly forward",
                                            "leaning a little forward"),
    ("torso", "leaning_backward"): ("leaning far back", "inclined far backward",
                                    "bent far backward", "tilted far back",
                                    "leaning far backward"),
    ("torso", "leaning_slightly_backward"): ("leaning slightly back", "inclined slightly backward",
                                             "bent slightly backward", "tilted slightly back",
                                             "leaning a little backward"),
    ("torso", "leaning_~"): ("leaning far to the ~", "inclined far to the ~", "bent far to the ~",
                             "tilted far to the ~", "leaning far ~"),
    ("torso", "leaning_slightly_~"): ("leaning slightly to the ~", "inclined slightly to the ~",
                                      "bent slightly to the ~", "tilted slightly to the ~",
                                      "leaning a little to the ~"),
    ("torso", "twisted_~"): ("twisted far to the ~", "turned far to the ~", "rotated far to the ~",
                             "twisted strongly to the ~", "turned strongly to the ~"),
    ("torso", "twisted_slightly_~"): ("twisted slightly to the ~", "turned slightly to the ~",
                                      "rotated slightly to the ~", "twisted a little to the ~",
                                      "turned a little to the ~"),
    ("head", "bowed"): ("bowed", "bowed down", "bent down", "lowered to the chest", "hanging down"),
    ("head", "thrown_back"): ("thrown back", "bent back", "tilted back", "laid back",
                              "tipped backward"),
    ("head", "turned_~"): ("turned to the ~", "facing to the ~", "turned ~", "rotated to the ~",
                           "turned sideways to the ~"),
    ("head", "turned_slightly_~"): ("turned slightly to the ~", "turned a little to the ~",
                                    "rotated slightly to the ~", "turned a bit to the ~",
                                    "facing slightly to the ~"),
    ("head", "tipped_~"): ("tilted to the ~", "leaning to the ~", "inclined to the ~",
                           "tipped to the ~", "bent to the ~"),
})  # fmt: skip
"""Part and relation -> what is said of the part."""
POSITION_WORDS_ALSO = _each_side({
    ("body", "lying_on_back"): ("lies on the back", "lies face up", "lie on the back",
                                "laying on the back", "lying supine"),
    ("body", "lying_on_front"): ("lies on the stomach", "lies face down", "lie on the stomach",
                                 "lies on the belly", "lies on the front", "laying face down",
                                 "lying prone"),
    ("body", "lying_on_~"): ("lies on the ~ side", "lie on the ~ side"),
    ("body", "upside_down"): ("in a handstand", "in a headstand", "doing a handstand",
                              "doing a headstand", "standing on the hands",
                              "standing on the head"),
    ("body", "on_all_fours"): ("on the hands and the knees", "crawling"),
    ("torso", "facing_up"): ("facing up",),
    ("torso", "facing_down"): ("facing down",),
    ("head", "bowed"): ("looking down", "facing down", "tilted forward", "bent forward",
                        "lowered", "down", "tilted down", "inclined forward"),
    ("head", "thrown_back"): ("looking up", "facing up", "tilted backward", "tilted up"),
    ("head", "turned_~"): ("looking ~", "looking to the ~"),
    ("head", "tipped_~"): ("tilted ~",),
})  # fmt: skip

TURN_WORDS = _each_side({
    ("around", "any"): ("turn around", "turn all the way around", "make a half turn",
                        "turn to face the other way", "spin halfway around"),
    ("whole_~", "slight"): ("turn the whole body slightly to the ~",
                            "turn {d} whole body a little to the ~",
                            "rotate the whole body slightly to the ~",
                            "face slightly more to the ~", "face a little further to the ~"),
    ("whole_~", "quarter"): ("make a quarter turn to the ~", "turn the whole body to face ~",
                             "turn the whole body 90 degrees to the ~",
                             "rotate {d} whole body a quarter to the ~", "face to the ~"),
    ("whole_~", "far"): ("turn the whole body far to the ~",
                         "turn {d} whole body almost around to the ~",
                         "rotate the whole body far to the ~", "turn far around to the ~",
                         "spin far around to the ~"),
})  # fmt: skip
"""Action and size of a turn of the whole body -> instructions, each a sentence of its own."""
TURN_WORDS_ALSO = _each_side({
    ("around", "any"): ("turn round", "face the other way", "turn 180 degrees", "face backward",
                        "turn completely around"),
    ("whole_~", "any"): ("turn the whole body to the ~", "rotate the whole body to the ~",
                         "turn the whole body ~", "face more to the ~"),
    ("whole_~", "quarter"): ("face ~", "turn 90 degrees to the ~", "quarter turn to the ~"),
})  # fmt: skip
