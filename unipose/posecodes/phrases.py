"""All wording, once: what the writers say and what the reader understands besides.

"{o}" is where the second part goes (always last), "{d}" a determiner that is the same all through
a text. The first table of each kind is what writers use; tables called ALSO are only read.
"""

from __future__ import annotations

PART_WORDS: dict[str, tuple[str, ...]] = {
    "hand": ("hand",),
    "foot": ("foot",),
    "elbow": ("elbow",),
    "knee": ("knee",),
    "ankle": ("ankle",),
    "shoulder": ("shoulder",),
    "hip": ("hip",),
    "upperarm": ("upper arm",),
    "forearm": ("forearm",),
    "thigh": ("thigh",),
    "shin": ("shin",),
    "arm": ("arm",),
    "leg": ("leg",),
    "neck": ("neck",),
    "head": ("head",),
    "torso": ("torso", "upper body"),
}
PLURALS = {"foot": "feet", "thigh": "thighs"}
PART_WORDS_ALSO: dict[str, tuple[str, ...]] = {
    "hand": ("wrist", "palm", "fist", "fingers"),
    "foot": ("heel", "toe", "toes"),
    "upperarm": ("upperarm",),
    "forearm": ("lower arm",),
    "thigh": ("upper leg",),
    "shin": ("lower leg", "calf"),
    "torso": ("trunk", "chest", "back", "belly", "stomach", "spine"),
    "waist": ("waist",),
    "pelvis": ("pelvis", "hip area"),
    "head": ("face",),
}
PERSON = ("someone", "a person", "the person", "this person", "the figure")
PERSON_ALSO = (
    "person", "figure", "body", "man", "woman", "human", "subject", "somebody", "one", "he", "she",
    "you", "them", "him", "people",
)  # fmt: skip

PAIR: dict[str, tuple[str, ...]] = {
    "close": ("close together", "near each other", "close to each other", "next to each other",
              "together"),
    "shoulder_width": ("shoulder width apart", "about shoulder width apart",
                       "as far apart as the shoulders", "at shoulder width",
                       "apart at shoulder width"),
    "spread": ("held apart", "spread apart", "set apart", "moderately far apart",
               "some way apart"),
    "wide": ("wide apart", "far apart", "spread wide", "widely spread", "far from each other"),
}  # fmt: skip
"""Distances of a left and a right part that are spoken of as one: "both hands are {...}"."""
PAIR_ALSO: dict[str, tuple[str, ...]] = {
    "close": ("touching", "touching each other", "clasped", "joined", "side by side",
              "pressed together", "almost touching", "brought together"),
    "shoulder_width": ("a shoulder width apart", "hip width apart"),
    "spread": (),
    "wide": ("stretched wide apart", "wide open", "spread far apart", "spread wide apart"),
    "apart": ("apart", "spread", "separated", "away from each other", "not together"),
    "level": ("level", "at the same height", "level with each other", "at the same level"),
}  # fmt: skip

