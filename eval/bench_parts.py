"""Which programs `eval.bench` runs, and which of their figures stand on its page.

A figure is named by its place in the JSON that the program prints ("described.truth"). What stands
beside it is looked up there as well: `chance_NAME` and `ceiling_NAME` in the same place, or the
figure that is named here.

One file: a table of the benchmarks, read from top to bottom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Need = Literal["mocap", "photos", "lifting", ""]
"""A folder without which a part is left out: of recordings, marked photographs, trained lifters."""
MOCAP, PHOTOS, LIFTING = "MOCAP", "PHOTOS", "LIFTING"
"""Words of a command that stand for such folders."""


@dataclass(frozen=True, kw_only=True)
class BenchFigure:
    """One line of the page."""

    key: str
    what: str
    unit: str = ""
    """Behind the number; "share" is a number from 0 to 1 that is shown in percent."""
    chance: str | None = None
    """Where what no knowledge scores is found; None: at `chance_NAME`. Empty if it is not there."""
    by: str = "chance"
    """What that is: "mean pose", "most frequent"."""
    ceiling: str | None = None
    """Where the most that can be hoped for is found; None: at `ceiling_NAME`."""
    out_of: str = ""
    """Where the number is found of which this one is a part: "55 of 61"."""
    readme: str = ""
    """The README's table that shows it; empty: none."""


