"""Every error that leaves turboupload, under one root.

```
TurbouploadError
├── ConfigError              the call itself is wrong; nothing was sent              exit 2
├── InputError               the files or metadata were rejected before any request  exit 3
├── ServiceRefused           the service said no, and asking again will not help     exit 4
├── Stopped                  ended part-way; the same call goes on                   exit 5
│   └── UploadBusy           another live process holds this very upload             exit 5
├── IntegrityError           bytes or checksums differ                               exit 6
│   └── SourceChanged        a file changed while it was being uploaded              exit 6
└── ReadSetRejected          uploaded, then turned down by the service               exit 7
```

Two more are raised inside, at the service boundary, and become one of the above before they
reach a caller: `CallFailed` (the service answered with an error) and `LinkFailed` (no usable
answer came). `core.rate.retry` reads them and says whether to try again.

An error carries what a person needs: the sentence, the file, the operation, and a hint that says
what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypedDict, Unpack

__all__ = [
    "CallFailed",
    "ConfigError",
    "InputError",
    "IntegrityError",
    "LinkFailed",
    "LinkFault",
    "ReadSetRejected",
    "ServiceRefused",
    "SourceChanged",
    "Stopped",
    "TurbouploadError",
    "UploadBusy",
]


class _About(TypedDict, total=False):
    """What any error may be told; see `TurbouploadError`."""

    path: str | None
    operation: str | None
    hint: str | None
    upload_id: str | None


class TurbouploadError(Exception):
    """The root of every error that turboupload raises on purpose.

    Attributes:
        message: One sentence: what happened.
        path: The file it happened to, where there is one.
        operation: The service operation or local step, where there is one.
        hint: What to do next, where we know it.
        upload_id: The open upload that was left behind, where there is one.
        code: A stable word for programs: the service's name for the error, such as
            `AccessDeniedException`, or a finding's, such as `bgzf.eof`; empty where there is none.
        outcome: The word that `--json` reports for this kind of ending.
        exit_code: What the command exits with.
    """

    outcome: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    code: str = ""

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        operation: str | None = None,
        hint: str | None = None,
        upload_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.operation = operation
        self.hint = hint
        self.upload_id = upload_id

    @property
    def resumable(self) -> bool:
        """Whether the same call goes on with what was sent: at once, or once the cause is mended.

        So it is where something was kept; `hint` says what is to be mended first.
        """
        return self.upload_id is not None

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is made anew from its positional arguments, and these have names.
        return _made_anew, (type(self), self.args), vars(self)

    def __str__(self) -> str:
        where = [f"{self.path}: " if self.path else "", self.message]
        if self.operation:
            where.append(f" [{self.operation}]")
        return "".join(where)


def _made_anew(kind: type[Exception], arguments: tuple[Any, ...]) -> Exception:
    """An error without its attributes, for pickle to fill in."""
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    return error


class ConfigError(TurbouploadError):
    """The call, an option or the environment is wrong; nothing was sent."""

    outcome = "usage"
    exit_code = 2


class InputError(TurbouploadError):
    """A file or its metadata was rejected before anything was sent.

    Attributes:
        code: A stable word for programs, such as `bgzf.eof`; empty where there is none.
        others: What else was found in the same look, so that all of it can be mended at once.
    """

    outcome = "rejected"
    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        others: Sequence[InputError] = (),
        **about: Unpack[_About],
    ) -> None:
        super().__init__(message, **about)
        self.code = code
        self.others = tuple(others)

    @classmethod
    def of(cls, errors: Sequence[InputError]) -> InputError:
        """One error that tells them all: the first one, with the others."""
        first, *others = errors
        first.others = (*first.others, *others)
        return first

    def __str__(self) -> str:
        return "; ".join([super().__str__(), *map(str, self.others)])


class ServiceRefused(TurbouploadError):
    """The service refused: denied, not found, invalid, or over a quota that waiting won't cure.

    Attributes:
        code: The service's name for the error, such as `AccessDeniedException`.
    """

    outcome = "refused"
    exit_code = 4

    def __init__(self, message: str, *, code: str = "", **about: Unpack[_About]) -> None:
        super().__init__(message, **about)
        self.code = code

    @property
    def resumable(self) -> bool:
        """As of any error, but not where a read set of this name is in the way."""
        return super().resumable and self.code != "ReadSetExists"


class Stopped(TurbouploadError):
    """The upload stopped part-way; what arrived is kept, and the same call goes on."""

    outcome = "stopped"
    exit_code = 5

    @property
    def resumable(self) -> bool:
        """Always."""
        return True


class UploadBusy(Stopped):
    """Another live process is working on this very upload.

    Attributes:
        lock: The key of the lock that it holds; empty where that isn't known.
    """

    outcome = "busy"

    def __init__(self, message: str, *, lock: str = "", **about: Unpack[_About]) -> None:
        super().__init__(message, **about)
        self.lock = lock


class IntegrityError(TurbouploadError):
    """Bytes or checksums differ where they must be equal; nothing was completed on top of it.

    Attributes:
        read_set_id: The read set that holds other content; None where none was made.
    """

    outcome = "integrity"
    exit_code = 6

    def __init__(
        self, message: str, *, read_set_id: str | None = None, **about: Unpack[_About]
    ) -> None:
        super().__init__(message, **about)
        self.read_set_id = read_set_id

    @property
    def resumable(self) -> bool:
        """Not once there is a read set: the same call would compare it again."""
        return super().resumable and self.read_set_id is None


class SourceChanged(IntegrityError):
    """A file changed while it was being uploaded."""

    outcome = "changed"


class ReadSetRejected(TurbouploadError):
    """All bytes arrived, and the service then turned the read set down (UPLOAD_FAILED).

    Attributes:
        read_set_id: The read set that failed.
    """

    outcome = "failed"
    exit_code = 7

    @property
    def resumable(self) -> bool:
        """Never: the upload became this read set."""
        return False

    def __init__(self, message: str, *, read_set_id: str, **about: Unpack[_About]) -> None:
        super().__init__(message, **about)
        self.read_set_id = read_set_id


class CallFailed(Exception):
    """The service answered an operation with an error.

    Attributes:
        operation: The API's name for the operation.
        code: The API's name for the error; empty where the answer named none.
        status: The HTTP status.
        message: The service's own sentence.
        request_id: For a support case; empty where the service sent none.
        hint: What to do next, where its words tell more than its code.
        failing_for_s: How long the call had been failing over its retries, in seconds.
    """

    failing_for_s: float = 0.0
    hint: str | None = None

    def __init__(
        self, operation: str, *, code: str, status: int, message: str, request_id: str = ""
    ) -> None:
        super().__init__(f"{operation}: {code or status}: {message}")
        self.operation = operation
        self.code = code
        self.status = status
        self.message = message
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_anew, (type(self), self.args), vars(self)


LinkFault = Literal[
    "dns",
    "connect",
    "proxy",
    "tls",
    "stalled",
    "lost",
    "bad_reply",
    "between",
    "credentials",
    "local",
]


class LinkFailed(Exception):
    """No usable answer came: the request may or may not have been carried out.

    Attributes:
        operation: The API's name for the operation.
        fault: Where it broke. `between` means that something that is not the service answered in
            its place, such as a proxy with a page of its own; `credentials` that the request could
            not be signed; `local` that this machine could not make it, or take the reply.
        message: The sentence of the layer that noticed.
        hint: What to do next, where that layer knows better than the fault alone tells.
        failing_for_s: How long the call had been failing over its retries, in seconds.
    """

    failing_for_s: float = 0.0

    def __init__(
        self, operation: str, *, fault: LinkFault, message: str, hint: str | None = None
    ) -> None:
        super().__init__(f"{operation}: {fault}: {message}")
        self.operation = operation
        self.fault = fault
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_anew, (type(self), self.args), vars(self)