BINARY: dict[str, tuple[str, ...]] = {
    "close": ("close to {o}", "near {o}", "next to {o}", "by {o}", "beside {o}"),
    "above": ("above {o}", "higher than {o}", "over {o}", "up above {o}", "raised above {o}"),
    "below": ("below {o}", "lower than {o}", "under {o}", "beneath {o}", "down below {o}"),
    "front": ("in front of {o}", "ahead of {o}", "forward of {o}", "further forward than {o}",
              "out in front of {o}"),
    "behind": ("behind {o}", "further back than {o}", "to the rear of {o}", "back behind {o}",
               "farther back than {o}"),
    "at_left": ("to the left of {o}", "left of {o}", "on the left of {o}",
                "on the left side of {o}", "further left than {o}"),
    "at_right": ("to the right of {o}", "right of {o}", "on the right of {o}",
                 "on the right side of {o}", "further right than {o}"),
}  # fmt: skip
BINARY_ALSO: dict[str, tuple[str, ...]] = {
    "close": ("touching {o}", "at {o}", "on {o}", "resting on {o}", "against {o}",
              "right next to {o}", "very close to {o}", "right by {o}", "touches {o}",
              "reaching {o}",
              "placed on {o}", "to {o}", "close by {o}", "grabbing {o}", "holding {o}",
              "touch {o}"),
    "above": ("raised over {o}", "lifted above {o}", "higher up than {o}", "is above {o}",
              "up over {o}", "on top of {o}", "raised higher than {o}", "lifted over {o}"),
    "below": ("underneath {o}", "lowered below {o}", "further down than {o}"),
    "front": ("before {o}", "straight out in front of {o}", "straight in front of {o}",
              "held out in front of {o}", "extended in front of {o}",
              "extended out in front of {o}",
              "reaching in front of {o}", "forward from {o}", "in the front of {o}",
              "more forward than {o}",
              "stretched in front of {o}", "stretched out in front of {o}"),
    "behind": ("in back of {o}", "at the back of {o}", "in the back of {o}", "backward of {o}"),
    "at_left": ("at the left of {o}", "to the left side of {o}", "leftward of {o}"),
    "at_right": ("at the right of {o}", "to the right side of {o}", "rightward of {o}"),
    "wide": ("far from {o}", "far away from {o}"),
    "apart": ("away from {o}", "apart from {o}"),
    "level": ("level with {o}", "at the same height as {o}", "as high as {o}",
              "at the height of {o}", "at the level of {o}"),
}  # fmt: skip

UNARY: dict[str, tuple[str, ...]] = {
    "completely_bent": ("completely bent", "fully bent", "bent all the way", "folded up",
                        "tightly folded"),
    "bent_more": ("sharply bent", "strongly bent", "deeply bent", "bent a lot", "very bent"),
    "right_angle": ("at a right angle", "bent at a right angle", "bent at 90 degrees",
                    "at 90 degrees", "bent to a right angle"),
    "bent_less": ("partly bent", "half bent", "moderately bent", "somewhat bent", "bent halfway"),
    "slightly_bent": ("slightly bent", "a little bent", "a bit bent", "almost straight",
                      "nearly straight"),
    "straight": ("straight", "fully extended", "extended", "stretched out", "outstretched"),
    "horizontal": ("horizontal", "parallel to the ground", "parallel to the floor",
                   "level with the ground", "level with the floor"),
    "vertical": ("vertical", "upright", "straight up and down", "perpendicular to the ground",
                 "perpendicular to the floor"),
}  # fmt: skip
"""Relations of one part alone."""
UNARY_ALSO: dict[str, tuple[str, ...]] = {
    "completely_bent": ("folded", "completely folded", "fully flexed", "completely flexed",
                        "folded tightly"),
    "bent_more": ("sharply flexed", "bent sharply", "strongly flexed", "deeply flexed",
                  "bent deeply", "bent strongly", "tightly bent", "heavily bent", "acutely bent",
                  "very flexed", "well bent"),
    "right_angle": ("bent to 90 degrees", "to a right angle", "to 90 degrees", "squared",
                    "bent 90 degrees", "bent at an angle of 90 degrees",
                    "in an l shape", "forming a right angle", "bent in an l shape", "at 90",
                    "flexed at 90 degrees", "flexed at a right angle"),
    "bent_less": ("partially bent", "partly flexed", "bent partway", "half flexed",
                  "moderately flexed"),
    "slightly_bent": ("bent slightly", "bent a little", "bent a bit", "slightly flexed",
                      "flexed slightly", "softly bent", "lightly bent", "a bit flexed",
                      "a little flexed", "mostly straight", "not quite straight"),
    "straight": ("stretched", "unbent", "straightened", "completely straight", "fully straight",
                 "straight out", "extended straight", "held straight", "fully stretched",
                 "perfectly straight", "extended fully", "straightened out", "locked"),
    "bent": ("bent", "flexed", "bending", "bend", "bends"),
    "horizontal": ("flat", "held horizontally", "horizontally", "parallel with the ground",
                   "level to the ground"),
    "vertical": ("straight up", "vertically", "straight down", "held vertically", "hanging down",
                 "pointing up", "pointing down", "pointing straight up", "pointing straight down"),
}  # fmt: skip

