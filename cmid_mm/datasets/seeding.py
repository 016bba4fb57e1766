"""Randomness that belongs to a sample, not to the process that happens to load it."""

import hashlib
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class SeededIndex(int):
    """An index of a dataset that carries the seed its sample is to be drawn under.

    It is an ``int``, so that datasets which know nothing of seeds take it as a plain index.

    Args:
        index (int): Position in the dataset.
        seed (int): Seed in [0, 2**64).
    """

    seed: int

    def __new__(cls, index: int, seed: int) -> 'SeededIndex':
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    @property
    def index(self) -> int:
        """The position as a plain ``int``."""
        return int(self)

    def __reduce__(self) -> tuple:
        return SeededIndex, (int(self), self.seed)

    def __repr__(self) -> str:
        return f'SeededIndex({int(self)}, seed={self.seed})'


def mix_seed(*parts: int) -> int:
    """Hash integers in [0, 2**64) into one seed in [0, 2**64).

    Sums such as ``seed + epoch`` would give epoch 1 of seed 0 and epoch 0 of seed 1 the same
    samples; a hash keeps all combinations apart.
    """
    packed = struct.pack(f'<{len(parts)}Q', *parts)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), 'little')


# Generators that are not in use. To read the state of NumPy's and write it back takes longer than a crop; to exchange
# the generator takes nothing.
_spare_generators: list[tuple[np.random.MT19937, np.random.RandomState]] = []


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed ``random``, ``numpy.random`` and torch's CPU generator; give the caller's states back.

    Of the caller's state only the second half of a pair of normal numbers, which ``np.random.randn`` may have kept, is
    lost.

    Args:
        seed (int): Seed in [0, 2**64).
    """
    python_state = random.getstate()
    callers = np.random.get_bit_generator()
    if not _spare_generators:
        bits = np.random.MT19937()
        _spare_generators.append((bits, np.random.RandomState(bits)))
    own = _spare_generators.pop()
    # torch.manual_seed would also queue a call for every accelerator, each time.
    generator = torch.default_generator
    torch_state = generator.get_state()
    random.seed(seed)
    own[1].seed([seed & 0xFFFFFFFF, seed >> 32])
    np.random.set_bit_generator(own[0])
    generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_bit_generator(callers)
        _spare_generators.append(own)
        generator.set_state(torch_state)
