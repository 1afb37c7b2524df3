"""The nearest vertices of any two regions of bodies, exactly: the whole mesh, no random subset.

On the CPU a compiled loop over blocks of vertices, most of which their boxes sort out; elsewhere
torch's distances of two regions at a time. Both find the same vertices.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unipose.body.body import Body
from unipose.body.regions import GROUND, RegionSet, find_regions
from unipose.body.touch_rules import least_rest_distances
from unipose.render.compiled import compiled

BLOCK = 24
"""At most so many vertices are sorted out together."""
NONE = -1


class RegionPoints:
    """The regions of one body, ready to be looked up in many poses.

    For one body's own contacts (`own`) only vertices count that are well apart in the zero pose, by
    the rules of `body.touch_rules`: a hand always touches its own forearm.
    """

    def __init__(self, body: Body, regions: RegionSet, *, own: bool) -> None:
        self.names = regions.names
        self.own = own
        fine = find_regions(body)
        self._fine: Int[np.ndarray, " vertex"] = fine.of_vertex.numpy()
        least = least_rest_distances(fine.neighbours.numpy()) if own else np.zeros((1, 1))
        self._least: Float[np.ndarray, "fine fine"] = np.square(least).astype(np.float32)
        """Squared: how far vertices of two of REGIONS have to be apart in the zero pose."""
        self.masks: Bool[Tensor, "region vertex"] = regions.masks(body)
        self.ground = self.names.index(GROUND) if GROUND in self.names else None
        self.rest = body.template.cpu().numpy().astype(np.float32)
        atoms, atom_of = np.unique(self.masks.numpy().T, axis=0, return_inverse=True)
        kept = atoms.any(1)
        blocks: list[Int[np.ndarray, " _"]] = []
        first = [0]
        for atom in np.flatnonzero(kept):
            blocks += cut_in_blocks(np.flatnonzero(atom_of.ravel() == atom), self.rest)
            first.append(len(blocks))
        self._order = np.concatenate(blocks)
        self._ends = np.cumsum([len(block) for block in blocks])
        self._first = np.array(first)
        self._of_region = np.ascontiguousarray(atoms[kept].T)
        """Which atoms (vertices of the same regions) each region is made of."""

    def nearest(
        self,
        vertices: Float[Tensor, "scene person vertex 3"],
        wanted: Int[Tensor, "scene wish 2"],
    ) -> Int[Tensor, "scene wish 2"]:
        """Return the nearest vertices of each wanted pair of regions.

        Of the first person's mesh and the second's, or of one mesh; NONE twice where no two
        vertices count, or no regions are wanted. The ground has no vertices: of a pair with it only
        the other's lowest is given.
        """
        vertices = vertices.detach()
        if vertices.device.type == "cpu":
            return self._nearest_compiled(vertices, wanted)
        return self._nearest_torch(vertices, wanted)

    def _nearest_compiled(self, vertices: Tensor, wanted: Tensor) -> Tensor:
        meshes = np.ascontiguousarray(vertices.float().numpy())
        pairs = wanted.contiguous().numpy()
        found = np.full(pairs.shape, NONE, dtype=np.int64)
        compiled(_nearest)(
            meshes, pairs, self._order, self._ends, self._first, self._of_region, self.rest,
            self._fine, self._least, self.own, NONE if self.ground is None else self.ground, found,
        )  # fmt: skip
        return torch.from_numpy(found)

    def _nearest_torch(self, vertices: Tensor, wanted: Tensor) -> Tensor:
        device = vertices.device
        first, second = vertices[:, 0], vertices[:, -1]
        members = [mask.nonzero()[:, 0].to(device) for mask in self.masks]
        rest = torch.from_numpy(self.rest).to(device)
        found = torch.full_like(wanted, NONE)
        for a, b in {(a, b) for a, b in wanted.flatten(0, 1).tolist() if a != NONE}:
            here = (wanted == torch.tensor([a, b], device=device)).all(-1)
            pair = self._nearest_of(first, second, members[a], members[b], rest, (a, b))
            found = torch.where(here[..., None], pair[:, None], found)
        return found

    def _nearest_of(
        self,
        first: Float[Tensor, "scene vertex 3"],
        second: Float[Tensor, "scene vertex 3"],
        rows: Int[Tensor, " row"],
        columns: Int[Tensor, " column"],
        rest: Float[Tensor, "vertex 3"],
        regions: tuple[int, int],
    ) -> Int[Tensor, "scene 2"]:
        if self.ground in regions:
            at_ground = regions[0] == self.ground
            other = columns if at_ground else rows
            none = torch.full((len(first),), NONE, device=first.device)
            lowest = other[first[:, other, 1].argmin(1)] if len(other) else none
            return torch.stack([none, lowest] if at_ground else [lowest, none], dim=1)
        apart = torch.cdist(
            first[:, rows], second[:, columns], compute_mode="donot_use_mm_for_euclid_dist"
        )
        if self.own:
            places = [rest[some][:, None] for some in (rows, columns)]
            squares = (places[0] - places[1].transpose(0, 1)).square().sum(-1)
            fine = torch.from_numpy(self._fine).to(rows.device)
            least = torch.from_numpy(self._least).to(rows.device)
            near = squares < least[fine[rows][:, None], fine[columns]]
            apart = apart.masked_fill(near, torch.inf)
        least, at = apart.flatten(1).min(1)
        pair = torch.stack([rows[at // len(columns)], columns[at % len(columns)]], dim=1)
        return pair.masked_fill(~least.isfinite()[:, None], NONE)


def cut_in_blocks(
    vertices: Int[np.ndarray, " _"], places: Float[np.ndarray, "vertex 3"]
) -> list[Int[np.ndarray, " _"]]:
    """Return them in blocks of neighbours, cut in halves across the longest side."""
    if len(vertices) <= BLOCK:
        return [vertices] if len(vertices) else []
    here = places[vertices]
    axis = int(np.argmax(here.max(0) - here.min(0)))
    order = vertices[np.argsort(here[:, axis], kind="stable")]
    half = len(order) // 2
    return cut_in_blocks(order[:half], places) + cut_in_blocks(order[half:], places)


def _nearest(  # noqa: C901 - one loop, for speed
    meshes: np.ndarray,
    pairs: np.ndarray,
    order: np.ndarray,
    ends: np.ndarray,
    first_block: np.ndarray,
    of_region: np.ndarray,
    rest: np.ndarray,
    fine: np.ndarray,
    least: np.ndarray,
    own: bool,
    ground: int,
    found: np.ndarray,
) -> None:
    """Write the nearest vertices of each pair of regions (compiled)."""
    people = meshes.shape[1]
    atoms, blocks = len(first_block) - 1, len(ends)
    low = np.empty((people, atoms + blocks, 3), dtype=np.float32)  # of atoms, then of blocks
    high = np.empty((people, atoms + blocks, 3), dtype=np.float32)
    points = np.empty((people, len(order), 3), dtype=np.float32)
    for scene in range(len(meshes)):
        low[:] = np.inf
        high[:] = -np.inf
        for person in range(people):
            for atom in range(atoms):
                for block in range(first_block[atom], first_block[atom + 1]):
                    for i in range(ends[block - 1] if block else 0, ends[block]):
                        for k in range(3):
                            x = meshes[scene, person, order[i], k]
                            points[person, i, k] = x
                            at = atoms + block
                            low[person, at, k] = min(low[person, at, k], x)
                            high[person, at, k] = max(high[person, at, k], x)
                    for k in range(3):
                        at = atoms + block
                        low[person, atom, k] = min(low[person, atom, k], low[person, at, k])
                        high[person, atom, k] = max(high[person, atom, k], high[person, at, k])
        one, other = points[0], points[-1]
        low_a, high_a, low_b, high_b = low[0], high[0], low[-1], high[-1]
        for n in range(pairs.shape[1]):
            r, s = pairs[scene, n]
            if r < 0:
                continue
            if ground >= 0 and (r == ground or s == ground):
                lowest = np.float32(np.inf)
                for atom in range(atoms):
                    if of_region[s if r == ground else r, atom]:
                        start = ends[first_block[atom] - 1] if first_block[atom] else 0
                        for i in range(start, ends[first_block[atom + 1] - 1]):
                            if one[i, 1] < lowest:
                                lowest = one[i, 1]
                                found[scene, n, 1 if r == ground else 0] = order[i]
                continue
            best = np.float32(np.inf)
            for a in range(atoms):
                if not of_region[r, a]:
                    continue
                for b in range(atoms):
                    if not of_region[s, b]:
                        continue
                    gap = np.float32(0.0)
                    for k in range(3):
                        d = max(low_a[a, k] - high_b[b, k], low_b[b, k] - high_a[a, k])
                        if d > 0:
                            gap += d * d
                    if gap >= best:
                        continue
                    for p in range(first_block[a], first_block[a + 1]):
                        gap = np.float32(0.0)
                        for k in range(3):
                            d = max(
                                low_a[atoms + p, k] - high_b[b, k],
                                low_b[b, k] - high_a[atoms + p, k],
                            )
                            if d > 0:
                                gap += d * d
                        if gap >= best:
                            continue
                        for q in range(first_block[b], first_block[b + 1]):
                            gap = np.float32(0.0)
                            for k in range(3):
                                d = max(
                                    low_a[atoms + p, k] - high_b[atoms + q, k],
                                    low_b[atoms + q, k] - high_a[atoms + p, k],
                                )
                                if d > 0:
                                    gap += d * d
                            if gap >= best:
                                continue
                            for i in range(ends[p - 1] if p else 0, ends[p]):
                                for j in range(ends[q - 1] if q else 0, ends[q]):
                                    x = one[i, 0] - other[j, 0]
                                    y = one[i, 1] - other[j, 1]
                                    z = one[i, 2] - other[j, 2]
                                    square = x * x + y * y + z * z
                                    if square >= best:
                                        continue
                                    if own:
                                        u, v = order[i], order[j]
                                        x = rest[u, 0] - rest[v, 0]
                                        y = rest[u, 1] - rest[v, 1]
                                        z = rest[u, 2] - rest[v, 2]
                                        if x * x + y * y + z * z < least[fine[u], fine[v]]:
                                            continue
                                    best = square
                                    found[scene, n, 0] = order[i]
                                    found[scene, n, 1] = order[j]