BODY: dict[str, tuple[str, ...]] = {
    "kneeling": ("kneeling", "kneeling on both knees", "kneeling down", "down on both knees",
                 "kneeling on the ground"),
    "kneeling_on_left": ("kneeling on the left knee", "down on the left knee",
                         "on one knee with the left knee down", "kneeling only on the left knee",
                         "kneeling down on the left knee"),
    "kneeling_on_right": ("kneeling on the right knee", "down on the right knee",
                          "on one knee with the right knee down",
                          "kneeling only on the right knee", "kneeling down on the right knee"),
    "bent_forward": ("bent forward", "bending forward", "leaning forward", "bent over forward",
                     "inclined forward"),
    "bent_backward": ("bent backward", "bending backward", "leaning back", "leaning backward",
                      "arched backward"),
    "bent_left": ("bent to the left", "bending to the left", "leaning to the left",
                  "leaning left", "tilted to the left"),
    "bent_right": ("bent to the right", "bending to the right", "leaning to the right",
                   "leaning right", "tilted to the right"),
    "standing": ("standing", "standing up", "on the feet", "standing upright",
                 "in a standing pose"),
    "sitting": ("sitting", "seated", "in a sitting pose", "sitting down", "sitting as on a chair"),
    "squatting": ("squatting", "crouching", "crouched", "in a squat", "squatting down"),
    "lunging_on_left": ("lunging forward on the left leg", "in a lunge with the left leg in front",
                        "in a lunge on the left leg", "lunging onto the left leg",
                        "lunging with the left leg forward"),
    "lunging_on_right": ("lunging forward on the right leg",
                         "in a lunge with the right leg in front", "in a lunge on the right leg",
                         "lunging onto the right leg", "lunging with the right leg forward"),
}  # fmt: skip
BODY_ALSO: dict[str, tuple[str, ...]] = {
    "kneeling": ("kneels", "kneel", "kneel down", "kneeling on the floor", "down on the knees",
                 "kneels down", "kneels on both knees", "knelt"),
    "kneeling_on_left": ("kneels on the left knee", "kneels on left knee",
                         "kneel on the left knee", "kneel on left knee"),
    "kneeling_on_right": ("kneels on the right knee", "kneels on right knee",
                          "kneel on the right knee", "kneel on right knee"),
    "lunging_on_left": ("lunge forward on the left leg", "lunge forward on left leg",
                        "lunge onto the left leg", "lunge onto left leg"),
    "lunging_on_right": ("lunge forward on the right leg", "lunge forward on right leg",
                         "lunge onto the right leg", "lunge onto right leg"),
    "bent_forward": ("bends forward", "bent over", "leans forward", "bending over", "hunched",
                     "hunched forward", "hunched over", "bends over", "leaned forward",
                     "folded forward", "tilted forward", "stooped", "stooping", "bowing",
                     "bending down", "leaning over", "bent at the waist"),
    "bent_backward": ("bends backward", "leans back", "leans backward", "leaned back",
                      "arched back", "arching back", "bent back", "bent backwards",
                      "leaning backwards", "tilted back", "tilted backward", "bending back"),
    "bent_left": ("bends to the left", "leans to the left", "leans left", "bent left",
                  "tilted left", "inclined to the left", "bending left", "tilting to the left"),
    "bent_right": ("bends to the right", "leans to the right", "leans right", "bent right",
                   "tilted right", "inclined to the right", "bending right",
                   "tilting to the right"),
    "standing": ("stands", "stand", "stands up", "stood", "stand up straight",
                 "stands up straight", "standing up straight", "stand straight",
                 "stand up", "stand upright", "upright on the feet", "stands upright",
                 "standing straight", "stands straight"),
    "sitting": ("sits", "sit", "sits down", "sit down", "sitting on a chair"),
    "squatting": ("squats", "squat", "squat down", "crouch down", "crouches", "crouch",
                  "in a crouch", "squats down",
                  "crouching down", "in a deep squat"),
}  # fmt: skip

