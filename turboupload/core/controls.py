"""What may be changed while uploads run."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Controls"]


class Controls(Protocol):
    """Changes how all uploads of an engine go on; called on its event loop."""

    @property
    def max_bandwidth(self) -> int | None:
        """The cap, in bytes a second; None is no cap."""
        ...

    @property
    def concurrency(self) -> int | None:
        """Parts in flight, where somebody fixed that number; None where the window finds it."""
        ...

    @property
    def paused(self) -> bool:
        """Whether nothing new is sent."""
        ...

    def set_bandwidth(self, bytes_per_s: int | None) -> None:
        """Caps what is sent from now on, also of the parts in flight.

        Args:
            bytes_per_s: The cap; None is no cap.

        Raises:
            ConfigError: The cap is not more than zero.
        """
        ...

    def set_concurrency(self, parts: int | None) -> None:
        """Sets how many parts are sent at a time; those in flight beyond that come to their end.

        Args:
            parts: So many; None lets the window find the number.

        Raises:
            ConfigError: The number makes no sense.
        """
        ...

    def pause(self) -> None:
        """Sends and reads no new part until `resume`; those in flight come to their end.

        An upload of which everything has arrived is completed. No call is given up for the time
        that a pause takes.
        """
        ...

    def resume(self) -> None:
        """Ends a pause."""
        ...
