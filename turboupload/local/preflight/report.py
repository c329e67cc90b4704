"""One file's facts and findings while they are being collected."""

from __future__ import annotations

from dataclasses import dataclass, field

from turboupload.local.fastq import FastqRecords
from turboupload.local.inflate import Damage, DamageKind
from turboupload.local.preflight.findings import FileFacts, Finding, Severity

__all__ = ["AGAIN", "Report"]

AGAIN = "copy or write the file again, then check it again"
_SHOWN_DAMAGES = 10


@dataclass(slots=True)
class Report:
    """What is known about one file so far.

    Attributes:
        facts: Filled in by the check of its type.
        findings: In the order they were found.
        fastq: The records of a FASTQ that were read, for the comparison with its mate.
    """

    facts: FileFacts
    findings: list[Finding] = field(default_factory=list)
    fastq: FastqRecords | None = None
    _damages: int = 0

    def error(self, code: str, sentence: str, advice: str | None = AGAIN) -> None:
        """Adds a finding that stops an upload."""
        self._add(Severity.ERROR, code, sentence, advice)

    def warning(self, code: str, sentence: str, advice: str | None = None) -> None:
        """Adds a finding that a person should look at."""
        self._add(Severity.WARNING, code, sentence, advice)

    def note(self, code: str, sentence: str, advice: str | None = None) -> None:
        """Adds a finding that is good to know."""
        self._add(Severity.NOTE, code, sentence, advice)

    def damage(self, damage: Damage, *, strict: bool) -> None:
        """Adds a damage of the compression; after the tenth block they are only counted.

        Args:
            damage: What was found.
            strict: Whether zero bytes after the data are an error (BAM) or a warning (gzip, which
                is allowed to be padded).
        """
        if damage.kind is DamageKind.PADDING and not strict:
            self.warning(
                "gzip.padding",
                f"{damage.sentence}: the data is complete, but a copy may have gone wrong",
                "take the zero bytes off, or compress the file again",
            )
            return
        self._damages += damage.kind is DamageKind.BLOCK
        if damage.kind is not DamageKind.BLOCK or self._damages <= _SHOWN_DAMAGES:
            self.error(f"compression.{damage.kind}", damage.sentence)

    def close(self) -> None:
        """Says how many damaged blocks were not shown one by one."""
        hidden = self._damages - _SHOWN_DAMAGES
        if hidden > 0:
            self.error("compression.block", f"{hidden} more blocks are damaged")

    def _add(self, severity: Severity, code: str, sentence: str, advice: str | None) -> None:
        self.findings.append(
            Finding(
                severity=severity,
                code=code,
                path=self.facts.path,
                sentence=sentence,
                advice=advice,
            )
        )