LIMBS: dict[str, tuple[str, ...]] = {
    "overhead": ("overhead", "raised overhead", "above the head", "high above the head",
                 "raised above the head"),
    "crossed": ("crossed", "crossed over", "crossing each other", "crossed in front",
                "crossing"),
    "t_pose": ("in a t pose", "straight out to the sides", "in a t shape",
               "straight out sideways", "held straight out to the sides"),
    "at_side": ("at {d} side", "hanging at {d} side", "down at {d} side", "down by {d} side",
                "hanging down at {d} side"),
    "on_hip": ("on {d} hip", "resting on {d} hip", "placed on {d} hip", "propped on {d} hip",
               "held on {d} hip"),
    "on_ground": ("on the ground", "on the floor", "touching the ground", "touching the floor",
                  "down on the ground"),
    "reach_front": ("reaching forward", "stretched forward", "held out in front",
                    "stretched out in front", "extended forward"),
    "out_side": ("out to {d} side", "held out to {d} side", "reaching out to {d} side",
                 "away to {d} side", "stretched out to {d} side"),
    "across": ("across the body", "stretched across the body", "crossing over the body",
               "reaching across the body", "brought across the body"),
}  # fmt: skip
"""Natural words for limbs that stand for one or several posecodes; see facts.LIMB_STATEMENTS."""
LIMBS_ALSO: dict[str, tuple[str, ...]] = {
    "overhead": ("over the head", "up overhead", "straight overhead", "above head",
                 "up in the air", "in the air above the head", "high up", "reaching overhead"),
    "crossed": ("folded across the chest", "crossed over the chest",
                "crossed in front of the chest"),
    "t_pose": ("in t pose", "t pose", "stretched straight out to the sides",
               "straight out to the side", "extended straight out to the sides"),
    "reach_front": ("in front", "out in front", "straight out in front", "out to the front",
                    "stretched out forward", "forward", "pointing forward", "raised in front",
                    "held in front", "held forward", "raised to the front", "straight forward",
                    "extended in front", "stretched in front", "reaching out",
                    "reaching to the front"),
    "out_side": ("out sideways", "sideways", "to the side", "to the sides",
                 "outstretched to the sides", "spread to the sides", "outstretched to the side",
                 "extended to the side", "extended to the sides", "extended out to the sides",
                 "raised to the sides", "raised to the side", "held to the side"),
    "at_side": ("at the sides", "to {d} side", "down to {d} side", "by the side", "by the sides",
                "at side", "hanging down",
                "hanging at the sides", "down at the sides", "down by the sides", "along the body",
                "hanging by the sides", "at sides", "hanging", "relaxed at the sides",
                "hanging loosely", "resting at the sides"),
    "on_hip": ("on the hips", "on hips", "at the hips", "akimbo", "resting on the hips"),
    "on_ground": ("on ground", "touches the ground", "resting on the ground",
                  "planted on the ground"),
    "across": ("across the chest",),
    "out_left": ("out to the left", "stretched out to the left", "extended to the left",
                 "to the left", "reaching to the left", "pointing to the left",
                 "raised to the left",
                 "pointing left", "held out to the left"),
    "out_right": ("out to the right", "stretched out to the right", "extended to the right",
                  "to the right", "reaching to the right", "pointing to the right",
                  "raised to the right", "pointing right", "held out to the right"),
    "backward": ("backward", "to the back", "backwards", "to the rear", "stretched backward"),
    "shoulder_height": ("at shoulder height", "to shoulder height", "at shoulder level"),
    "raised": ("raised", "lifted", "up", "raised up", "raised high", "held up", "elevated",
               "lifted up", "held high", "in the air", "raises", "lifts"),
    "lowered": ("lowered", "down", "held low", "dropped", "pointing to the ground"),
}  # fmt: skip

SIZES: dict[str, tuple[str, ...]] = {
    "slight": ("slightly", "a little", "a bit"),
    "medium": ("clearly", "quite a bit"),
    "much": ("a lot", "much"),
}
SIZES_ALSO: dict[str, tuple[str, ...]] = {
    "slight": ("a tiny bit", "a touch", "somewhat", "a little bit", "just a bit", "lightly"),
    "medium": ("noticeably", "moderately", "considerably"),
    "much": (
        "far",
        "well",
        "very much",
        "deeply",
        "sharply",
        "fully",
        "strongly",
        "significantly",
        "a great deal",
        "way",
        "wide",
    ),
}

