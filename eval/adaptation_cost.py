"""What the terms of semantics-aware adaptation cost beside CycleAdapt's, on its own network."""

from __future__ import annotations

from time import process_time

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.adaptation.adapter import MODES, Adapter, AdapterConfig, PersonFilm
from unipose.adaptation.film_keypoints import BODY_AND_FEET
from unipose.adaptation.labelling import OwnNamer
from unipose.adaptation.segments import FilmSegment
from unipose.body.body import Body
from unipose.body.keypoints import Keypoints
from unipose.body.pose import OPEN_BODY
from unipose.vision.crops import Crops
from unipose.vision.resnet_recovery import ResNetRecovery

TIMED_FRAMES = 6


def overhead(adapter: Adapter, body: Body) -> dict[str, object]:
    """Return what our terms cost beside CycleAdapt's on its own ResNet-50: processor time a frame.

    All weights learn, as published; they are random, which costs the same. Side by side, and the
    better of two rounds of each. Labels are apart: their time is that of our own motion-text space
    (a pass of the network among it); an endpoint's stands in the report of `unipose adapt`.
    """
    torch.manual_seed(0)
    network = ResNetRecovery(body=OPEN_BODY, camera_places="pelvis")
    timed = Adapter(
        network, body, adapter.denoiser, space=adapter.space, dictionary=adapter.dictionary,
        config=AdapterConfig(epochs=2, fill_threshold=-1.0),
    )  # fmt: skip
    assert adapter.dictionary is not None
    film = _noise_film(adapter.dictionary.recorded[0], network.image_px)
    took: dict[str, list[float]] = {"cycleadapt": [], "fill_in": []}
    for _ in range(2):
        for mode, times in took.items():
            start = process_time()
            timed.adapt(film, MODES[mode])
            times.append(1000 * (process_time() - start) / TIMED_FRAMES)
    base, ours = (min(times) for times in took.values())
    start = process_time()
    OwnNamer(dictionary=adapter.dictionary).named(film, timed)
    return {
        "labelling_ms_per_frame": 1000 * (process_time() - start) / TIMED_FRAMES,
        "baseline_ms_per_frame": base, "ours_ms_per_frame": ours,
        "overhead_ratio": (ours - base) / base,
    }  # fmt: skip


def _noise_film(label: str, side_px: int) -> PersonFilm:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (TIMED_FRAMES, 3, side_px, side_px), generator=generator)
    points: Float[Tensor, "frame 23 2"] = 200 * torch.rand(
        TIMED_FRAMES, len(BODY_AND_FEET), 2, generator=generator
    )
    return PersonFilm(
        pixels=pixels.byte(),
        crops=Crops(
            centre=torch.full((TIMED_FRAMES, 2), 100.0), side=torch.full((TIMED_FRAMES,), 200.0)
        ),
        keypoints=Keypoints.of(BODY_AND_FEET, points),
        fps=30.0,
        segments=[FilmSegment(start=0, end=TIMED_FRAMES, label=label)],
    )
