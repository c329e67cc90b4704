"""Values of a configuration that may be written as people do, and are checked when they are set.

Each is a descriptor for a frozen dataclass: what is given may be text, what is read is a number.
Type checkers know both.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar

from turboupload.errors import ConfigError
from turboupload.units import (
    format_duration,
    format_rate,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
)

__all__ = ["Count", "Duration", "Rate", "Size"]

T = TypeVar("T", bound=float | None)


class _Setting(Generic[T]):
    """A number above zero, or None where that is the default."""

    form = ""
    parse: Callable[[Any], float]
    show: Callable[[Any], str] = str

    def __init__(self, default: T, *, may_be_zero: bool = False, most: float = math.inf) -> None:
        self._default = default
        self._may_be_zero = may_be_zero
        self._most = most
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type | None = None) -> T:
        if instance is None:
            return self._default  # what a dataclass takes for the default
        value: T = vars(instance)[self._name]
        return value

    def __set__(self, instance: object, value: T | str | timedelta) -> None:
        vars(instance)[self._name] = self._checked(value)

    def _checked(self, value: Any) -> float | None:
        if value is None and self._default is None:
            return None
        number = self._number(value)
        if not (number >= 0 if self._may_be_zero else number > 0):
            least = "can't be less than" if self._may_be_zero else "must be more than"
            raise ConfigError(f"{self._name} {least} zero, not {value}")
        if number > self._most:
            raise ConfigError(f"{self._name} is at most {type(self).show(self._most)}, not {value}")
        return number

    def _number(self, value: object) -> float:
        try:
            if isinstance(value, str):
                return type(self).parse(value)
            if isinstance(value, bool):
                raise TypeError
            return self._plain(value)
        except (ValueError, OverflowError) as error:
            raise ConfigError(f"{self._name}: {error}") from None
        except TypeError:
            raise ConfigError(f"{self._name} is {self.form}, not {value!r}") from None

    @staticmethod
    def _plain(value: Any) -> float:
        """A number that is no text."""
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return operator.index(value)


class Count(_Setting[T]):
    """A whole number."""

    form = "a whole number"
    parse = staticmethod(operator.index)  # which takes no text


class Size(_Setting[T]):
    """A size in bytes, such as `8MiB`."""

    form = "a whole number of bytes, or text such as 8MiB"
    parse = staticmethod(parse_size)
    show = staticmethod(format_size)


class Rate(_Setting[T]):
    """A rate in bytes a second, such as `200MiB/s`."""

    form = "a whole number of bytes a second, or text such as 200MiB/s"
    parse = staticmethod(parse_rate)
    show = staticmethod(format_rate)


class Duration(_Setting[T]):
    """A duration in seconds, such as `10min`; a `timedelta` is one, too."""

    form = "a number of seconds, or text such as 10min"
    parse = staticmethod(parse_duration)
    show = staticmethod(format_duration)

    @staticmethod
    def _plain(value: Any) -> float:
        if isinstance(value, timedelta):
            return value.total_seconds()
        # `float` would read bytes, too.
        number = float(value) if hasattr(value, "__float__") else float(operator.index(value))
        if math.isnan(number):
            raise TypeError
        return number