VERBS: dict[str, tuple[str, ...]] = {
    "bend": ("bend", "flex"),
    "unbend": ("unbend", "unfold"),
    "straighten": ("straighten", "extend", "stretch", "stretch out"),
    "move": ("move", "bring", "shift"),
    "up": ("raise", "lift"),
    "down": ("lower", "drop"),
    "lean": ("lean", "tilt"),
    "turn": ("turn", "twist", "rotate"),
    "apart": ("spread",),
}
"""What an instruction begins with; each action's own verb, and "move" for directions."""
VERBS_ALSO: dict[str, tuple[str, ...]] = {
    "bend": ("fold", "bending", "flexing"),
    "unbend": ("open", "unbending", "unfolding", "open up"),
    "straighten": ("straighten out", "straighten up", "fully extend", "fully straighten",
                   "extend out", "straightening", "extending", "make straight", "stretching",
                   "stretching out"),
    "move": ("push", "pull", "put", "take", "swing", "slide", "draw", "step", "place", "reach",
             "moving", "bringing", "shifting", "get"),
    "up": ("raise up", "lift up", "elevate", "raising", "lifting"),
    "down": ("lower down", "put down", "lowering", "drop down", "dropping"),
    "lean": ("incline", "leaning", "tilting"),
    "turn": ("turning", "twisting", "rotating"),
    "apart": ("separate", "widen", "spread apart", "spreading"),
    "closer": ("close", "narrow", "join"),
}  # fmt: skip

DIRECTIONS: dict[str, tuple[str, ...]] = {
    "up": ("up", "upward"),
    "down": ("down", "downward"),
    "left": ("to the left", "left"),
    "right": ("to the right", "right"),
    "forward": ("forward", "to the front"),
    "back": ("back", "backward"),
}
"""Said after "slightly" or "far"."""
COMPARED: dict[str, tuple[str, ...]] = {
    "up": ("higher", "further up"),
    "down": ("lower", "further down"),
    "left": ("further left", "further to the left"),
    "right": ("further right", "further to the right"),
    "forward": ("further forward", "more to the front"),
    "back": ("further back", "more to the back"),
}
"""Said after "slightly", "much" or "a lot"."""
DIRECTIONS_ALSO: dict[str, tuple[str, ...]] = {
    "up": ("upwards", "higher up"),
    "down": ("downwards", "lower down"),
    "left": ("leftward", "leftwards", "towards the left", "toward the left", "more to the left",
             "to the left side", "farther left", "more left", "out to the left"),
    "right": ("rightward", "rightwards", "towards the right", "toward the right",
              "more to the right", "to the right side", "farther right", "more right",
              "out to the right"),
    "forward": ("forwards", "ahead", "in front", "farther forward", "more forward",
                "toward the front", "towards the front", "to front", "in front of you",
                "in front of the body", "out in front"),
    "back": ("backwards", "to the back", "behind", "farther back", "more back", "behind you",
             "behind the body", "toward the back", "to the rear"),
}  # fmt: skip
MORE = ("more", "further", "even more")
LESS = ("less",)
TOGETHER: dict[str, tuple[str, ...]] = {
    "closer": ("closer together", "closer to each other", "nearer to each other"),
    "apart": ("further apart", "further away from each other", "farther apart"),
}
TOGETHER_ALSO: dict[str, tuple[str, ...]] = {
    "closer": ("together", "close together", "toward each other", "towards each other", "closer",
               "nearer together"),
    "apart": ("apart", "away from each other", "wide apart", "far apart", "wider", "wider apart"),
}  # fmt: skip
TOWARD: dict[str, tuple[str, ...]] = {
    "closer": ("closer to {o}", "nearer to {o}"),
    "apart": ("away from {o}", "further away from {o}"),
}
TOWARD_ALSO: dict[str, tuple[str, ...]] = {
    "closer": ("close to {o}", "toward {o}", "towards {o}", "in to {o}"),
    "apart": ("further from {o}", "farther from {o}", "farther away from {o}", "off {o}"),
}
TARGETS = ("should be", "should end up", "must be", "has to be", "needs to be")
"""Before a state that the second pose is in."""
NOTHING_CHANGES = (
    "Nothing changes.",
    "Keep the pose as it is.",
    "Stay in this pose.",
    "Hold the same pose.",
    "The pose stays the same.",
)
