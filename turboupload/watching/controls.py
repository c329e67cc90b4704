"""What may be changed while a folder is watched, for the run that is sent and those that follow."""

from __future__ import annotations

from dataclasses import replace

from turboupload.config import UploadConfig
from turboupload.core.controls import Controls

__all__ = ["WatchControls"]


class WatchControls:
    """Pauses, caps and widens the batches of a watcher, each of which has controls of its own.

    Args:
        config: What holds as long as nobody changes it.
    """

    def __init__(self, config: UploadConfig) -> None:
        self._config = config
        self._changed: set[str] = set()
        self._paused = False
        self._batch: Controls | None = None

    @property
    def max_bandwidth(self) -> int | None:
        """The cap, in bytes a second; see `Controls`."""
        return self._config.max_bandwidth if self._batch is None else self._batch.max_bandwidth

    @property
    def concurrency(self) -> int | None:
        """Parts in flight, where somebody fixed that number; see `Controls`."""
        return self._config.concurrency if self._batch is None else self._batch.concurrency

    @property
    def paused(self) -> bool:
        """Whether nothing new is sent."""
        return self._paused

    def set_bandwidth(self, bytes_per_s: int | None) -> None:
        """Caps what is sent from now on; see `Controls`."""
        self._config = replace(self._config, max_bandwidth=bytes_per_s)
        self._changed.add("max_bandwidth")
        if self._batch is not None:
            self._batch.set_bandwidth(bytes_per_s)

    def set_concurrency(self, parts: int | None) -> None:
        """Sets how many parts are sent at a time; see `Controls`."""
        self._config = replace(self._config, concurrency=parts)
        self._changed.add("concurrency")
        if self._batch is not None:
            self._batch.set_concurrency(parts)

    def pause(self) -> None:
        """Sends nothing new until `resume`; runs that end meanwhile are planned all the same."""
        self._paused = True
        if self._batch is not None:
            self._batch.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self._paused = False
        if self._batch is not None:
            self._batch.resume()

    def begin(self, batch: Controls) -> None:
        """Takes the controls of a batch that begins, and tells it what was asked for before."""
        self._batch = batch
        if "max_bandwidth" in self._changed:
            batch.set_bandwidth(self._config.max_bandwidth)
        if "concurrency" in self._changed:
            batch.set_concurrency(self._config.concurrency)
        if self._paused:
            batch.pause()

    def end(self) -> None:
        """Forgets the batch, which has ended."""
        self._batch = None
