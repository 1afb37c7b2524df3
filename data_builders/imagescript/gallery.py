"""A page that shows a sample of a built data set: pictures, keypoints, poses and texts.

The page reads back what was written, and is one file: no other host, no other file. Everything
that comes out of the data is escaped, and the page's own policy lets no script run but its own.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from PIL import Image, ImageOps

from data_builders.imagescript.overlay import overlay_svg, skeleton_svg
from data_builders.imagescript.sampling import Sample, sample_records
from data_builders.imagescript.schema import KINDS
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.render.drawing import contact_sheet

LONGEST_PX, POSE_PX, QUALITY, KEPT_BYTES = 512, 420, 80, 60_000
"""Pictures are made smaller than this; those that are, in few bytes, stay what they are."""

NAMES = {
    "imagescript-a": "ImageScript-A",
    "imagescript-r": "ImageScript-R",
    "imagediff-a": "ImageDiff-A",
    "imagediff-r": "ImageDiff-R",
    "reasoning": "Reasoning",
}


def write_gallery(
    folder: Path, *, samples: int = 100, seed: int = 0, body: Body | None = None
) -> Path:
    """Write gallery.html beside the Parquet files that lie in `folder`, and return its path.

    Poses are drawn with `body` (default: the open one); where only joints are known, as skeletons.
    Raises ConfigError for no samples, FileError if there are no records or a picture is broken.
    """
    chosen, total = sample_records(folder, samples=samples, seed=seed)
    body = body or load_body()
    cards = "\n".join(_card(sample, body) for sample in chosen)
    page = (files("data_builders.imagescript") / "gallery.html").read_text(encoding="utf-8")
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    counts = f"{len(chosen):,} of {total:,} records, drawn by chance (seed {seed})"
    filled = {
        "script": digest,
        "counts": counts,
        "cards": cards,
        "filters": _filters(chosen),
    }
    path = folder / "gallery.html"
    with written_whole(path) as temporary:  # one pass: a text that looks like a slot stays a text
        text = re.sub(r"\{\{(\w+)\}\}", lambda slot: filled[slot[1]], page)
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path


# ------------------------------------------------------------------------------------ cards
def _card(sample: Sample, body: Body) -> str:
    row, paired = sample.row, "image_a" in sample.row
    people = [row["person_a"], row["person_b"]] if paired else [row["person"]]
    images = [row["image_a"], row["image_b"]] if paired else [row["image"]]
    names = ("A", "B") if paired else ("",)
    seen = [
        _tile(_picture(image, person, row["key"]), name)
        for image, person, name in zip(images, people, names, strict=True)
    ]
    posed = [
        _tile(drawn, name, "pose")
        for drawn, name in zip(
            _poses(people, body, bool(row.get("same_world"))), names, strict=True
        )
    ]
    last = people[-1]
    texts = row["texts"] if paired else row["captions"]
    kinds = KINDS.get(sample.config, ())
    tags = (("config", NAMES[sample.config]), ("", sample.split), ("", last["source"] or ""))
    chips = "".join(f'<span class="tag {name}">{_safe(tag)}</span>' for name, tag in tags if tag)
    return (
        f'<article class="card{" pair" if paired else ""}" data-config="{_safe(sample.config)}" '
        f'data-split="{_safe(sample.split)}" data-source="{_safe(last["source"] or "")}">'
        f'<button type="button" class="pictures" aria-label="Enlarge {_safe(row["key"])}">'
        f"{''.join(seen)}{''.join(posed)}</button>"
        f'<div class="words"><p class="tags">{chips}</p>{_headline(row, people)}'
        f'<ul class="texts">{"".join(_text(text, i, kinds) for i, text in enumerate(texts))}</ul>'
        f"{_details(row, people)}</div></article>"
    )


def _headline(row: Mapping[str, Any], people: Sequence[Mapping[str, Any]]) -> str:
    who = " · ".join(row.get("who") or ())
    labels = dict.fromkeys(person["label"] for person in people if person["label"])
    parts = [("who", who), ("label", " → ".join(labels))]
    return "".join(f'<p class="{name}">{_safe(text)}</p>' for name, text in parts if text)


def _text(text: str, at: int, kinds: Sequence[str]) -> str:
    kind = f"<b>{_safe(kinds[at])}</b> " if at < len(kinds) else ""
    return f"<li>{kind}{_safe(text)}</li>"


def _details(row: Mapping[str, Any], people: Sequence[Mapping[str, Any]]) -> str:
    """Return key and contacts, and small facts that only the enlarged record shows."""
    facts: list[tuple[str, str, str]] = [("key", row["key"], "")]
    for person, name in zip(people, ("A", "B") if len(people) > 1 else ("",), strict=True):
        mark = f" {name}" if name else ""
        facts += [
            (f"contacts{mark}", ", ".join(person["contacts"] or ()), ""),
            (f"label{mark}", (person["label"] or "") if name else "", "more"),
            (f"body{mark}", (person["body"] or "") if person["pose"] else "joints only", "more"),
            (f"box{mark}", _numbers(person["box"]), "more"),
            (f"focal length{mark}", _numbers(person["focal_px"]), "more"),
        ]
    if "similarity" in row:
        facts += [
            ("pair", f"similarity {row['similarity']:.3f}, {row['differences']} differences", ""),
            ("world", "the same" if row["same_world"] else "each its own", "more"),
        ]
    facts += [("people", str(row.get("people") or ""), "more"), ("by", row.get("by") or "", "")]
    listed = "".join(
        f'<div class="{kind}"><dt>{_safe(name)}</dt><dd>{_safe(value)}</dd></div>'
        for name, value, kind in facts
        if value
    )
    return f"<dl>{listed}</dl>"


def _numbers(values: Sequence[float] | None) -> str:
    return "" if values is None else ", ".join(f"{value:.0f}" for value in values) + " px"


def _tile(inside: str, name: str, kind: str = "picture") -> str:
    corner = f'<span class="corner">{name}</span>' if name else ""
    return f'<span class="tile {kind}">{inside}{corner}</span>'


def _safe(text: str) -> str:
    """Return text that is text wherever it stands in the page, in attributes too."""
    return html.escape(text, quote=True)


def _filters(samples: Sequence[Sample]) -> str:
    """Return a row of buttons for each thing that the samples differ in."""
    rows = []
    for name, values in _differences(samples):
        buttons = "".join(
            f'<button type="button" aria-pressed="false" data-filter="{name}" '
            f'data-value="{_safe(value)}">{_safe(NAMES.get(value, value))} '
            f"<i>{count}</i></button>"
            for value, count in values.items()
        )
        rows.append(f'<div class="chips" role="group" aria-label="{name}">{buttons}</div>')
    return "\n".join(rows)


def _differences(samples: Sequence[Sample]) -> Iterator[tuple[str, dict[str, int]]]:
    for name in ("config", "split", "source"):
        counts: dict[str, int] = {}
        for sample in samples:
            person = sample.row.get("person") or sample.row["person_b"]
            value = {"config": sample.config, "split": sample.split}.get(name, person["source"])
            counts[value or ""] = counts.get(value or "", 0) + 1
        if len(counts) > 1:
            yield name, counts


# --------------------------------------------------------------------------------- pictures
def _picture(image: Mapping[str, Any], person: Mapping[str, Any], key: str) -> str:
    """Return a stored picture with its overlay, in the pixels that `datasets` decodes."""
    try:
        opened = Image.open(io.BytesIO(image["bytes"] or b""))
        picture = ImageOps.exif_transpose(opened)
        picture.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise FileError(key, f"its picture cannot be read ({error}).", "Build it again.") from error
    size, data = picture.size, image["bytes"]
    if opened.format != "JPEG" or max(size) > LONGEST_PX or len(data) > KEPT_BYTES:
        picture = picture.convert("RGB")
        picture.thumbnail((LONGEST_PX, LONGEST_PX))
        sizes = (_jpeg(picture, quality) for quality in (QUALITY, 65, 50, 35))
        data = next((some for some in sizes if len(some) <= KEPT_BYTES), _jpeg(picture, 20))
    drawn = overlay_svg(size, person["box"], person["keypoints_2d"])
    return _image(data, f"picture of {key}") + drawn


def _poses(people: Sequence[Mapping[str, Any]], body: Body, one_view: bool) -> list[str]:
    """Return each pose as a picture, or as a skeleton where only joints are known."""
    if all(person["pose"] for person in people):
        turns = roma.rotvec_to_rotmat(torch.tensor([person["pose"] for person in people]))
        sheet = contact_sheet(
            Pose(rotations=turns), body, columns=1, size=POSE_PX, same_view=one_view
        )
        panels = np.split(sheet, len(people))
        return [_image(_jpeg(Image.fromarray(panel)), "the pose") for panel in panels]
    return [skeleton_svg(np.array(person["joints"], dtype=float)) for person in people]


def _jpeg(picture: Image.Image, quality: int = QUALITY) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _image(data: bytes, alt: str) -> str:
    code = base64.b64encode(data).decode()
    return f'<img src="data:image/jpeg;base64,{code}" alt="{_safe(alt)}" decoding="async">'
