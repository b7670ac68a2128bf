"""MaxSim on GPUs: the vectors stay there in half precision, split over the devices.

The same functions of torch compute on any device. The products of a tile are reduced before the
next tile's are made, so that they are never held whole; only the estimated scores come back.
"""

from collections.abc import Sequence
from itertools import cycle
from typing import Any, Literal, NamedTuple

import numpy as np

from medrag.extras import require
from medrag.indexing.maxsim.packed import Bounds, Ints, Packed, copied
from medrag.indexing.maxsim.scoring import Asked, Estimates, as_tensor, errors_of
from medrag.indexing.scanning.library import cut

Half = Literal["float16", "bfloat16"]

# Numbers that go to a device at once, and bytes of a tile's vectors and products.
_SHARD = 1 << 29
_TILE_BYTES = 1 << 30


class _Shard(NamedTuple):
    """Passages [first, stop) on one device: codes (rows, d), starts (stop - first + 1,)."""

    first: int
    stop: int
    codes: Any
    starts: Ints
    scales: Any


class DeviceCopy:
    """A copy in half precision that lies on devices, in turns."""

    def __init__(self, *, source: Packed, kind: Half, devices: Sequence[str]) -> None:
        self.kind = kind
        self._torch = require("torch")
        self._shards: list[_Shard] = []
        bounds = []
        size = max(1, min(_SHARD, source.values.size // len(devices) + 1) // source.values.shape[1])
        for (first, stop), device in zip(cut(source.starts, size), cycle(devices), strict=False):
            start, end = source.starts[first], source.starts[stop]
            starts = source.starts[first : stop + 1] - start
            made = copied(Packed(source.values[start:end], starts), kind)
            codes = as_tensor(made.codes, kind).to(device)
            scales = self._torch.from_numpy(made.bounds.scales).double().to(device)
            self._shards.append(_Shard(first, stop, codes, starts, scales))
            bounds.append(made.bounds)
        self.bounds = Bounds(*(np.concatenate(each) for each in zip(*bounds, strict=True)))

    def estimated(self, places: Ints, questions: Asked) -> Estimates:
        """Score passages, `places` (n,) ascending; questions in codes of the same kind."""
        scores = np.empty((len(places), len(questions.questions.starts) - 1))
        # Every device is given its work before the first result is waited for.
        waiting = []
        for shard in self._shards:
            first, stop = np.searchsorted(places, (shard.first, shard.stop))
            if first < stop:
                found = self._shard_scores(shard, places[first:stop] - shard.first, questions)
                waiting.append((first, stop, found))
        for first, stop, found in waiting:
            scores[first:stop] = found.cpu().numpy()
        bounds = Bounds(*(each[places] for each in self.bounds))
        return Estimates(scores, errors_of(bounds, questions))

    def _shard_scores(self, shard: _Shard, places: Ints, questions: Asked) -> Any:
        torch = self._torch
        device = shard.codes.device
        columns = as_tensor(questions.copy.codes, self.kind).to(device).t()
        weights = torch.from_numpy(questions.copy.bounds.scales).double().to(device)
        asked = questions.questions
        owners = np.repeat(np.arange(len(asked.starts) - 1), np.diff(asked.starts))
        owned = torch.from_numpy(owners).to(device)
        lengths = (shard.starts[1:] - shard.starts[:-1])[places]
        starts = np.concatenate(([0], np.cumsum(lengths)))
        row_bytes = shard.codes.element_size() * sum(questions.copy.codes.shape)
        sums = []
        for first, stop in cut(starts, max(1, _TILE_BYTES // row_bytes)):
            here = places[first:stop]
            products = self._rows(shard, here, starts[first : stop + 1] - starts[first]) @ columns
            best = self._maxima(products, lengths[first:stop]).double() * weights
            total = torch.zeros(
                (stop - first, len(asked.starts) - 1), dtype=torch.float64, device=device
            ).index_add_(1, owned, best)
            sums.append(total * shard.scales[torch.from_numpy(here).to(device)][:, None])
        return torch.cat(sums)

    def _rows(self, shard: _Shard, places: Ints, starts: Ints) -> Any:
        """Give the codes of passages; those of neighbours where they lie."""
        if places[-1] - places[0] == len(places) - 1:
            return shard.codes[shard.starts[places[0]] : shard.starts[places[-1] + 1]]
        shift = np.repeat(shard.starts[places] - starts[:-1], np.diff(starts))
        rows = self._torch.from_numpy(np.arange(starts[-1]) + shift)
        return shard.codes[rows.to(shard.codes.device)]

    def _maxima(self, products: Any, lengths: Ints) -> Any:
        """Give the largest products of each passage, (passages, m)."""
        longest = int(lengths[0])
        if (lengths == longest).all():
            return products.view(len(lengths), longest, -1).amax(dim=1)
        sizes = self._torch.from_numpy(lengths).to(products.device)
        return self._torch.segment_reduce(products, "max", lengths=sizes, axis=0)
