"""Collects one file's facts and findings."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from turboupload.seqcheck.checks.findings import FileFacts, Finding, Severity
from turboupload.seqcheck.fastq import FastqRecords
from turboupload.seqcheck.inflate import Damage, DamageKind

__all__ = ["AGAIN", "CUT_ADVICE", "Report"]

CUT_ADVICE = "the step that wrote it, or the copy, was cut off: make or copy it again"
AGAIN = "copy or write the file again, then check it again"
_SHOWN = 10
_UNDECIDED = "`check --deep` with the extra `preflight` (pysam) finds out whether that is damage"
_CODES_WITHOUT_DAMAGE = ("type.", "service.", "reference.")


class Report(Struct):
    """The facts and findings about one file so far.

    Attributes:
        facts: What is known of it; see `learn`.
        findings: In the order they were found.
        fastq: The records of a FASTQ that were read, for the comparison with its mate's.
        followed: Whether another file follows it in one source: then nothing may come between its
            data and the end of the file, where readers would stop, and its text must be whole
            lines.
    """

    facts: FileFacts
    findings: list[Finding] = field(default_factory=list)
    fastq: FastqRecords | None = None
    followed: bool = False
    _odd: list[tuple[str, str]] = field(default_factory=list)
    _seen: Counter[tuple[Severity, str]] = field(default_factory=Counter)

    def learn(self, **facts: Any) -> None:
        """Takes facts in.

        Args:
            facts: Attributes of `FileFacts`.
        """
        self.facts = replace(self.facts, **facts)

    def error(self, code: str, sentence: str, advice: str | None = AGAIN) -> None:
        """Adds a finding that stops an upload."""
        self._add(Severity.ERROR, code, sentence, advice)

    def warning(self, code: str, sentence: str, advice: str | None = None) -> None:
        """Adds a warning, which doesn't stop an upload."""
        self._add(Severity.WARNING, code, sentence, advice)

    def note(self, code: str, sentence: str, advice: str | None = None) -> None:
        """Adds a note."""
        self._add(Severity.NOTE, code, sentence, advice)

    def damage(self, damage: Damage, *, strict: bool) -> None:
        """Adds a damage of the compression.

        Args:
            damage: The damage.
            strict: Whether zero bytes after the data are an error (BAM) or a warning (gzip, which
                is allowed to be padded).
        """
        if damage.kind is DamageKind.PADDING and self.followed:
            self.error(
                "gzip.padding",
                f"{damage.sentence}, where readers stop: they would not see the file that follows",
                "remove the zero bytes, or compress the file again",
            )
            return
        if damage.kind is DamageKind.PADDING and not strict:
            self.warning(
                "gzip.padding",
                f"{damage.sentence}: the data is complete, but a copy may have gone wrong",
                "remove the zero bytes, or compress the file again",
            )
            return
        self.error(f"compression.{damage.kind}", damage.sentence)

    def odd(self, code: str, sentence: str) -> None:
        """Adds an oddity, which doesn't prove damage; `grade_odd` decides its severity."""
        self._odd.append((code, sentence))

    @property
    def doubtful(self) -> bool:
        """Whether there are oddities, and no proven damage."""
        return bool(self._odd) and not self.broken

    @property
    def broken(self) -> bool:
        """Whether a finding proves that the file is damaged."""
        return any(
            each.severity is Severity.ERROR and not each.code.startswith(_CODES_WITHOUT_DAMAGE)
            for each in self.findings
        )

    def grade_odd(self, *, asked: bool) -> None:
        """Turns oddities into findings.

        If a checksum or htslib proves damage, they are errors; otherwise warnings.

        Args:
            asked: Whether htslib has read the file, from start to end.
        """
        damaged = self.broken
        for code, sentence in self._odd:
            if damaged:
                self.error(code, sentence)
            elif asked:
                self.warning(code, f"{sentence}; htslib reads it without an error")
            else:
                self.warning(code, sentence, _UNDECIDED)
        self._odd.clear()

    def close(self) -> None:
        """Adds how many findings of each kind were left out."""
        for (severity, code), count in self._seen.items():
            if count > _SHOWN:
                more = f"{count - _SHOWN} more findings of this kind ({code})"
                self._append(severity, code, more, None)

    def _add(self, severity: Severity, code: str, sentence: str, advice: str | None) -> None:
        """Adds a finding; after the tenth of a kind they are only counted."""
        self._seen[severity, code] += 1
        if self._seen[severity, code] <= _SHOWN:
            self._append(severity, code, sentence, advice)

    def _append(self, severity: Severity, code: str, sentence: str, advice: str | None) -> None:
        self.findings.append(
            Finding(
                severity=severity,
                code=code,
                path=self.facts.path,
                sentence=sentence,
                advice=advice,
            )
        )
