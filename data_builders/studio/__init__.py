"""Our own image source: rendered people in recorded poses, with everything known about them."""

from data_builders.studio.config import StudioConfig
from data_builders.studio.labels import StudioFilm, StudioImage, StudioPerson
from data_builders.studio.motions import Motions
from data_builders.studio.records import encode_jpeg, encode_png, records_of, studio_records
from data_builders.studio.studio import Studio

__all__ = [
    "Motions",
    "Studio",
    "StudioConfig",
    "StudioFilm",
    "StudioImage",
    "StudioPerson",
    "encode_jpeg",
    "encode_png",
    "records_of",
    "studio_records",
]
