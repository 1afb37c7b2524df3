"""Adaptation on the videos of 3DPW, MPI-INF-3DHP and EgoBody, with the user's own network.

`python -m eval.adaptation_videos --videos 3dpw=/data/3DPW?split=test --network FILE --body FILE`

A video is one person of one sequence. 2D keypoints are those of the source where it has detected
ones (3DPW's and EgoBody's OpenPose), else files of a detector (`--keypoints FOLDER`, one file a
video); true ones are used only where `--true-keypoints` asks for them, and the report says which.
Labels come from files (`--labels FOLDER`); without them only the modes that need none are run.

Errors are millimetres over SMPL's first 22 joints and all vertices, pelvis on pelvis, axes of the
crop's viewer, means over frames; where a source has joints alone (3DHP), over those that SMPL has
by name. The published tables use 14 joints of Human3.6M's regressor: figures are near, not equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from data_builders.readers.registry import open_source
from data_builders.readers.source import Drops
from data_builders.records import Record
from eval.pictures import as_seen
from eval.program import print_result, print_table, run, track
from unipose.adaptation.adapter import MODES, Adapter, AdapterConfig, PersonFilm
from unipose.adaptation.default_models import load_denoiser, load_network, load_space
from unipose.adaptation.segments import cut_film, read_segments
from unipose.body.body import Body, load_body
from unipose.body.keypoint_sets import KeypointSet
from unipose.body.keypoints import Keypoints
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import ConfigError, FileError
from unipose.files.keypoint_files import read_keypoint_file
from unipose.files.photo import open_photo
from unipose.metrics import acceleration_error, mpjpe, mpvpe, pa_mpjpe, root_aligned
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery_protocol import LEVEL, RecoveredMeshes

FPS = 30.0


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """Options of eval.adaptation_videos."""

    videos: str
    """A source as data_builders.readers asks for it: "3dpw=/data/3DPW?split=test"."""
    network: Path | None = None
    """Folder of ours or a checkpoint; without it the embedded one."""
    layout: str = "hmr2"
    """Of a checkpoint: hmr2, tokenhmr or cycleadapt."""
    body: Path | None = None
    """The body whose betas the network says, and the truth has; without it the open body."""
    keypoints: Path | None = None
    """Folder of a detector's files: SEQUENCE-PERSON.json, a row a frame of the video."""
    true_keypoints: bool = False
    """Adapt to the source's true 2D keypoints."""
    labels: Path | None = None
    """Folder of label files: SEQUENCE-PERSON.json."""
    modes: tuple[str, ...] = ("cycleadapt", "label_free")
    limit: int | None = None
    """At most so many videos."""
    frames: int | None = None
    """At most so many frames of each."""
    seed: int = 0
    device: str = "cpu"
    json: bool = False

    def __post_init__(self) -> None:
        for mode in self.modes:
            if mode not in MODES:
                raise ConfigError(f"there is no mode {mode!r}, only {', '.join(MODES)}")
            if MODES[mode].alignment == "labels" and self.labels is None:
                raise ConfigError(f"{mode} needs labels: --labels FOLDER")


@dataclass(frozen=True, kw_only=True, eq=False)
class Video:
    """One person of one sequence."""

    name: str
    """SEQUENCE-PERSON, as files of keypoints and labels are called."""
    source: str
    records: tuple[Record, ...]

    @property
    def crops(self) -> Crops:
        """Return the squares around the source's boxes."""
        return Crops.around(torch.tensor([record.box for record in self.records]).float())

    def truth(self, body: Body) -> tuple[Tensor | None, Tensor | None, Tensor, Tensor]:
        """Return what is true: rotations and betas, or None; joints of SMPL and which are known.

        Joints are metres from the first known one, in the axes of the crop's viewer.
        """
        if all(record.pose is not None for record in self.records):
            rotations = torch.stack([_seen(record) for record in self.records])
            betas = torch.cat([_betas(record) for record in self.records])
            joints = body.joints(rotations, betas)[:, :POSED_JOINTS]
            return rotations, betas, joints, torch.ones(joints.shape[:2], dtype=torch.bool)
        joints, known = zip(*(_measured(record) for record in self.records))
        return None, None, torch.stack(joints), torch.stack(known)


