"""How far two sets of features are apart as wholes: the Frechet distance of their Gaussians.

With features of a retrieval evaluator this is the FID of text-to-pose tables. It depends on the
evaluator, on the scale of its features and on how many there are: compare like with like only.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.errors import ConfigError


def frechet_distance(
    features: Float[Tensor, "one feature"], others: Float[Tensor, "other feature"]
) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of means and covariances.

    Heusel et al. 2017, eq. 6; covariances divide by n - 1, as numpy's. tr (C1 C2)^(1/2) is taken
    from the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2), so covariances that are singular
    (fewer features than dimensions) are no special case. Double precision. Raises ConfigError if
    a set has fewer than two features or one that is not finite.
    """
    for some in (features, others):
        if len(some) < 2 or not bool(torch.isfinite(some).all()):
            raise ConfigError(f"expected two or more finite features, got {tuple(some.shape)}")
    one, other = features.double(), others.double()
    apart = (one.mean(dim=0) - other.mean(dim=0)).square().sum()
    spread, other_spread = one.mT.cov(), other.mT.cov()
    values, vectors = torch.linalg.eigh(torch.atleast_2d(spread))
    root = vectors * values.clamp(min=0).sqrt() @ vectors.mT
    shared = torch.linalg.eigvalsh(root @ torch.atleast_2d(other_spread) @ root)
    overlap = shared.clamp(min=0).sqrt().sum()
    variances = one.var(dim=0).sum() + other.var(dim=0).sum()
    return max(0.0, float(apart + variances - 2 * overlap))
