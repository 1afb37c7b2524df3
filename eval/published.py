"""What the UniPose paper prints (CVPR 2025, tables 2 to 5). Never in one table with our figures.

The data are others (PoseScript, PoseFix, ImageScript, ImageDiff, 3DPW, Human3.6M: human texts and
real photos), the evaluators are others, fitted on train and val and chosen on test, and protocols
differ: text-to-pose errors are printed without any alignment, galleries are not stated. So no
figure here says whether one of ours is good.
"""

from __future__ import annotations

from eval.page import PageSection

NOT_COMPARABLE = "not comparable: other data"
WHY = (
    "Printed in the UniPose paper for other data, other evaluators and a model of 7 billion "
    "weights. These rows stand here for orientation only."
)

COMPREHENSION = PageSection(
    title=f"Published, comprehension ({NOT_COMPARABLE})",
    note=WHY + " R-precision, BLEU-4, ROUGE-L and METEOR in %.",
    columns=("", "R@1", "R@2", "R@3", "BLEU-4", "ROUGE-L", "METEOR"),
    rows=(
        ("pose to text (PoseScript): PoseScript", 91.6, 95.6, 97.0, 12.9, 33.9, 34.2),
        ("pose to text (PoseScript): UniPose", 85.6, 95.2, 97.6, 12.1, 33.3, 30.8),
        ("pose difference (PoseFix): PoseFix", 64.6, 77.1, 83.0, 12.0, 33.5, 36.7),
        ("pose difference (PoseFix): UniPose", 67.9, 81.8, 88.6, 13.8, 33.7, 31.2),
        ("image to text (ImageScript): LLaVA", 5.7, 12.0, 18.9, 3.2, 21.8, 32.9),
        ("image to text (ImageScript): Qwen-VL", 8.9, 15.6, 19.8, 1.4, 15.9, 21.6),
        ("image to text (ImageScript): GPT-4V", 17.7, 24.0, 32.3, 7.1, 29.1, 34.2),
        ("image to text (ImageScript): UniPose", 24.5, 35.4, 43.2, 18.2, 42.5, 44.7),
        ("image difference (ImageDiff): GPT-4V", 7.3, 13.5, 18.8, 1.3, 16.1, 21.8),
        ("image difference (ImageDiff): UniPose", 13.5, 25.0, 33.8, 15.9, 36.5, 39.6),
    ),
)

GENERATION = PageSection(
    title=f"Published, text to pose ({NOT_COMPARABLE})",
    note=WHY + " Recall in %, errors in mm. The galleries of the rows are not all the same one.",
    columns=("", "P2T@5", "P2T@10", "P2T@20", "T2P@5", "T2P@10", "T2P@20",
             "MPJPE", "PA", "FID"),
    rows=(
        ("PoseScript", 70.0, 82.5, 87.4, 73.3, 82.5, 89.4, 318.0, 161.3, 0.075),
        ("ChatPose", 28.0, 39.0, 54.4, 17.6, 25.3, 35.8, "", "", ""),
        ("ChatHuman", 42.1, 52.3, 66.5, 41.8, 52.6, 65.1, "", "", ""),
        ("UniPose", 70.9, 80.5, 89.6, 73.7, 82.4, 89.6, 308.6, 171.1, 0.038),
    ),
)  # fmt: skip

EDITING = PageSection(
    title=f"Published, pose edit ({NOT_COMPARABLE})",
    note=WHY + " Errors in mm.",
    columns=("", "MPJPE", "PA", "FID"),
    rows=(("PoseFix", 300.2, 144.1, 0.019), ("UniPose", 270.3, 138.9, 0.015)),
)

ESTIMATION = PageSection(
    title=f"Published, poses from pictures ({NOT_COMPARABLE})",
    note=WHY + " Real photos of 3DPW and Human3.6M; 14 joints; mm.",
    columns=("", "3DPW MPJPE", "3DPW PA", "H36M MPJPE", "H36M PA"),
    rows=(
        ("HMR", 130.0, 76.7, 88.0, 56.8),
        ("PyMAF", 92.8, 58.9, 57.7, 40.5),
        ("SMPLer", 73.7, 43.4, 45.2, 32.4),
        ("HMR 2.0", 70.0, 44.5, 44.8, 33.6),
        ("Zolly", 76.2, 47.9, 49.4, 32.3),
        ("MEGA", 67.5, 41.0, "", ""),
        ("TokenHMR", 71.0, 44.3, "", ""),
        ("ChatPose", 163.6, 81.9, 126.0, 82.4),
        ("UniPose", 94.7, 59.1, 69.2, 41.8),
    ),
)