@dataclass(frozen=True, kw_only=True)
class BenchPart:
    """One command and its figures."""

    name: str
    title: str
    program: str
    options: tuple[str, ...] = ()
    figures: tuple[BenchFigure, ...]
    needs: Need = "mocap"
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables of the command."""

    @property
    def command(self) -> tuple[str, ...]:
        """Return the words of the command, folders as MOCAP, PHOTOS and LIFTING."""
        return ("python", "-m", self.program, *self.options, "--json")


def _of(key: str, what: str, unit: str = "share", **rest: str) -> BenchFigure:
    return BenchFigure(key=key, what=what, unit=unit, **rest)


ON_TEST = ("--data", MOCAP, "--split", "test")
SMOL = ("--model", "smol")
NO_PLACE = "told that they touch, not where"
NEAREST = "nearest vertices, ten times the weight"
NO_CONTACTS = "keypoints and pose prior alone"
FEWER = ("--poses", "250", "--pairs", "250")
"""About half of what is asked usually: all benchmarks together took over an hour."""
HALF = ("--poses", "100", "--pairs", "100")
"""Half of what is asked usually: thirty layers take their time."""
KEEP_MEMORY = {
    "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "268435456",
}  # fmt: skip
"""As `train.kept_memory` sets: both trainings of the comparison keep their memory."""

POSES = (
    BenchPart(
        name="reconstruction", title="Poses as codes: unipose-mini's tokenizer",
        program="eval.reconstruction", options=ON_TEST,
        figures=(
            _of("mpjpe_mm", "unipose-mini's codes, there and back: MPJPE", "mm", readme="poses"),
            _of("pa_mpjpe_mm", "PA-MPJPE", "mm"),
            _of("sources.cmu-actions.mpjpe_mm", "CMU, actions: MPJPE", "mm"),
            _of("sources.hdm05.mpjpe_mm", "HDM05, a source never seen: MPJPE", "mm"),
            _of("mpjpe_p95_mm", "95 % of the poses within", "mm"),
            _of("codebook_use", "codes in use"),
        ),
    ),
    BenchPart(
        name="pose_codes", title="Poses as codes: the tokenizer that searches",
        program="eval.reconstruction",
        options=(*ON_TEST, "--tokenizer", "unipose/weights/pose_codes"),
        figures=(
            _of("mpjpe_mm", "codes that are searched for, there and back: MPJPE", "mm",
                readme="poses"),
            _of("pa_mpjpe_mm", "PA-MPJPE", "mm"),
            _of("mpjpe_p95_mm", "95 % of the poses within", "mm"),
            _of("codebook_use", "codes in use"),
        ),
    ),
    BenchPart(
        name="retargeting", title="Recordings brought onto the body", program="eval.retargeting",
        options=("--data", MOCAP),
        figures=(
            _of("direction_error_deg", "bones: mean error of direction", "degrees"),
            _of("direction_error_p95_deg", "bones: 95 % within", "degrees"),
        ),
    ),
    BenchPart(
        name="edited_recordings", title="Recordings changed on their own skeletons",
        program="eval.edited_recordings", options=("--data", MOCAP),
        figures=(
            _of("same_bytes", "BVH files the same bytes without a change", "",
                out_of="recordings"),
            _of("direction_deg", "turned limbs, largest error of direction", "degrees"),
            _of("kinds.arm.joints_mm", "an arm turned: mean distance of joints", "mm"),
            _of("kinds.leg.joints_mm", "a leg turned: mean distance of joints", "mm"),
        ),
    ),
    BenchPart(
        name="truth", title="Is it true: describing, making, changing", program="eval.truth",
        options=(*ON_TEST, *FEWER),
        figures=(
            _of("described_true", "of what `describe` states, true", readme="poses"),
            _of("generated_true", "of what a prompt states, true of what `generate` makes",
                readme="poses"),
            _of("edited_true", "of the changes that `edit` is asked for, happened",
                readme="poses"),
            _of("edited_briefly_true", "the same, one or two things as typed in a chat",
                readme="poses"),
            _of("edit_drift_mm", "joints that an edit does not speak of, moved by", "mm",
                chance="chance_edit_drift_mm", readme="poses"),
        ),
    ),
    BenchPart(
        name="named", title="Everyday language: named poses", program="eval.named", needs="",
        figures=(
            _of("named_top1", "the pose that a held-out wording names", "%", chance="chance",
                ceiling="encoded", readme="poses"),
            _of("family", "at least its family", "%"),
        ),
    ),
    BenchPart(
        name="comprehension", title="Understanding poses and pictures",
        program="eval.comprehension", options=ON_TEST,
        figures=(
            _of("described.r_precision_top1", "a described pose among 32, first choice",
                ceiling="described.writer_r_precision_top1", readme="poses"),
            _of("compared.r_precision_top1", "a described change among 32, first choice",
                ceiling="compared.writer_r_precision_top1"),
            _of("compared.truth", "of what `compare` states, true", readme="poses"),
            _of("seen.truth", "of what `describe` states of studio pictures, true (own eyes)"),
            _of("described.bleu4", "descriptions, BLEU-4 against our writer", ""),
        ),
    ),
    BenchPart(
        name="generation", title="Poses from words", program="eval.generation",
        options=(*ON_TEST, *FEWER),
        figures=(
            _of("generated.text_to_pose_at_5", "made poses, text to pose, recall at 5",
                chance="generated.chance_at_5"),
            _of("generated.mpjpe_mm", "made poses, MPJPE to the pose of the text", "mm",
                chance="generated.mean_pose_mpjpe_mm", by="mean pose"),
            _of("edited.mpjpe_mm", "changed poses, MPJPE to the pose of the text", "mm",
                chance="edited.unchanged_mpjpe_mm", by="unchanged"),
        ),
    ),
    BenchPart(
        name="grounding", title="What comes through the language model",
        program="eval.grounding", options=ON_TEST,
        figures=(
            _of("generated", "made poses, nothing taken away", "%"),
            _of("generated_without_llm", "made poses, the language model erased", "%"),
            _of("described", "descriptions, nothing taken away", "%"),
            _of("described_fits_given_codes", "descriptions fit the codes that were given", "%"),
            _of("answers", "questions in words, nothing taken away", "%"),
        ),
    ),
    BenchPart(
        name="smol_grounding", title="unipose-smol: what comes through the language model",
        program="eval.grounding", options=(*ON_TEST, *SMOL, *HALF, "--questions", "2"),
        figures=(
            _of("described", "of what it states, true", "%", readme="smol"),
            _of("described_fits_own_pose", "given another pose's codes: of its own pose", "%",
                chance="chance_described"),
            _of("described_fits_given_codes", "given another pose's codes: of that pose", "%",
                chance="chance_described"),
            _of("generated", "of what a prompt states, true of the pose it makes", "%",
                readme="smol"),
            _of("generated_without_llm", "the same, the language model's states erased", "%",
                chance="chance_generated", readme="smol"),
            _of("edited", "of the changes that are asked for, happened", "%", readme="smol"),
            _of("edited_without_llm", "the same, the language model's states erased", "%",
                chance="chance_edited", readme="smol"),
        ),
    ),
    BenchPart(
        name="smol_answers", title="unipose-smol: questions from the codes alone",
        program="eval.answers", options=(*ON_TEST, *SMOL, "--from-codes"),
        figures=(
            _of("held_out_yes_no", "yes or no", "%"),
            _of("held_out_which", "which", "%"),
            _of("held_out_how_much", "how much, within 20 degrees or 12 cm", "%"),
        ),
    ),
    BenchPart(
        name="smol_named", title="unipose-smol: named poses", program="eval.named",
        options=SMOL, needs="",
        figures=(
            _of("named_top1", "the pose that a held-out wording names", "%", chance="chance",
                ceiling="encoded", readme="smol"),
            _of("family", "at least its family", "%"),
        ),
    ),
    BenchPart(
        name="retrieval", title="The evaluators themselves", program="eval.retrieval",
        options=ON_TEST,
        figures=(
            _of("pose.r_precision_top1", "pose among 32 texts, first choice"),
            _of("pose.mean_recall", "pose, mean recall (gallery of 500)"),
            _of("pair.r_precision_top1", "pair among 32 texts, first choice"),
        ),
    ),
    BenchPart(
        name="speed", title="How long poses take", program="eval.speed",
        options=("--data", MOCAP),
        figures=(
            _of("first_answer_s", "from the command to a description", "s"),
            _of("answer_s", "an answer of the slowest task", "s"),
            _of("pose_at_once_s", "a pose, in one forward pass", "s"),
            _of("pose_speedup", "faster than code by code", "times"),
            _of("tokenizer_poses_per_s", "tokenizer, there and back", "poses/s"),
            _of("peak_memory_mb", "memory", "MB"),
        ),
    ),
)  # fmt: skip

CONVERSATIONS = (
    BenchPart(
        name="answers", title="Questions about a pose", program="eval.answers",
        options=("--data", MOCAP),
        figures=tuple(
            _of(f"held_out_{kind}", f"{what}, wordings of test", "%", chance=f"chance_{kind}",
                readme="conversations")
            for kind, what in (
                ("yes_no", "yes or no, right"),
                ("which", "which side, right"),
                ("where", "where, right"),
                ("how_much", "how much, within 5 degrees or 3 cm"),
                ("not_shown", "what a pose does not show, refused"),
            )
        ),
    ),
    BenchPart(
        name="requests", title="What is understood: calls and their arguments",
        program="eval.requests", options=("--data", MOCAP),
        figures=(
            _of("single_known", "single turns, wordings of training", "%",
                chance="frequent_single_known", by="most frequent"),
            _of("single", "single turns, wordings of test: right call and arguments", "%",
                chance="frequent_single", by="most frequent", readme="conversations"),
            _of("conversations", "turns of conversations of six", "%",
                chance="frequent_conversations", by="most frequent", readme="conversations"),
        ),
    ),
    BenchPart(
        name="talk", title="A conversation as people type", program="eval.talk", needs="",
        figures=(
            _of("right", "a conversation as people type: lines right", "", out_of="lines",
                readme="conversations"),
        ),
    ),
    BenchPart(
        name="conversation_speed", title="How long a conversation takes",
        program="eval.conversation_speed", needs="",
        figures=(
            _of("first_answer_s", "from the command to the first answer", "s", readme="speed"),
            _of("first_word_s", "to the first word of the next", "s", readme="speed"),
            _of("words_per_s", "words after it", "words/s", readme="speed"),
            _of("peak_memory_mb", "memory of a conversation", "MB", readme="speed"),
        ),
    ),
    BenchPart(
        name="serving", title="The server under load", program="eval.serving", needs="",
        options=("--batching", "20"),
        figures=(
            _of("answered", "valid requests of 32 clients answered", ""),
            _of("wrong_answers", "of them wrong", ""),
            _of("lost", "lost", ""),
            _of("server_errors", "errors of the server", ""),
            _of("memory_growth", "memory grown"),
            _of("requests_per_s", "answered", "requests/s"),
        ),
    ),
)  # fmt: skip

PICTURES = (
    BenchPart(
        name="photographs", title="Photographs, marked by hand", program="eval.photographs",
        options=("--data", PHOTOS), needs="photos",
        figures=(
            _of("pck_02", "joints of limbs within 0.2 torso lengths, box given",
                readme="pictures"),
            _of("pck_02_visible", "of these, visible ones", readme="pictures"),
            _of("pck_02_hidden", "of these, hidden ones", readme="pictures"),
            _of("recall", "people found without a box", readme="pictures"),
            _of("heights_true", "which of two joints is higher, right", readme="pictures"),
            _of("described_true", "what `describe` says is above or below, true",
                readme="pictures"),
            _of("ms_a_person", "from a box to a pose", "ms"),
        ),
    ),
    BenchPart(
        name="films", title="People followed through films: one person", program="eval.films",
        options=(*ON_TEST, "--alone"),
        figures=(
            _of("mpjpe_mm", "films of one person, tracked: MPJPE", "mm", chance="plain_mpjpe_mm",
                by="frame by frame", readme="pictures"),
            _of("acceleration", "the same: error of acceleration", "m/s2",
                chance="plain_acceleration", by="frame by frame", readme="pictures"),
            _of("followed", "frames followed"),
            _of("frames_per_s", "the same: speed", "frames/s", readme="pictures"),
        ),
    ),
    BenchPart(
        name="films_of_people", title="People followed through films: one to four",
        program="eval.films", options=ON_TEST,
        figures=(
            _of("mpjpe_mm", "tracked: MPJPE", "mm", chance="plain_mpjpe_mm",
                by="frame by frame"),
            _of("followed", "frames followed"),
            _of("frames_per_s", "tracking", "frames/s"),
        ),
    ),
    BenchPart(
        name="estimation", title="Studio pictures, the model's own eyes",
        program="eval.estimation", options=ON_TEST,
        figures=(
            _of("mpjpe_mm", "studio pictures, the model's own eyes: MPJPE", "mm",
                chance="mean_pose_mpjpe_mm", by="mean pose", readme="pictures"),
            _of("pa_mpjpe_mm", "PA-MPJPE", "mm", chance="mean_pose_pa_mpjpe_mm",
                by="mean pose"),
        ),
    ),
    BenchPart(
        name="recognition", title="Contacts and actions", program="eval.recognition",
        options=ON_TEST,
        figures=(
            _of("contacts_f1", "touching parts in studio pictures, F1", readme="pictures"),
            _of("pose_contacts_f1", "touching parts of true poses, F1"),
            _of("actions_accuracy", "actions in studio films, out of 8", readme="pictures"),
        ),
    ),
)  # fmt: skip

SYSTEMS = (
    BenchPart(
        name="lifted_people", title="From keypoints to joints", program="eval.lifted_people",
        options=("--data", MOCAP, "--people", "40", "--films", "0"),
        figures=(
            _of("keypoints.mpjpe_mm", "`unipose lift`, COCO's 17 keypoints: MPJPE", "mm",
                chance="blazepose.mpjpe_mm", by="BlazePose's own depth", readme="systems"),
            _of("landmarks.mpjpe_mm", "`unipose estimate`, all landmarks: MPJPE", "mm",
                chance="blazepose.mpjpe_mm", by="BlazePose's own depth"),
        ),
    ),
    BenchPart(
        name="lifting", title="Lifters taught by a trainable loss", program="eval.lifting",
        options=("--runs", LIFTING, "--folder", MOCAP, "--gbi-steps", "0"), needs="lifting",
        figures=tuple(
            _of(f"{net}.{loss}.mpjpe_mm", f"{name}, {said}: MPJPE", "mm",
                chance=f"{net}.plain.mpjpe_mm", by="without it", readme=shown)
            for net, name, shown in (
                ("simple", "lifter SimpleBaseline", "systems"),
                ("semgcn", "SemGCN", ""),
                ("videopose", "VideoPose", ""),
            )
            for loss, said in (("margin", "margin loss"), ("nce", "NCE loss"))
        ),
    ),
    BenchPart(
        name="wholebody", title="Whole-body keypoints", program="eval.wholebody",
        options=("--data", MOCAP, "--sections", "speed", "shipped"),
        figures=(
            _of("torch_ms_1", "RTMPose-m, 133 keypoints: a person", "ms", readme="systems"),
            _of("cigpose_adds_1", "CIGPose's head adds"),
            _of("shipped_body_ap", "our small network on hidden people: AP of the body"),
        ),
    ),
    BenchPart(
        name="contact", title="Poses refined by contacts: two people", program="eval.contact",
        options=("--data", MOCAP, "--people", "2", "--keep", "runs/contact"),
        figures=(
            _of("initial.some_scenes_mm",
                "two people who touch (72 scenes), as estimated: joint PA-MPJPE", "mm",
                readme="systems"),
            _of("heuristic.some_scenes_mm",
                "the same, nobody asked: nearest vertices pulled together", "mm",
                readme="systems"),
            _of("oracle.some_scenes_mm", "the same, contacts known", "mm",
                chance="anywhere.some_scenes_mm", by=NO_PLACE, readme="systems"),
            _of("own_model.some_scenes_mm", "the same, contacts by our model", "mm",
                chance="anywhere.some_scenes_mm", by=NO_PLACE, readme="systems"),
            _of("own_model.average_pcc", "the same: true contacts that come about (PCC)", "%",
                chance="anywhere.average_pcc", by=NO_PLACE),
            _of("oracle.joint_pa_mpjpe_mm", "all 216 scenes, contacts known: joint PA-MPJPE", "mm",
                chance="heuristic.joint_pa_mpjpe_mm", by=NEAREST),
            _of("oracle.average_pcc", "the same: true contacts that come about (PCC)", "%",
                chance="heuristic.average_pcc", by=NEAREST),
        ),
    ),
    BenchPart(
        name="contact_alone", title="Poses refined by contacts: one person",
        program="eval.contact",
        options=("--data", MOCAP, "--people", "1", "--keep", "runs/contact"),
        figures=(
            _of("one_person.initial.joint_pa_mpjpe_mm", "as estimated: PA-MPJPE", "mm"),
            _of("one_person.oracle.joint_pa_mpjpe_mm", "contacts known: PA-MPJPE", "mm",
                chance="one_person.heuristic.joint_pa_mpjpe_mm", by=NO_CONTACTS),
            _of("one_person.own_model.joint_pa_mpjpe_mm", "contacts by our model: PA-MPJPE", "mm",
                chance="one_person.heuristic.joint_pa_mpjpe_mm", by=NO_CONTACTS),
            _of("one_person.oracle.pcc_at_0.05_m",
                "contacts known: true contacts nearer than 5 cm", "%",
                chance="one_person.heuristic.pcc_at_0.05_m", by=NO_CONTACTS),
        ),
    ),
    BenchPart(
        name="adaptation", title="A network that adapts to a film", program="eval.adaptation",
        options=(*ON_TEST, "--no-timing"),
        figures=(
            _of("fill_in.mpjpe_mm", "a film, adapted by keypoints, denoiser and label: MPJPE", "mm",
                chance="none.mpjpe_mm", by="not adapted", readme="systems"),
            _of("fill_in.hard_pa_mpjpe_mm", "people cut off or covered: PA-MPJPE", "mm",
                chance="none.hard_pa_mpjpe_mm", by="not adapted"),
            _of("cycleadapt.mpjpe_mm", "adapted without labels: MPJPE", "mm",
                chance="none.mpjpe_mm", by="not adapted"),
        ),
    ),
    BenchPart(
        name="building", title="Building data sets", program="eval.building",
        options=("--data", MOCAP),
        figures=(
            _of("contradictions", "contradictions", "", out_of="statements"),
            _of("captions_per_cpu_s", "captions", "per CPU-second"),
            _of("modifiers_per_cpu_s", "instructions", "per CPU-second"),
            _of("studio_images_per_s", "studio pictures", "per CPU-second"),
        ),
    ),
    BenchPart(
        name="training", title="Training", program="eval.training", needs="",
        environment=KEEP_MEMORY,
        figures=(
            _of("ours_tokens_per_s", "our loop", "tokens/s", chance="trainer_tokens_per_s",
                by="transformers' Trainer, same batches"),
            _of("tokens_per_cpu_s_ratio", "beside the Trainer, per CPU-second", "times"),
        ),
    ),
    BenchPart(
        name="newcomer", title="What a newcomer downloads and waits for",
        program="eval.newcomer", needs="",
        figures=(
            _of("setup_s", "`make setup` in an empty clone", "s", readme="speed"),
            _of("setup_cpu_s", "of that, work of a processor", "s"),
            _of("disk_mb", "on disk after it, caches included", "MB", readme="speed"),
            _of("import_s", "`unipose --help`", "s"),
            _of("recording_answer_s", "the first answer about a recording", "s"),
            _of("photo_answer_s", "the first answer about a photograph", "s"),
        ),
    ),
)  # fmt: skip

GROUPS = {
    "Poses and words": POSES,
    "Conversations": CONVERSATIONS,
    "Photographs, films, pictures": PICTURES,
    "Lifting, whole-body keypoints, contacts, adaptation, tools": SYSTEMS,
}
PARTS: tuple[BenchPart, ...] = tuple(part for parts in GROUPS.values() for part in parts)
