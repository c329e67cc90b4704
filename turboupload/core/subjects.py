"""The default subject of a sample: the sample itself, or a part of its id."""

from __future__ import annotations

import re

from turboupload.value import Value

__all__ = ["SubjectRule"]

_SAMPLE = "sample"


class SubjectRule(Value, frozen=True):
    """How a subject's id follows from its sample's.

    Attributes:
        pattern: What finds it: the first group, or all that was found. None takes the sample's.
    """

    pattern: re.Pattern[str] | None = None

    @classmethod
    def parse(cls, text: str) -> SubjectRule:
        """The rule of a text: `sample`, or a regular expression.

        Raises:
            ValueError: It is neither.
        """
        if text == _SAMPLE:
            return cls()
        try:
            return cls(re.compile(text))
        except re.error as error:
            raise ValueError(
                f"{text!r} is neither `sample` nor a regular expression: {error}"
            ) from None

    def subject_of(self, sample_id: str) -> str:
        """The subject's id.

        Raises:
            ValueError: Nothing is found in the sample's id.
        """
        if self.pattern is None:
            return sample_id
        found = self.pattern.search(sample_id)
        subject = (found.group(1) if self.pattern.groups else found.group()) if found else None
        if not subject:
            raise ValueError(f"{self.pattern.pattern!r} finds no subject in sample {sample_id!r}")
        return subject

    def __str__(self) -> str:
        if self.pattern is None:
            return "its sample"
        return f"what {self.pattern.pattern!r} finds in its sample"
