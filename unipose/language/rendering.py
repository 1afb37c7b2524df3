"""A conversation turn becomes ids, what to learn from each place, and what sees what.

One describe sample (a pose of three codes; S and E open and close a pose, . ends the answer):

    ids     user  Describe  S   c0  c1  c2  E   model  Knees  bent  .
    kind    0     0         0   1   1   1   0   0      0      0     0
    target  -     -         -   -   -   -   -   Knees  bent   .     -     (next token)

One generate sample; the slots hold queries, and slot i answers with code i, unshifted:

    ids     user  Kneel  model  S   q0  q1  q2  E   .
    kind    0     0      0      0   2   2   2   0   0
    target  -     -      S      -   c0  c1  c2  .   -

Some models say something behind such a pose (`Vocabulary.pose_tail`): E then learns its first word.

One sample about a picture of two patches (I and J open and close it; 0 is filler that nobody
reads: what the eyes saw takes its place); what is learned is the answer, as above:

    ids     user  Describe  I   0   0   J   model  Knees  bent  .
    kind    0     0         0   3   3   0   0      0      0     0

A model that shows poses through a projector has `pose_places` places of filler for each pose that
is read, in place of its codes, as for a picture.

If the eyes guess at the pose (a mesh recovery head), S c0 c1 c2 E follows J, a pose that is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from unipose.errors import BlindModelError, ConfigError, PoseQueryError
from unipose.language.pictures import Picture, Pictures
from unipose.language.vocabulary import Vocabulary

TEXT, READ_POSE, WRITTEN_POSE, PATCH = 0, 1, 2, 3
"""What a place in a row is: causal text, a code of a pose that is read, a slot to be written, a
patch of a picture."""

IGNORE_INDEX = -100
"""Target of a place where nothing is learned (as of torch's cross entropy)."""

Part = str | Tensor | Picture
"""A piece of a message: text, the codes of one pose, or a picture."""


@dataclass(kw_only=True)
class Row:
    """One rendered sample; all lists have the same length."""

    ids: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    spans: list[int] = field(default_factory=list)
    """Which pose or picture of the row (from 1) a place belongs to; 0 for text."""
    targets: list[int] = field(default_factory=list)
    """Id to be predicted at this place (shifted for text, unshifted for slots), or IGNORE_INDEX."""
    answering: list[bool] = field(default_factory=list)
    """Whether a place opens the answer or is a word of it."""
    source: list[int] = field(default_factory=list)
    """Codes of the newest pose that is read, or guessed; a pose that is written starts from it."""
    facts: Tensor | None = None
    """In training, which claims are true of the newest pose that is read and of the way to it from
    the one before (booleans), to be read off it."""
    told: Tensor | None = None
    """In training, which claims the question makes: its words of a pose to be written, its pictures
    of whom they show. Learned from the question's hidden states."""
    pictures: list[Picture] = field(default_factory=list)
    """In the order of their places."""
    read: list[Tensor] = field(default_factory=list)
    """Codes of the poses that are read, in the order of their places."""
    branches: list[int] = field(default_factory=list)
    """Of rows that begin alike and were packed into one: which of them a place belongs to, from 1;
    0 is the shared beginning. Empty: one row."""
    positions: list[int] = field(default_factory=list)
    """Where each place stands in its own row, of packed ones."""
    true_at: list[tuple[int, Tensor]] = field(default_factory=list)
    """In training, what is true of the pose that ends at a place (booleans, one a claim)."""
    told_at: list[tuple[int, Tensor]] = field(default_factory=list)
    """In training, what the request that ends at a place claims."""
    named_at: list[tuple[int, Tensor]] = field(default_factory=list)
    """In training, which named pose the request that ends at a place is for (one true of all)."""

    def add(
        self,
        identity: int,
        *,
        kind: int = TEXT,
        span: int = 0,
        target: int = IGNORE_INDEX,
        answering: bool = False,
    ) -> None:
        """Append one place."""
        self.ids.append(identity)
        self.kinds.append(kind)
        self.spans.append(span)
        self.targets.append(target)
        self.answering.append(answering)


def render_question(parts: Sequence[Part], vocabulary: Vocabulary) -> Row:
    """Return the row of a user's turn, up to and including the marker that opens the answer.

    Raises PoseQueryError for a pose of another tokenizer and for too many pictures, BlindModelError
    for any picture if the model has no eyes.
    """
    row = Row()
    for identity in vocabulary.opening:
        row.add(identity)
    for part in parts:
        if isinstance(part, str):
            for identity in vocabulary.encode(part):
                row.add(identity)
        elif isinstance(part, Picture):
            add_picture(row, part, vocabulary)
        else:
            add_read_pose(row, part, vocabulary)
    for identity in vocabulary.turn:
        row.add(identity)
    row.answering[-1] = True
    return row


def render_sample(question: Sequence[Part], answer: str | Tensor, vocabulary: Vocabulary) -> Row:
    """Return the row of a question with its answer, with targets on the answer alone."""
    row = render_question(question, vocabulary)
    if isinstance(answer, str):
        words = vocabulary.encode(answer)
    else:
        add_written_pose(row, answer, vocabulary)
        words = vocabulary.pose_tail_ids
    for identity in words:
        row.targets[-1] = identity
        row.add(identity, answering=True)
    row.targets[-1] = vocabulary.answer_end
    row.add(vocabulary.answer_end)
    return row


def add_written_pose(row: Row, codes: Tensor, vocabulary: Vocabulary) -> None:
    """Append the slots of a pose that the model writes, with their codes as targets."""
    row.targets[-1] = vocabulary.pose_start
    row.add(vocabulary.pose_start)
    span = max(row.spans) + 1
    for slot, code in enumerate(_codes(codes, vocabulary)):
        row.add(
            vocabulary.first_query + slot, kind=WRITTEN_POSE, span=span,
            target=vocabulary.first_code + code,
        )  # fmt: skip
    row.add(vocabulary.pose_end)


def add_read_pose(
    row: Row, codes: Tensor, vocabulary: Vocabulary, *, span: int | None = None
) -> None:
    """Append the codes of a pose that is read; `span` is which of its row, the next unless told."""
    span = max(row.spans) + 1 if span is None else span
    row.add(vocabulary.pose_start)
    row.source = _codes(codes, vocabulary)
    row.read.append(codes)
    places = [vocabulary.first_code + code for code in row.source]
    if vocabulary.pose_places:
        places = [vocabulary.pad] * vocabulary.pose_places
    for identity in places:
        row.add(identity, kind=READ_POSE, span=span)
    row.add(vocabulary.pose_end)


def add_picture(row: Row, picture: Picture, vocabulary: Vocabulary) -> None:
    """Append the places of a picture, and the pose that the eyes guess behind them.

    Raises BlindModelError if the model has no eyes, PoseQueryError for too many pictures.
    """
    if not vocabulary.patches:
        raise BlindModelError()
    if len(row.pictures) == vocabulary.pictures:
        raise PoseQueryError(
            f"a question holds at most {vocabulary.pictures} pictures; leave some out"
        )
    span = max(row.spans) + 1
    row.add(vocabulary.picture_start)
    for _ in range(vocabulary.patches):
        row.add(vocabulary.pad, kind=PATCH, span=span)
    row.add(vocabulary.picture_end)
    row.pictures.append(picture)
    if picture.guess is not None:
        add_read_pose(row, picture.guess, vocabulary)


def _codes(codes: Tensor, vocabulary: Vocabulary) -> list[int]:
    values = codes.tolist()
    if len(values) != vocabulary.length or not all(0 <= c < vocabulary.codes for c in values):
        raise PoseQueryError(
            f"expected a pose of {vocabulary.length} codes below {vocabulary.codes}, got "
            f"{len(values)} in {min(values, default=0)}..{max(values, default=0)}"
        )
    return values


@dataclass(frozen=True, kw_only=True)
class ClaimsAtPlaces:
    """Which claims are to be read off which hidden states."""

    rows: Int[Tensor, " state"]
    places: Int[Tensor, " state"]
    claims: Bool[Tensor, "state claim"]

    def to(self, device: torch.device | str) -> ClaimsAtPlaces:
        """Return the claims on a device."""
        return ClaimsAtPlaces(**{name: value.to(device) for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of any tasks side by side, filled up to the longest."""

    ids: Int[Tensor, "row place"]
    kinds: Int[Tensor, "row place"]
    spans: Int[Tensor, "row place"]
    targets: Int[Tensor, "row place"]
    answering: Bool[Tensor, "row place"]
    real: Bool[Tensor, "row place"]
    """False where a row is filled up."""
    sources: Int[Tensor, "row slot"] | None = None
    """Codes of the newest pose that is read, -1 in rows without; None if no row has any."""
    facts: Bool[Tensor, "row claim"] | None = None
    """All false in rows that read no pose; None if no row brings any."""
    told: Bool[Tensor, "row claim"] | None = None
    """All false in rows that bring none; None if no row brings any."""
    telling: Bool[Tensor, " row"] | None = None
    """Which rows bring what is told."""
    branches: Int[Tensor, "row place"] | None = None
    positions: Int[Tensor, "row place"] | None = None
    """Both None unless a row is packed."""
    true_at: ClaimsAtPlaces | None = None
    told_at: ClaimsAtPlaces | None = None
    named_at: ClaimsAtPlaces | None = None
    pictures: Pictures | None = None
    """None if no row has any."""
    read: Int[Tensor, "pose slot"] | None = None
    """Codes of all poses that are read, row after row; None if no row reads any."""

    @property
    def asking(self) -> Bool[Tensor, "row place"]:
        """Which places are words of the question, or patches of its pictures."""
        before = self.answering.cumsum(dim=1) == 0
        return before & self.real & ((self.kinds == TEXT) | (self.kinds == PATCH))

    @property
    def looking(self) -> Bool[Tensor, " row"]:
        """Which rows hold a picture."""
        return (self.kinds == PATCH).any(dim=1)

    @property
    def reading(self) -> Bool[Tensor, " row"]:
        """Which rows have read a pose."""
        if self.sources is None:
            return torch.zeros(len(self.ids), dtype=torch.bool, device=self.ids.device)
        return self.sources[:, 0] >= 0

    @property
    def writing(self) -> Bool[Tensor, " row"]:
        """Which rows write a pose."""
        return (self.kinds == WRITTEN_POSE).any(dim=1)

    def places(self, begin: int, end: int) -> Batch:
        """Return some places of every row."""
        per_place = ("ids", "kinds", "spans", "targets", "answering", "real")
        some = {name: getattr(self, name)[:, begin:end] for name in per_place}
        return Batch(**some, sources=self.sources)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on a device."""
        there = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return Batch(**there)


@dataclass(frozen=True, kw_only=True)
class Practice:
    """Pairs of poses with claims and without words, to practise reading and writing by."""

    first: Int[Tensor, "pair slot"]
    second: Int[Tensor, "pair slot"]
    facts: Bool[Tensor, "pair claim"]
    """What is true of the second pose and of the way to it from the first."""
    told: Bool[Tensor, "pair claim"]
    """What a text claims that asks for the second pose."""
    edits: Bool[Tensor, " pair"]
    """Whether the text starts from the first pose."""

    def to(self, device: torch.device | str) -> Practice:
        """Return the pairs on a device."""
        return Practice(**{name: value.to(device) for name, value in vars(self).items()})


def collate(rows: Sequence[Row], *, pad: int, left: bool = False) -> Batch:
    """Return the rows as one batch; filled on the right, or on the left for generation."""
    longest = max(len(row.ids) for row in rows)

    def filled(name: str, value: int) -> Tensor:
        result = torch.full((len(rows), longest), value)
        for i, row in enumerate(rows):
            values = torch.tensor(getattr(row, name))
            result[i, slice(longest - len(values), None) if left else slice(len(values))] = values
        return result

    packed = any(row.branches for row in rows)
    if packed and (left or not all(row.branches for row in rows)):
        raise ConfigError("packed rows stand in batches of their own, filled on the right")
    length = max(len(row.source) for row in rows)
    sources = [row.source or [-1] * length for row in rows]
    lengths = torch.tensor([len(row.ids) for row in rows])[:, None]
    place = torch.arange(longest)
    return Batch(
        ids=filled("ids", pad),
        kinds=filled("kinds", TEXT),
        spans=filled("spans", 0),
        targets=filled("targets", IGNORE_INDEX),
        answering=filled("answering", 0).bool(),
        real=place >= longest - lengths if left else place < lengths,
        sources=torch.tensor(sources) if length else None,
        facts=_stacked([row.facts for row in rows]),
        told=_stacked([row.told for row in rows]),
        telling=torch.tensor([row.told is not None for row in rows]),
        branches=filled("branches", 0) if packed else None,
        positions=filled("positions", 0) if packed else None,
        true_at=_at_places([row.true_at for row in rows]),
        told_at=_at_places([row.told_at for row in rows]),
        named_at=_at_places([row.named_at for row in rows]),
        pictures=Pictures.stacked([picture for row in rows for picture in row.pictures]),
        read=torch.stack(read) if (read := [codes for row in rows for codes in row.read]) else None,
    )


def _at_places(marked: Sequence[list[tuple[int, Tensor]]]) -> ClaimsAtPlaces | None:
    found = [(i, place, claims) for i, some in enumerate(marked) for place, claims in some]
    if not found:
        return None
    rows, places, claims = zip(*found, strict=True)
    return ClaimsAtPlaces(
        rows=torch.tensor(rows), places=torch.tensor(places), claims=torch.stack(claims)
    )


def _stacked(claims: Sequence[Tensor | None]) -> Tensor | None:
    known = next((some for some in claims if some is not None), None)
    if known is None:
        return None
    nothing = torch.zeros_like(known)
    return torch.stack([nothing if some is None else some for some in claims])
