"""A token bucket, for bytes a second; `turns` has the transactions."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """Says how long to wait so that a rate holds on average.

    A bucket may go into debt: each caller is told how long to wait, later callers queue behind it,
    and none has to ask twice.

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

    def change(self, rate: float, *, burst: float, now: float) -> None:
        """Goes on at another rate; a debt stays, and is paid at that rate."""
        self._refill(now)
        self.rate, self.burst = rate, burst

    def _refill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now if self._at is None else max(now, self._at)