def read_videos(options: VideoOptions, drops: Drops) -> Iterator[Video]:
    """Yield the videos of a source, those of fewer than ten usable frames left out."""
    records = (one for one in open_source(options.videos, drops) if isinstance(one, Record))
    count = 0
    for sequence, some in groupby(records, key=lambda record: record.key.partition(":")[0]):
        people: dict[object, list[Record]] = {}
        for record in some:
            if record.image is not None and record.box is not None and record.camera is not None:
                people.setdefault(record.other.get("person", 0), []).append(record)
        for person, rows in people.items():
            if len(rows) < 10:
                continue
            count += 1
            source, _, name = sequence.partition("/")
            yield Video(
                name=f"{name.replace('/', '-')}-{person}", source=source,
                records=tuple(rows[: options.frames]),
            )  # fmt: skip
            if count == options.limit:
                return


def as_film(video: Video, options: VideoOptions, side_px: int) -> tuple[PersonFilm, str]:
    """Return a video as the adapter takes it, and where its 2D keypoints come from.

    Raises FileError for pictures, keypoints or labels that are missing or do not fit; ConfigError
    if the source has true keypoints alone and nobody asked for them.
    """
    crops = video.crops
    pixels = []
    for row, record in enumerate(video.records):
        assert record.image is not None
        crop = Crops(centre=crops.centre[row : row + 1], side=crops.side[row : row + 1])
        picture = torch.from_numpy(np.array(open_photo(record.image)))
        pixels.append(crop.cut(picture, side_px)[0].round().byte())
    keypoints, source = _keypoints(video, options)
    segments = cut_film(len(pixels), fps=FPS)
    if options.labels is not None:
        segments = read_segments(options.labels / f"{video.name}.json")
    film = PersonFilm(
        pixels=torch.stack(pixels), crops=crops, keypoints=keypoints, fps=FPS, segments=segments
    )
    return film, source


def _keypoints(video: Video, options: VideoOptions) -> tuple[Keypoints, str]:
    if options.keypoints is not None:
        path = options.keypoints / f"{video.name}.json"
        rows = [row.people[0].keypoints for row in read_keypoint_file(path) if row.people]
        found = [row for row in rows if row is not None]
        if len(found) != len(video.records):
            raise FileError(
                path, f"has keypoints of {len(found)} frames, expected {len(video.records)}."
            )
        source = "detected (files)"
    else:
        rows = [_projected(row) if options.true_keypoints else row.detected_2d
                for row in video.records]  # fmt: skip
        sets = {row.keypoint_set for row in rows if row is not None}
        if len(sets) != 1:
            raise ConfigError(
                f"{video.source} has no detected 2D keypoints, and true ones test nothing: name a "
                "detector's with --keypoints, or say --true-keypoints"
            )
        nobody = _nobody(sets.pop())
        found = [nobody if row is None else row for row in rows]
        source = "ground truth" if options.true_keypoints else "detected (the source's)"
    sets = {row.keypoint_set.name for row in found}
    if len(sets) != 1 or len(found) != len(video.records):
        raise ConfigError(f"{video.name}: expected 2D keypoints of one set in each frame")
    whole = Keypoints(
        keypoint_set=found[0].keypoint_set,
        points=torch.cat([row.points for row in found]).float(),
        scores=torch.cat([row.scores for row in found]).float(),
        present=torch.cat([row.present for row in found]),
    )
    return whole, source


def _projected(record: Record) -> Keypoints | None:
    """Return where the true joints fall in the picture."""
    joints, camera = record.keypoints_3d, record.camera
    if joints is None or camera is None:
        return None
    width, height = _size(record)
    points = camera.project(joints.points.double(), height_px=height, width_px=width)
    return Keypoints.of(joints.keypoint_set, points.float(), present=joints.present)


def _size(record: Record) -> tuple[int, int]:
    """Return width and height of a record's picture, whose header alone is read."""
    assert record.image is not None
    with Image.open(record.image) as picture:
        return picture.size


def _nobody(keypoint_set: KeypointSet) -> Keypoints:
    """Return a row in which nothing was found."""
    return Keypoints.of(keypoint_set, torch.full((1, len(keypoint_set), 2), torch.nan))


def _seen(record: Record) -> Float[Tensor, "24 3 3"]:
    """Return a true pose as the crop's viewer sees it."""
    assert record.pose is not None
    assert record.camera is not None
    assert record.box is not None
    rotations, camera = record.pose.rotations[0].float(), record.camera
    root = camera.camera_from_world.float() @ rotations[0]
    width, height = _size(record)
    centre = width / 2 + camera.centre[0] * height, height / 2 + camera.centre[1] * height
    return as_seen(rotations, root, record.box, camera.focal * height, centre)


