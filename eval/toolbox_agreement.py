"""Does our precision of keypoints agree with the public toolboxes? Made-up scenes through both.

xtcocotools (COCO-WholeBody, CrowdPose) does not run with numpy 2, so the toolboxes live in an
environment of their own: `pip install "numpy<2" pycocotools xtcocotools`, whose python `--python`
names. Scenes hold what the rules are made for: crowds, people without a labelled part, ties, more
than 20 detections, detections where nobody is.

`RUN_max_error` is the largest difference of the figures (0 to 1), over the seeds, beside our AP of
the run; `toolbox_s` and
`ours_s` how long COCO-WholeBody's six runs take. Run as
`python -m eval.toolbox_agreement --python ELSEWHERE/bin/python`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from eval.program import print_result, print_table, run
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133, CROWDPOSE_14, KeypointSet
from unipose.errors import ConfigError
from unipose.files.keypoint_evaluation import read_detections, read_truth
from unipose.metrics.keypoint_precision import (
    PARTS,
    KeypointDetections,
    KeypointTruth,
    evaluate_crowds,
    evaluate_keypoints,
    evaluate_whole_body,
)

FIELDS = {"body": "keypoints", "foot": "foot_kpts", "face": "face_kpts",
          "lefthand": "lefthand_kpts", "righthand": "righthand_kpts"}  # fmt: skip
ASK = """
import json, sys, time
from importlib import import_module
import numpy as np
name, truth, results, runs, sigmas, area = json.loads(sys.argv[1])
coco, evaluation = (import_module(f"{name}.{part}") for part in ("coco", "cocoeval"))
marked = coco.COCO(truth)
found = marked.loadRes(results)
start, said = time.perf_counter(), {}
for kind, part in runs.items():
    more = {"sigmas": np.array(sigmas)[slice(*part)], "use_area": area} if name[0] == "x" else {}
    one = evaluation.COCOeval(marked, found, kind, **more)
    one.evaluate(); one.accumulate(); one.summarize()
    said[kind] = list(map(float, one.stats))
print(json.dumps([said, time.perf_counter() - start]))
"""
"""What the other python is asked; no code of the toolboxes."""


@dataclass(frozen=True, kw_only=True)
class ToolboxOptions:
    """Options of eval.toolbox_agreement."""

    python: Path
    """Of an environment with numpy < 2, pycocotools and xtcocotools."""
    seeds: int = 3
    images: int = 40
    json: bool = False
    """Print one JSON object as the last line."""

    def __post_init__(self) -> None:
        if not self.python.is_file():
            raise ConfigError(f"there is no python at {self.python}")


def made_up_scene(seed: int, *, images: int = 12) -> tuple[KeypointTruth, KeypointDetections]:
    """Return people and detections of 133 keypoints with everything that rules are made for."""
    random = np.random.default_rng(seed)
    of_truth = np.repeat(np.arange(images) * 7, random.integers(0, 5, images))
    people = len(of_truth)
    boxes = np.concatenate(
        [random.uniform(0, 200, (people, 2)), random.uniform(10, 300, (people, 2))], axis=1
    )
    points = boxes[:, None, :2] + random.uniform(0, 1, (people, 133, 2)) * boxes[:, None, 2:]
    marks = random.integers(0, 3, (people, 133)).astype(float)
    for columns in PARTS.values():
        marks[random.random(people) < 0.3, columns] = 0
    truth = KeypointTruth(
        image=of_truth, points=points, marks=marks, boxes=boxes,
        area=boxes[:, 2] * boxes[:, 3] * random.uniform(0.2, 0.7, people),
        crowd=random.random(people) < 0.15,
    )  # fmt: skip
    copies = random.integers(0, people, 6 * people)
    off = random.choice([0.5, 3.0, 12.0], (len(copies), 1, 1))
    found = points[copies] + off * random.normal(size=(len(copies), 133, 2))
    scores = random.uniform(0.1, 1, (len(copies), 133))
    scores[random.random(len(copies)) < 0.1, 91:112] = 0
    return truth, KeypointDetections(
        image=np.where(random.random(len(copies)) < 0.1, 3, of_truth[copies]),
        points=found, scores=scores, confidence=random.integers(0, 9, len(copies)) / 10,
        part_confidence={"foot": random.uniform(0, 1, len(copies))},
    )  # fmt: skip


def write_scene(
    folder: Path, truth: KeypointTruth, found: KeypointDetections, count: int, *, crowded: bool
) -> tuple[str, str]:
    """Write annotations and results of the first `count` keypoints in COCO's layout."""

    def triples(points: np.ndarray, last: np.ndarray) -> dict[str, list[float]]:
        rows = np.concatenate([points, last[:, None]], axis=1)
        if count < 133:
            return {"keypoints": rows[:count].ravel().tolist()}
        return {field: rows[PARTS[part]].ravel().tolist() for part, field in FIELDS.items()}

    images = sorted({*truth.image.tolist(), *found.image.tolist()})
    annotations = [
        {
            "id": i + 1, "image_id": int(truth.image[i]), "category_id": 1,
            "iscrowd": int(truth.crowd[i] and not crowded), "bbox": truth.boxes[i].tolist(),
            "num_keypoints": int((truth.marks[i, : min(17, count)] > 0).sum()),
            **({} if crowded else {"area": float(truth.area[i])}),
            **triples(truth.points[i], truth.marks[i]),
        }
        for i in range(len(truth.image))
    ]  # fmt: skip
    results = [
        {
            "image_id": int(found.image[i]), "category_id": 1, "score": float(found.confidence[i]),
            **{f"{part}_score": float(v[i]) for part, v in (found.part_confidence or {}).items()},
            **triples(found.points[i], found.scores[i]),
        }
        for i in range(len(found.image))
    ]  # fmt: skip
    content = {
        "images": [{"id": n, "crowdIndex": (n % 11) / 10} for n in images],
        "categories": [{"id": 1, "name": "person"}], "annotations": annotations,
    }  # fmt: skip
    names = folder / "truth.json", folder / "results.json"
    for path, value in zip(names, (content, results), strict=True):
        path.write_text(json.dumps(value))
    return str(names[0]), str(names[1])


