"""The field's measures: joints, vertices, keypoints, rankings, distributions of features, texts."""

from unipose.metrics.frechet import frechet_distance
from unipose.metrics.joints import (
    acceleration_error,
    auc,
    mpjpe,
    mpvpe,
    pa_mpjpe,
    pck,
    procrustes_aligned,
    root_aligned,
)
from unipose.metrics.keypoints import object_keypoint_similarity
from unipose.metrics.plausibility import (
    limb_symmetry_error,
    segment_length_error,
    segment_lengths,
)
from unipose.metrics.ranking import Recall, RPrecision, r_precision, recall
from unipose.metrics.texts import TextScores, text_scores

__all__ = [
    "RPrecision",
    "Recall",
    "TextScores",
    "acceleration_error",
    "auc",
    "frechet_distance",
    "limb_symmetry_error",
    "mpjpe",
    "mpvpe",
    "object_keypoint_similarity",
    "pa_mpjpe",
    "pck",
    "procrustes_aligned",
    "r_precision",
    "recall",
    "root_aligned",
    "segment_length_error",
    "segment_lengths",
    "text_scores",
]
