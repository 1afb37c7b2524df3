"""The pictures of one request: read, and looked at, a few at a time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from fastapi import Request

from unipose.app.server.answer_streams import answer_of
from unipose.app.server.asks import EstimateAsk
from unipose.app.server.picture_sources import PictureFetcher, read_picture
from unipose.body.people import Box
from unipose.body.pose import Pose
from unipose.files.photo import Pixels

MOST_UNPACKED = 2
"""Pictures that are in memory as pixels; each may take a hundred megabytes."""


def deadline_of(request: Request) -> float:
    """Return when a request's time is over (of `time.monotonic`)."""
    given = request.scope.get("unipose.deadline")
    return time.monotonic() + request.app.state.settings.time_limit_s if given is None else given


class RequestPictures:
    """Reads and looks at the pictures of one request."""

    def __init__(self, request: Request) -> None:
        self.models, self.settings = request.app.state.models, request.app.state.settings
        self.deadline = deadline_of(request)
        self._unpacked = request.app.state.unpacked

    async def read(self, url: str) -> Pixels:
        """Return a picture's pixels. Raises RefusalError."""
        remote = self.settings.remote_pictures
        fetcher = PictureFetcher(most_bytes=self.settings.largest_body) if remote else None
        return await asyncio.to_thread(
            read_picture, url, most_pixels=self.settings.most_pixels, fetcher=fetcher
        )

    async def find_pose(self, url: str, *, box: Box | None = None, placed: bool = False) -> Pose:
        """Return the pose of the person in a picture; with its place before the camera if `placed`.

        Raises RefusalError, and PoseQueryError if nobody is found.
        """
        async with self._unpacked:
            ask = EstimateAsk(picture=await self.read(url), box=box)
            answer = await answer_of(self.models, ask, self.deadline)
        return answer.poses[0] if placed else replace(answer.poses[0], translation=None)
