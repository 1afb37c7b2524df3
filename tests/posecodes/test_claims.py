"""What the embedded model was trained on stays: the columns of claims."""

from __future__ import annotations

import hashlib

from unipose.posecodes.claims import claims
from unipose.posecodes.facts import atoms
from unipose.posecodes.pair_codes import columns


def _hash(rows) -> str:
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def test_the_columns_of_claims_stay_as_they_are():
    assert (len(claims()), len(atoms()), len(columns())) == (429, 135, 94)
    assert _hash([repr(claim) for claim in claims()]) == "2b4378345b3a956e"
