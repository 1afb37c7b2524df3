"""`unipose refine` on photos of people whom a fake estimator finds, with fake and own answers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fakes.chat_server import Reply, chat_server
from tests.fakes.touching_people import SIZE_PX, two_people
from unipose.app.contact_refining import Asking, PhotoRefining
from unipose.body.body import load_body
from unipose.contact.optimiser import CONTACT_CONFIGS, FALLBACK_CONFIGS
from unipose.contact.pose_prior import MaxMixture
from unipose.contact.refining import ContactRefiner
from unipose.errors import ConfigError, EndpointError, FileError
from unipose.files import open_pose, save_pose

BODY = load_body()
TABLE = "They hold hands.\n\n| Person 1 | Person 2 |\n| --- | --- |\n| hand | hand |\n"
pytestmark = pytest.mark.slow


class TwoPeople:
    """Finds two people in bright pictures and nobody in dark ones."""

    asked = 0

    def people(self, pixels, boxes=None, *, focal_px=None):
        assert focal_px == pytest.approx(SIZE_PX[0] / 2 / np.tan(np.pi / 6))
        type(self).asked += 1
        return two_people(BODY).people if pixels.mean() > 100 else ()


class OwnModel:
    """Says that two parts touch; what it says is part of its weights."""

    name = "own"

    def __init__(self, *pairs, mark=""):
        self.pairs, self.mark = list(pairs), mark

    def contacts(self, shown, *, people, measured, seed=None):
        assert (shown.shape[2], measured) == (3, False)
        return self.pairs


def refining(out, prior=None, **options):
    def short(configs):
        return {n: replace(config, steps=2, flat=0.0) for n, config in configs.items()}

    refiner = ContactRefiner(
        body=BODY, prior=prior, configs=short(CONTACT_CONFIGS), fallbacks=short(FALLBACK_CONFIGS)
    )
    return PhotoRefining(refiner=refiner, people=2, out=out, estimator=TwoPeople, **options)


def write_photo(path, shade=200):
    Image.fromarray(np.full((SIZE_PX[1], SIZE_PX[0], 3), shade, dtype=np.uint8)).save(path)


def test_a_folder_is_refined_and_what_fails_is_told(tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    write_photo(photos / "a.png")
    write_photo(photos / "dark.png", shade=0)
    (photos / "broken.png").write_bytes(b"no picture")
    contacts = tmp_path / "contacts.json"
    contacts.write_text(json.dumps({"a.png": {"people": 2, "samples": [[["hand", "hand"]]]}}))
    result = refining(out, contacts=contacts).photos(photos)
    assert len(result.failed) == 2
    assert "shows nobody, expected 2" in " ".join(result.failed)
    names = {path.name for path in out.iterdir()}
    assert names == {
        "a-before.npz", "a-after.npz", "a-1.glb", "a-2.glb", "a-contacts.png", "a.json",
        "a-keypoints.json", "contacts.json",
    }  # fmt: skip
    report = json.loads((out / "a.json").read_text())
    assert report["votes"] == [["hand", "hand", 1]]
    assert not report["fell_back"]
    assert len(open_pose(out / "a-after.npz")) == 2
    picture = np.asarray(Image.open(out / "a-contacts.png")).astype(int)
    red = picture[..., 0] - picture[..., 1:].max(-1) > 60
    assert red.sum() > 20  # the hands
    before = TwoPeople.asked
    again = refining(out, contacts=contacts).photos(photos / "a.png")
    assert (again.kept, again.refined, TwoPeople.asked) == (1, [], before)


def test_an_endpoint_is_asked_once_and_shown_only_the_two(tmp_path):
    write_photo(tmp_path / "a.png")
    with chat_server(lambda asked, _: Reply(TABLE, more=(TABLE,) * (asked.get("n", 1) - 1))) as s:
        asking = Asking(who=f"m@{s.url}", samples=3, cache=tmp_path / "cache")
        first = refining(tmp_path / "one", asking=asking).photos(tmp_path / "a.png")
        second = refining(tmp_path / "two", asking=asking).photos(tmp_path / "a.png")
        assert len(s.requests) == 1
    assert first.refined[0].votes.votes == {("hand", "hand"): 3}
    assert second.refined[0].votes == first.refined[0].votes
    assert s.requests[0]["n"] == 3


def test_an_endpoint_that_answers_garbage_leaves_the_fallback(tmp_path):
    write_photo(tmp_path / "a.png")
    with chat_server(lambda *_: Reply("I would rather not.")) as server:
        asking = Asking(who=f"m@{server.url}", samples=2, cache=tmp_path / "cache")
        result = refining(tmp_path / "out", asking=asking).photos(tmp_path / "a.png")
    assert result.refined[0].fell_back
    assert result.refined[0].votes.empty == 2


def test_an_endpoint_that_refuses_is_named(tmp_path):
    write_photo(tmp_path / "a.png")
    with chat_server(lambda *_: Reply(status=401, body=b"{}")) as server:
        asking = Asking(who=f"m@{server.url}", cache=tmp_path / "cache")
        with pytest.raises(EndpointError, match="refuses the model"):
            refining(tmp_path / "out", asking=asking).photos(tmp_path / "a.png")


def test_what_was_answered_before_an_endpoint_broke_is_refined(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, shade in (("a.png", 200), ("b.png", 210)):
        write_photo(photos / name, shade=shade)

    def breaks(asked, before):
        return Reply(TABLE, more=(TABLE,)) if before == 0 else Reply(status=401, body=b"{}")

    with chat_server(breaks) as server:
        asking = Asking(who=f"m@{server.url}", samples=2, cache=tmp_path / "cache")
        work = refining(tmp_path / "out", asking=asking)
        with pytest.raises(EndpointError, match="refuses the model"):
            work.photos(photos)
    assert [one.before.image for one in work.result.refined] == ["a.png"]
    assert (tmp_path / "out" / "a-after.npz").is_file()


def test_our_own_model_answers_in_the_prompts_words(tmp_path):
    def load_own():
        return OwnModel(("left hand", "right hand"), ("left shoulder", "upper back"))

    write_photo(tmp_path / "a.png")
    asking = Asking(who="mini", samples=2, cache=tmp_path / "cache")
    work = refining(tmp_path / "out", asking=asking, load_own=load_own)
    result = work.photos(tmp_path / "a.png")
    assert result.refined[0].votes.votes == {
        ("back", "shoulder (back)/shoulder (front)"): 2, ("hand", "hand"): 2,
    }  # fmt: skip


def test_answers_and_results_of_another_model_are_not_taken(tmp_path):
    photo, out = tmp_path / "a.png", tmp_path / "out"
    write_photo(photo)
    hands = OwnModel(("left hand", "right hand"), mark="1")
    heads = OwnModel(("head", "head"), mark="2")

    def refined(own):
        asking = Asking(who="mini", samples=2, cache=tmp_path / "cache")
        return refining(out, asking=asking, load_own=lambda: own).photos(photo)

    assert refined(hands).refined[0].votes.votes == {("hand", "hand"): 2}
    again = refined(heads)
    assert again.kept == 0
    assert again.refined[0].votes.votes == {("head", "head"): 2}
    assert refined(heads).kept == 1


def test_results_of_another_prior_are_made_again(tmp_path):
    write_photo(tmp_path / "a.png")
    contacts = tmp_path / "contacts.json"
    contacts.write_text(json.dumps({"a.png": {"people": 2, "samples": [[["hand", "hand"]]]}}))

    def refined(prior):
        return refining(tmp_path / "out", prior, contacts=contacts).photos(tmp_path / "a.png")

    other = MaxMixture(torch.ones(1), torch.zeros(1, 63), torch.eye(63)[None])
    assert [refined(prior).kept for prior in (None, None, other, other)] == [0, 1, 0, 1]


def test_pose_files_are_refined_without_a_picture(tmp_path):
    files = []
    for i, person in enumerate(two_people(BODY).people):
        files.append(save_pose(person.pose, tmp_path / f"{i}.npz"))
    contacts = tmp_path / "contacts.json"
    contacts.write_text(json.dumps({"0.npz": {"people": 2, "samples": [[["hand", "hand"]]]}}))
    result = refining(tmp_path / "out", contacts=contacts).poses(files, [])
    assert result.refined[0].contact_after_m < result.refined[0].contact_before_m
    assert (tmp_path / "out" / "0-contacts.png").is_file()


def test_the_only_photo_that_fails_is_an_error(tmp_path):
    write_photo(tmp_path / "dark.png", shade=0)
    with pytest.raises(FileError, match="shows nobody, expected 2"):
        refining(tmp_path / "out").photos(tmp_path / "dark.png")
    with pytest.raises(ConfigError, match="MODEL@URL"):
        Asking(who="gpt").model(2, lambda: None)
