"""How usual a pose is: a mixture of Gaussians over the turns of 21 joints (max-mixture prior).

The usual one is SMPLify's (Bogo et al. 2016): eight Gaussians of which only the likeliest counts.
Ours is learnt on motion capture (`python -m train.pose_prior`); a user's `gmm_08.pkl` is read
without executing anything in it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unipose.body.pickled_arrays import PickleRefusedError, as_array, read_pickle
from unipose.errors import MissingFileError, WeightsError
from unipose.files.numbers import read_bytes

WEIGHTS_FILE = Path(__file__).parents[1] / "weights" / "pose_prior.safetensors"
VALUES = 63
"""21 joints' rotation vectors, SMPL's order without the root and the hands."""
LARGEST_BYTES = 50_000_000


class MaxMixture(nn.Module):
    """Gaussians with full covariances; a pose costs what its cheapest one says."""

    means: Float[Tensor, "gaussian 63"]
    factors: Float[Tensor, "gaussian 63 63"]
    """Lower triangular L with precision = L L^T."""
    offsets: Float[Tensor, " gaussian"]
    """-log(weight / sqrt(det covariance)), the least of them 0."""

    def __init__(
        self,
        weights: Float[Tensor, " gaussian"],
        means: Float[Tensor, "gaussian 63"],
        covariances: Float[Tensor, "gaussian 63 63"],
    ) -> None:
        super().__init__()
        precision = torch.linalg.inv(covariances.double())
        factors = torch.linalg.cholesky((precision + precision.mT) / 2)
        offsets = -weights.double().log() - factors.diagonal(dim1=1, dim2=2).log().sum(1)
        for name, value in {
            "means": means,
            "factors": factors,
            "offsets": offsets - offsets.min(),
        }.items():
            self.register_buffer(name, value.float(), persistent=False)

    def forward(self, turns: Float[Tensor, "person 63"]) -> Float[Tensor, " person"]:
        """Return min over Gaussians of half the squared Mahalanobis distance and its offset."""
        away = turns[:, None] - self.means
        squares = torch.einsum("pgi,gij->pgj", away, self.factors).square().sum(-1)
        return (squares / 2 + self.offsets).amin(dim=1)

    @classmethod
    def load(cls, path: str | Path | None = None) -> MaxMixture:
        """Read our own prior, or a user's `gmm_08.pkl` (SMPLify's layout: means, covars, weights).

        Raises MissingFileError or WeightsError.
        """
        path = WEIGHTS_FILE if path is None else Path(path)
        if not path.is_file():
            raise MissingFileError(
                path, "there is no pose prior.", "Give SMPLify's gmm_08.pkl, or leave it out."
            )
        arrays = _read_pkl(path) if path.suffix == ".pkl" else load_file(path)
        try:
            weights = torch.as_tensor(arrays["weights"]).double().flatten()
            means, covariances = (
                torch.as_tensor(arrays[name]).double() for name in ("means", "covars")
            )
            count = len(weights)
            if means.shape[0] != count or covariances.shape != (count, *means.shape[1:] * 2):
                raise ValueError(
                    f"shapes {tuple(means.shape)}, {tuple(covariances.shape)}, {count} weights"
                )
            if means.shape[1] < VALUES:
                raise ValueError(f"{means.shape[1]} values, expected {VALUES} or 69")
            return cls(weights, means[:, :VALUES], covariances[:, :VALUES, :VALUES])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise WeightsError(
                path, f"is no mixture of Gaussians over poses ({error}).",
                "Expected means (n, 69), covars (n, 69, 69) and weights (n).",
            ) from error  # fmt: skip


def save_prior(
    path: Path,
    weights: Float[Tensor, " gaussian"],
    means: Float[Tensor, "gaussian 63"],
    covariances: Float[Tensor, "gaussian 63 63"],
) -> None:
    """Write a prior that `MaxMixture.load` reads."""
    arrays = {"weights": weights, "means": means, "covars": covariances}
    save_file({name: value.float().contiguous() for name, value in arrays.items()}, path)


def _read_pkl(path: Path) -> dict[str, np.ndarray]:
    try:
        content = read_pickle(read_bytes(path, largest_bytes=LARGEST_BYTES))
        if not isinstance(content, dict):
            raise PickleRefusedError(f"it holds one {type(content).__name__}")
        return {key: as_array(content[key]) for key in ("means", "covars", "weights")}
    except (PickleRefusedError, KeyError) as error:
        raise WeightsError(
            path, f"is not read: {error} (nothing in it was executed).",
            "Expected SMPLify's gmm_08.pkl.",
        ) from error  # fmt: skip
