"""Draws that are a function of words alone, whoever asks and whenever: what makes a build the same in any order."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

DIGEST_BITS = 256


class Keyed(Random):
    """A `Random` whose draws depend on nothing but the words given to `key`.

    The first 256 bits are the SHA-256 of the words themselves: a task draws a few numbers for each of a million records,
    and to seed a Mersenne twister costs as much as all its other work on one. Who needs more bits gets the twister,
    seeded with that hash.
    """

    def key(self, words: str) -> None:
        """Start anew: from here on all draws follow from `words`."""
        self._digest = int.from_bytes(hashlib.sha256(words.encode()).digest(), "big")
        self._pool, self._left = self._digest, DIGEST_BITS
        self.gauss_next = None

    def seed(self, a: Any = None, version: int = 2) -> None:
        """`key` with the seed as words; a seed that is not given is the empty one, never the clock."""
        self.key("" if a is None else repr(a))

    def getrandbits(self, k: int, /) -> int:
        """A whole number of `k` random bits."""
        left = self._left - k
        if left < 0:
            if self._left != _TWISTER:
                super().seed(self._digest)
                self._left = _TWISTER
            return super().getrandbits(k)
        self._left = left
        found = self._pool & ((1 << k) - 1)
        self._pool >>= k
        return found

    def random(self) -> float:
        """A number in [0, 1), 53 bits fine."""
        return self.getrandbits(53) / (1 << 53)

    def getstate(self) -> tuple[Any, ...]:
        """The state, for `setstate`."""
        return self._digest, self._pool, self._left, self.gauss_next, super().getstate()

    def setstate(self, state: tuple[Any, ...]) -> None:
        """Go on where `getstate` was called."""
        self._digest, self._pool, self._left, self.gauss_next, twister = state
        super().setstate(twister)


_TWISTER = -1  # bits left when they come from the twister
