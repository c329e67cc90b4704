"""Runs a command: signals, every way in which it may end, and its exit code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

from turboupload.cli.lazy import importing
from turboupload.cli.reporters.reporter import Reporter
from turboupload.cli.session.signals import CLEAN_UP_S, Interrupted, Signals
from turboupload.cli.ui.output import StdoutLost
from turboupload.errors import TurbouploadError

__all__ = ["Session"]

T = TypeVar("T")


class Session:
    """Runs one command, and ends the process with its exit code.

    However it ends (well, by an error, a signal or a bug), its reporter says so, exactly once.

    Args:
        reporter: The command's.
        clean_up_s: How long cleaning up after a signal may take, in seconds.
    """

    def __init__(self, reporter: Reporter, *, clean_up_s: float = CLEAN_UP_S) -> None:
        self._reporter = reporter
        self._clean_up_s = clean_up_s

    def run(
        self,
        work: Callable[[], Awaitable[T]],
        report: Callable[[T], int],
        *,
        needs: tuple[str, ...] = (),
    ) -> NoReturn:
        """Runs a coroutine under uvloop.

        Args:
            work: Makes the coroutine.
            report: Tells of its result, when the loop is closed; returns the exit code.
            needs: Modules that it imports; imported before, as then a signal is heard at once.
        """

        def perform(signals: Signals) -> int:
            with importing():
                from turboupload.cli.ui.logs import configure_logs

                for module in needs:
                    importlib.import_module(module)
            configure_logs(self._reporter.verbosity, self._reporter.line)
            return report(signals.run(work))

        self._end(perform)

    def run_blocking(self, work: Callable[[], int]) -> NoReturn:
        """Runs what needs no event loop, in this thread.

        Args:
            work: Does it; returns the exit code.
        """

        def perform(signals: Signals) -> int:
            code = work()
            if signals.caught:
                # It came where Python lets no exception out, in a destructor for one.
                raise Interrupted
            return code

        self._end(perform)

    def _end(self, perform: Callable[[Signals], int]) -> NoReturn:
        with Signals(self._reporter.interrupted, clean_up_s=self._clean_up_s) as signals:
            # From the last words on, a signal changes nothing about how the command ended.
            self._reporter.on_ending = signals.finish
            try:
                code = self._code(perform, signals)
            except KeyboardInterrupt:
                code = self._reporter.interrupted()
            sys.exit(code)

    def _code(self, perform: Callable[[Signals], int], signals: Signals) -> int:
        reporter = self._reporter
        try:
            return perform(signals)
        except KeyboardInterrupt:
            return reporter.interrupted()
        except Exception as error:
            if signals.caught:
                return reporter.interrupted()
            if isinstance(error, StdoutLost):
                return reporter.lost_stdout(error)
            if isinstance(error, TurbouploadError):
                return reporter.failed(error)
            return reporter.unexpected(error)