def _betas(record: Record) -> Float[Tensor, "1 10"]:
    assert record.pose is not None
    return torch.zeros(1, 10) if record.pose.betas is None else record.pose.betas.float()


def _measured(record: Record) -> tuple[Float[Tensor, "22 3"], Bool[Tensor, " 22"]]:
    """Return measured joints by SMPL's names, axes of the record's camera as a viewer has them."""
    assert record.camera is not None
    if record.keypoints_3d is None:
        raise ConfigError(f"{record.key} has neither a pose nor joints in 3D")
    joints, known = torch.zeros(POSED_JOINTS, 3), torch.zeros(POSED_JOINTS, dtype=torch.bool)
    names = record.keypoints_3d.keypoint_set.index
    for row, name in enumerate(SMPL.joints[:POSED_JOINTS]):
        if name in names and bool(record.keypoints_3d.present[0, names[name]]):
            place = record.keypoints_3d.points[0, names[name]].double()
            joints[row] = (LEVEL.double() @ record.camera.to_camera(place)).float()
            known[row] = True
    return joints, known


def video_errors(found: RecoveredMeshes, video: Video, body: Body) -> dict[str, float]:
    """Return the errors of a video, means over its frames."""
    found = found.to("cpu")
    said = torch.cat([LEVEL @ found.rotations[:, :1], found.rotations[:, 1:]], dim=1)
    rotations, betas, joints, known = video.truth(body)
    ours = body.joints(said, found.betas)[:, :POSED_JOINTS]
    pair = root_aligned(ours), root_aligned(joints)
    row = {
        "mpjpe_mm": 1000 * float(mpjpe(*pair, known).mean()),
        "pa_mpjpe_mm": 1000 * float(pa_mpjpe(*pair, known).mean()),
    }
    if rotations is not None and betas is not None:
        with torch.no_grad():
            meshes = [body(said, found.betas), body(rotations, betas)]
        row["mpvpe_mm"] = 1000 * float(
            mpvpe(*(mesh.vertices - mesh.joints[:, :1] for mesh in meshes)).mean()
        )
        row["accel_error"] = float(acceleration_error(*pair, fps=FPS).mean())
    return row


def measure(options: VideoOptions) -> dict[str, object]:
    """Return the figures of each mode, frames weighing the same."""
    body, drops = load_body(options.body), Drops()
    network = load_network(options.network, layout=options.layout).to(options.device)
    space, dictionary = load_space()
    adapter = Adapter(
        network, body, load_denoiser(), space=space.to(options.device), dictionary=dictionary,
        config=AdapterConfig(seed=options.seed),
    )  # fmt: skip
    rows: dict[str, list[tuple[int, dict[str, float]]]] = {}
    took: dict[str, float] = {}
    source, frames, videos = "", 0, list(read_videos(options, drops))
    if not videos:
        raise ConfigError(f"{options.videos} has no video of ten usable frames")
    for video in track(videos, "adapting"):
        film, source = as_film(video, options, adapter.network.image_px)
        frames += len(video.records)
        for mode in options.modes:
            start = perf_counter()
            adapted = adapter.adapt(film, MODES[mode])
            took[mode] = took.get(mode, 0.0) + perf_counter() - start
            for name, meshes in (("none", adapted.before), (mode, adapted.after)):
                if name != "none" or mode == options.modes[0]:
                    errors = video_errors(meshes, video, body)
                    rows.setdefault(name, []).append((len(video.records), errors))
    result: dict[str, object] = {
        f"{mode}.{figure}": sum(n * row[figure] for n, row in some) / sum(n for n, _ in some)
        for mode, some in rows.items()
        for figure in some[0][1]
    }
    result |= {f"{mode}.ms_per_frame": 1000 * seconds / frames for mode, seconds in took.items()}
    return result | {
        "videos": len(videos), "frames": frames, "keypoints": source,
        "labels": "none" if options.labels is None else "from files", "dropped": len(drops.dropped),
    }  # fmt: skip


def main(options: VideoOptions) -> None:
    """Measure adaptation on the videos of a data set."""
    result = measure(options)
    if not options.json:
        modes = ["none", *options.modes]
        figures = [f for f in ("mpjpe_mm", "pa_mpjpe_mm", "mpvpe_mm", "accel_error")
                   if f"none.{f}" in result]  # fmt: skip
        print_table(
            f"{result['videos']} videos, 2D keypoints {result['keypoints']}",
            ["", *figures],
            [(mode, *(float(str(result[f"{mode}.{f}"])) for f in figures)) for mode in modes],
        )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, VideoOptions)