def ask_toolbox(
    options: ToolboxOptions, name: str, files: tuple[str, str],
    runs: dict[str, tuple[int, int]], sigmas: Sequence[float], *, area: bool = True,
) -> tuple[dict[str, list[float]], float]:  # fmt: skip
    """Return a toolbox' figures of each run, and its seconds. Raises ConfigError if it fails."""
    words = json.dumps([name, *files, runs, list(sigmas), area])
    said = subprocess.run(  # noqa: S603 - the python that its user names
        [options.python, "-c", ASK, words], capture_output=True, text=True, check=False
    )
    if said.returncode:
        raise ConfigError(f"{name} did not run with {options.python}: {said.stderr.strip()[-300:]}")
    figures, seconds = json.loads(said.stdout.splitlines()[-1])
    return figures, seconds


def compare(options: ToolboxOptions, seed: int, folder: Path) -> dict[str, float]:
    """Return the largest difference of each run, and the seconds of both."""
    truth, found = made_up_scene(seed, images=options.images)

    def read(files: tuple[str, str], of: KeypointSet) -> tuple[KeypointTruth, KeypointDetections]:
        return read_truth(Path(files[0]), of).people, read_detections(Path(files[1]), of)

    result: dict[str, float] = {}
    files = write_scene(folder, truth, found, 133, crowded=False)
    runs = {f"keypoints_{part}": (at.start, at.stop) for part, at in PARTS.items()}
    theirs, result["toolbox_s"] = ask_toolbox(
        options, "xtcocotools", files, runs, COCO_WHOLEBODY_133.sigmas
    )
    people, detections = read(files, COCO_WHOLEBODY_133)
    start = perf_counter()
    ours = evaluate_whole_body(people, detections, COCO_WHOLEBODY_133.sigmas)
    result["ours_s"] = perf_counter() - start
    for part, said in ours.items():
        result[f"{part}_ap"] = said.ap
        result[f"{part}_max_error"] = _apart(astuple(said), theirs[f"keypoints_{part}"])
    files = write_scene(folder, truth, found, 17, crowded=False)
    theirs, _ = ask_toolbox(options, "pycocotools", files, {"keypoints": (0, 17)}, ())
    said = evaluate_keypoints(*read(files, COCO_17), COCO_17.sigmas)
    result["coco_max_error"] = _apart(astuple(said), theirs["keypoints"])
    files = write_scene(folder, truth, found, 14, crowded=True)
    theirs, _ = ask_toolbox(
        options, "xtcocotools", files, {"keypoints_crowd": (0, 14)}, CROWDPOSE_14.sigmas,
        area=False,
    )  # fmt: skip
    people, detections = read(files, CROWDPOSE_14)
    index = read_truth(Path(files[0]), CROWDPOSE_14).crowd_index
    said, classes = evaluate_crowds(people, detections, CROWDPOSE_14.sigmas, index)
    row = (said.ap, said.ap_50, said.ap_75, said.ar, said.ar_50, said.ar_75, *classes.values())
    result["crowdpose_max_error"] = _apart(row, theirs["keypoints_crowd"])
    return result


def _apart(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return float(np.abs(np.subtract(ours, theirs)).max())


def main(options: ToolboxOptions) -> None:
    """Compare our figures with the toolboxes'."""
    with TemporaryDirectory() as folder:
        rows = [compare(options, seed, Path(folder)) for seed in range(options.seeds)]
    result: dict[str, object] = {
        name: float((np.max if name.endswith("_error") else np.mean)([row[name] for row in rows]))
        for name in rows[0]
    }
    print_table(
        f"{options.seeds} made-up scenes of {options.images} images", ["", ""],
        [(name, f"{value:.3g}") for name, value in result.items()],
    )  # fmt: skip
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, ToolboxOptions)
