"""What N samples say together: pairs with votes, how many samples are empty, when to fall back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unipose.body.regions import RegionSet
from unipose.contact.contact_tables import Pair, read_table
from unipose.errors import ConfigError, FileError
from unipose.files.atomic import written_whole
from unipose.files.json_table import read_json_value

LARGEST_BYTES = 100_000_000


@dataclass(frozen=True, kw_only=True)
class ContactVotes:
    """All samples of one picture, as pairs."""

    people: int
    samples: tuple[tuple[Pair, ...], ...]
    """One for each answer, in the answers' order; empty ones too."""
    dropped: tuple[str, ...] = ()
    """Why lines were left out, one reason each."""

    @property
    def votes(self) -> dict[Pair, int]:
        """Pair (its two terms sorted) -> how many samples name it; most votes first."""
        counted = Counter(pair for sample in self.samples for pair in {_plain(p) for p in sample})
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    @property
    def empty(self) -> int:
        """Return how many samples name nothing."""
        return sum(not sample for sample in self.samples)

    def kept(self, threshold: int) -> ContactVotes:
        """Return the samples without pairs that fewer than `threshold` of them name (f)."""
        votes = self.votes
        samples = tuple(
            tuple(pair for pair in sample if votes[_plain(pair)] >= threshold)
            for sample in self.samples
        )
        return ContactVotes(people=self.people, samples=samples, dropped=self.dropped)

    def without(self, word: str) -> ContactVotes:
        """Return the samples without pairs that name a word."""
        samples = tuple(
            tuple(pair for pair in sample if word not in pair) for sample in self.samples
        )
        return ContactVotes(people=self.people, samples=samples, dropped=self.dropped)

    def falls_back(self, most_empty: int | None) -> bool:
        """Return whether so many answers are empty that none is to be believed (t).

        None stands for all of them. It is asked of the answers as they came, not after `kept`;
        without any sample there is nothing to believe.
        """
        limit = len(self.samples) if most_empty is None else min(most_empty, len(self.samples))
        return self.empty >= max(limit, 1) or not self.samples


def read_votes(texts: Sequence[str], vocabulary: RegionSet, *, people: int) -> ContactVotes:
    """Return what answers in words say together."""
    tables = [read_table(text, vocabulary, people=people) for text in texts]
    return ContactVotes(
        people=people,
        samples=tuple(table.pairs for table in tables),
        dropped=tuple(reason for table in tables for reason in table.dropped),
    )


def save_contacts(votes: dict[str, ContactVotes], path: Path) -> Path:
    """Write each picture's samples and votes as JSON."""
    content = {
        key: {
            "people": one.people,
            "samples": one.samples,
            "votes": [[*pair, count] for pair, count in one.votes.items()],
            "empty": one.empty,
            "dropped": dict(Counter(one.dropped)),
        }
        for key, one in votes.items()
    }
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def load_contacts(path: Path, vocabularies: dict[int, RegionSet]) -> dict[str, ContactVotes]:
    """Read what `save_contacts` wrote, or somebody by hand.

    The least is {"a.jpg": {"people": 2, "samples": [[["hand", "back"]]]}}. Raises FileError for
    anything else, or a word that is in no vocabulary.
    """
    content = read_json_value(path, largest_bytes=LARGEST_BYTES)
    if not isinstance(content, dict):
        raise FileError(path, "holds no table of pictures with their contacts.")
    found = {}
    for key, entry in content.items():
        try:
            people, samples = int(entry["people"]), entry["samples"]
            vocabulary = vocabularies[people]
            pairs = tuple(tuple((str(a), str(b)) for a, b in sample) for sample in samples)
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(
                path, f"its entry {str(key)[:60]!r} has no people (1 or 2) with samples of pairs."
            ) from error
        for term in {term for sample in pairs for pair in sample for term in pair}:
            unknown = [word for word in term.split("/") if word not in vocabulary.parts]
            if unknown:
                words = ", ".join(vocabulary.parts)
                raise FileError(path, f"{unknown[0]!r} is none of {words}.")
        found[str(key)] = ContactVotes(people=people, samples=pairs, dropped=_reasons(entry))
    return found


def _reasons(entry: dict[str, Any]) -> tuple[str, ...]:
    """Return the reasons of a file of our own, one for each line that was left out."""
    counts = entry.get("dropped")
    known = counts.items() if isinstance(counts, dict) else ()
    return tuple(
        str(reason) for reason, count in known if isinstance(count, int) for _ in range(count)
    )


def usual_threshold(people: int, samples: int) -> int:
    """Return the f of ProsePose: 1 for two people, half of the samples (10 of 20) for one."""
    return 1 if people == 2 else max(1, samples // 2)


def check_thresholds(threshold: int | None, most_empty: int | None) -> None:
    """Raise ConfigError for an f or a t that means nothing."""
    if any(limit is not None and limit < 1 for limit in (threshold, most_empty)):
        raise ConfigError(f"expected thresholds from 1 on, got f={threshold}, t={most_empty}")


def _plain(pair: Pair) -> Pair:
    first, second = sorted(pair)
    return first, second
