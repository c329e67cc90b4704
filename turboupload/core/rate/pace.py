"""Token buckets: transactions a second, bytes a second."""

from __future__ import annotations

__all__ = ["NarrowBucket", "TokenBucket"]

LEAST_SPREAD = 1.02
MOST_SPREAD = 1.5
"""How much further apart than the rate says calls may leave."""

WIDENING = 1.08
"""By how much a refusal spreads them."""

CALMING = 0.03
"""How much of that each call takes back."""


class TokenBucket:
    """Says how long to wait so that a rate holds on average.

    A bucket may go into debt: whoever asks is told when its turn comes, so that those who come
    later queue behind it, and nobody has to ask twice.

    Args:
        rate: Tokens a second.
        burst: Tokens that may be spent at once after a rest.
    """

    def __init__(self, rate: float, *, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at: float | None = None

    def reserve(self, amount: float, now: float) -> float:
        """Takes `amount` tokens and returns how long to wait before using them, in seconds."""
        self._refill(now)
        self._tokens -= amount
        return max(0.0, -self._tokens / self.rate)

    def drain(self, now: float) -> None:
        """Empties the bucket: whoever grants the tokens said that there are none left."""
        self._refill(now)
        self._tokens = min(self._tokens, 0.0)

    def change(self, rate: float, *, burst: float, now: float) -> None:
        """Goes on at another rate; a debt stays, and is paid at that rate."""
        self._refill(now)
        self.rate, self.burst = rate, burst

    def _refill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now if self._at is None else max(now, self._at)


class NarrowBucket(TokenBucket):
    """A bucket that holds a single token: for operations of which there is one a second.

    Two calls that leave exactly a second apart arrive a little more or less than that apart, and
    the service's own bucket, if it holds one token as well, refuses every one that came early. So
    the calls leave a little further apart than they must, and further still after a refusal, for
    as long as the way there is that uneven.

    Args:
        rate: Tokens a second, at the most.
    """

    def __init__(self, rate: float) -> None:
        super().__init__(rate, burst=1.0)
        self._most = rate
        self._spread = LEAST_SPREAD

    def reserve(self, amount: float, now: float) -> float:
        """Takes `amount` tokens and returns how long to wait before using them, in seconds."""
        self._spread += (LEAST_SPREAD - self._spread) * CALMING
        self.rate = self._most / self._spread
        return super().reserve(amount, now)

    def drain(self, now: float) -> None:
        """Empties the bucket, and lets the next ones leave further apart."""
        super().drain(now)
        self._spread = min(MOST_SPREAD, self._spread * WIDENING)
