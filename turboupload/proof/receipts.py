"""The receipts' chain: checked, and signed with a user's SSH key. The service isn't asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from turboupload.config import UploadConfig, config_of
from turboupload.core.proof.chain import (
    ChainCheck,
    ChainFault,
    check_documents,
    head_statement,
    read_statement,
)
from turboupload.errors import InputError, IntegrityError
from turboupload.files.ssh_signatures import check_signature, sign_text
from turboupload.state.journal import Journal
from turboupload.state.journal_reader import kept_chain
from turboupload.state.receipt_folder import load_receipts
from turboupload.state.receipt_log import Signed
from turboupload.units import format_moment

__all__ = ["ChainVerification", "Signature", "sign_receipts", "verify_receipts"]

Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature of the chain.

    Attributes:
        number: The last receipt that it covers; 0 where that can't be told.
        signed_at: When it was made, as it says itself, as ISO 8601 text in UTC.
        signer: Who made it, by the file of allowed signers; None where it wasn't checked, or the
            file doesn't name the key.
        sentence: What was found, in words.
        good: Whether it holds; None where it wasn't checked, for want of allowed signers.
    """

    number: int
    signed_at: str
    signer: str | None
    sentence: str
    good: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainVerification:
    """The result of checking receipts.

    Attributes:
        receipts: How many receipts of the journal are chained.
        unchained: How many, of the journal and of files, are of older versions, which no chain
            covers.
        files: How many receipts of files were read.
        faults: Receipts that were edited, dropped or moved.
        gaps: Sentences about receipts that files lack, which may be in their own journal.
        signatures: Those of the chain's head, the oldest first.
    """

    receipts: int
    unchained: int
    files: int
    faults: tuple[ChainFault, ...]
    gaps: tuple[str, ...]
    signatures: tuple[Signature, ...]

    @property
    def signed(self) -> int:
        """The last receipt that a good signature covers; 0 for none."""
        return max((each.number for each in self.signatures if each.good), default=0)

    @property
    def whole(self) -> bool:
        """Whether nothing was edited, dropped or moved, and no signature is wrong."""
        return not self.faults and all(each.good is not False for each in self.signatures)


def verify_receipts(
    *,
    receipts: Path | Sequence[Path] = (),
    allowed_signers: Path | None = None,
    config: UploadConfig | None = None,
) -> ChainVerification:
    """Checks the journal's chain of receipts, and those of files, without the service; it blocks.

    Args:
        receipts: Files of receipts, or folders of them.
        allowed_signers: Whose signatures are trusted, as ssh-keygen(1) describes the file; None
            checks none.
        config: Its `state_dir` says which journal.

    Raises:
        ConfigError: The journal or `allowed_signers` can't be read, or `ssh-keygen` is missing.
        InputError: A file of receipts can't be read.
    """
    check, signed, unchained = kept_chain(config_of(config).state_folder)
    paths = [receipts] if isinstance(receipts, str | os.PathLike) else receipts
    found, faults = load_receipts([os.fspath(each) for each in paths])
    wrong, gaps, more = check_documents(found, check)
    return ChainVerification(
        receipts=check.receipts,
        unchained=unchained + more,
        files=len(found),
        faults=(*check.faults, *faults, *wrong),
        gaps=tuple(gaps),
        signatures=tuple(_signatures(signed, check, allowed_signers)),
    )


def _signatures(
    signed: Iterable[Signed], check: ChainCheck, allowed_signers: Path | None
) -> Iterator[Signature]:
    for each in signed:
        stated = read_statement(each.statement)
        if stated is None:
            yield Signature(
                number=0, signed_at="", signer=None, good=False, sentence="signs something else"
            )
            continue
        head, at = stated
        signer, why = None, "wasn't checked: no allowed signers were given"
        if allowed_signers is not None:
            signer, why = check_signature(each.statement, each.signature, allowed_signers, at)
        good: bool | None = None if allowed_signers is None else signer is not None
        if head.chain != check.chain or check.digests.get(head.number) != head.receipt_sha256:
            good, why = False, f"receipt {head.number} isn't the one that was signed"
        yield Signature(
            number=head.number,
            signed_at=at,
            signer=signer,
            good=good,
            sentence=why or f"{signer} signed all receipts up to {head.number}",
        )


def sign_receipts(key: Path, *, config: UploadConfig | None = None) -> Signature:
    """Signs the journal's chain with an SSH key, up to its last receipt; it blocks.

    The signature is kept in the journal. `ssh-keygen` may ask for the key's passphrase.

    Args:
        key: The key's file.
        config: Its `state_dir` says which journal.

    Raises:
        ConfigError: The key or the journal can't be used.
        InputError: There is no receipt to sign.
        IntegrityError: The chain isn't whole.
        Stopped: The journal can't be written.
    """
    folder = config_of(config).state_folder
    check, _, _ = kept_chain(folder)
    if not check.receipts:
        raise InputError("the journal has no chained receipt to sign", path=str(folder))
    if check.faults:
        raise IntegrityError(
            f"the receipts were changed, so nothing was signed: {check.faults[0]}",
            path=str(folder),
            hint="`turboupload audit --verify` names all that is wrong",
        )
    journal = Journal(folder)
    try:
        head = journal.head()
        if (
            head is None
            or check.digests.get(head.number, head.receipt_sha256) != head.receipt_sha256
        ):
            raise IntegrityError("the chain changed while it was signed", path=str(folder))
        at = format_moment(datetime.now(UTC), to="seconds")
        statement = head_statement(head, at)
        journal.keep_signature(Signed(statement, sign_text(statement, key)))
    finally:
        journal.close()
    return Signature(
        number=head.number,
        signed_at=at,
        signer=None,
        good=None,
        sentence=f"signed all receipts up to {head.number}",
    )
