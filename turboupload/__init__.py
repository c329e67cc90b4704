"""Sequencing files into AWS HealthOmics sequence stores: fast, resumable, proven.

```python
result = await turboupload.upload(
    turboupload.ReadSet(
        sources=["HG002_R1.fastq.gz", "HG002_R2.fastq.gz"],
        name="HG002-lane1", sample_id="HG002", subject_id="NA24385",
    ),
    store_id="1234567890",
)
```
"""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from turboupload.runtime.stack import with_room

if TYPE_CHECKING:
    from turboupload import events as events
    from turboupload import observability as observability
    from turboupload import testing as testing
    from turboupload.api import (
        Uploader,
        rehearse,
        rehearse_sync,
        upload,
        upload_stream,
        upload_stream_sync,
        upload_sync,
    )
    from turboupload.batch import (
        rehearse_batch,
        rehearse_batch_sync,
        upload_batch,
        upload_batch_sync,
    )
    from turboupload.cluster import DaskWorkers
    from turboupload.config import UploadConfig
    from turboupload.core.batch import (
        BatchProgress,
        BatchRehearsal,
        BatchResult,
        BatchRow,
        RowChanged,
    )
    from turboupload.core.controls import Controls
    from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
    from turboupload.core.folders.naming import NamePattern
    from turboupload.core.formats import FileType
    from turboupload.core.imports.jobs import (
        ImportJob,
        ImportJobSource,
        ImportJobStatus,
        ImportSource,
        ImportSourceStatus,
    )
    from turboupload.core.imports.rows import (
        ImportJobChanged,
        ImportJobStarted,
        ImportPlanned,
        ImportResult,
        ImportRowChanged,
    )
    from turboupload.core.model import PartSource, ReadSet
    from turboupload.core.notices import Progress, Rehearsal, UploadResult
    from turboupload.core.proof.audit import Audit, AuditedFile
    from turboupload.core.proof.chain import ChainFault
    from turboupload.core.proof.receipt import ChainLink, Receipt
    from turboupload.core.records import (
        CreationType,
        ETag,
        MultipartUpload,
        ReadSetDetails,
        ReadSetFiles,
        ReadSetStatus,
        SequenceStoreDetails,
        SequenceStoreStatus,
        StoredFile,
        UploadPart,
    )
    from turboupload.core.rows import RowResult
    from turboupload.core.sheet.model import (
        Sheet,
        SheetDefaults,
        SheetFinding,
        SheetRejected,
        SheetRow,
    )
    from turboupload.core.subjects import SubjectRule
    from turboupload.core.watch.notices import RunChanged, WatchedRun, WatchResult
    from turboupload.core.watch.rules import WatchRule
    from turboupload.errors import (
        ConfigError,
        InputError,
        IntegrityError,
        ReadSetRejected,
        ServiceRefused,
        SourceChanged,
        Stopped,
        TurbouploadError,
        UploadBusy,
    )
    from turboupload.files.receipt_check import FileCheck, ReceiptCheck
    from turboupload.files.sheets import read_sheet
    from turboupload.imports import import_read_sets, import_read_sets_sync
    from turboupload.offline import check, plan_sheet, verify_receipt, write_sheet
    from turboupload.omics.base import Page
    from turboupload.omics.pager import Listing
    from turboupload.proof.audit import audit, audit_sync
    from turboupload.proof.receipts import (
        ChainVerification,
        Signature,
        sign_receipts,
        verify_receipts,
    )
    from turboupload.proof.verify import Verification, verify_read_set, verify_read_set_sync
    from turboupload.seqcheck.checks import FileFacts, Finding, Findings, PairFacts
    from turboupload.stores import SequenceStores
    from turboupload.watching import watch, watch_status, watch_sync

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "AuditedFile",
    "BatchProgress",
    "BatchRehearsal",
    "BatchResult",
    "BatchRow",
    "ChainFault",
    "ChainLink",
    "ChainVerification",
    "ConfigError",
    "Controls",
    "CreationType",
    "DaskWorkers",
    "ETag",
    "FileCheck",
    "FileFacts",
    "FileType",
    "Finding",
    "Findings",
    "ImportJob",
    "ImportJobChanged",
    "ImportJobFilter",
    "ImportJobSource",
    "ImportJobStarted",
    "ImportJobStatus",
    "ImportPlanned",
    "ImportResult",
    "ImportRowChanged",
    "ImportSource",
    "ImportSourceStatus",
    "InputError",
    "IntegrityError",
    "Listing",
    "MultipartUpload",
    "NamePattern",
    "Page",
    "PairFacts",
    "PartSource",
    "Progress",
    "ReadSet",
    "ReadSetDetails",
    "ReadSetFiles",
    "ReadSetFilter",
    "ReadSetRejected",
    "ReadSetStatus",
    "Receipt",
    "ReceiptCheck",
    "Rehearsal",
    "RowChanged",
    "RowResult",
    "RunChanged",
    "SequenceStoreDetails",
    "SequenceStoreFilter",
    "SequenceStoreStatus",
    "SequenceStores",
    "ServiceRefused",
    "Sheet",
    "SheetDefaults",
    "SheetFinding",
    "SheetRejected",
    "SheetRow",
    "Signature",
    "SourceChanged",
    "Stopped",
    "StoredFile",
    "SubjectRule",
    "TurbouploadError",
    "UploadBusy",
    "UploadConfig",
    "UploadPart",
    "UploadResult",
    "Uploader",
    "Verification",
    "WatchResult",
    "WatchRule",
    "WatchedRun",
    "audit",
    "audit_sync",
    "check",
    "import_read_sets",
    "import_read_sets_sync",
    "plan_sheet",
    "read_sheet",
    "rehearse",
    "rehearse_batch",
    "rehearse_batch_sync",
    "rehearse_sync",
    "sign_receipts",
    "upload",
    "upload_batch",
    "upload_batch_sync",
    "upload_stream",
    "upload_stream_sync",
    "upload_sync",
    "verify_read_set",
    "verify_read_set_sync",
    "verify_receipt",
    "verify_receipts",
    "watch",
    "watch_status",
    "watch_sync",
    "write_sheet",
]

# Loaded when first asked for: the AWS client takes a fifth of a second to import, and `--help`,
# `check` and the emulator do without it.
_HOMES = {
    "api": (
        "Uploader",
        "rehearse",
        "rehearse_sync",
        "upload",
        "upload_stream",
        "upload_stream_sync",
        "upload_sync",
    ),
    "proof.audit": ("audit", "audit_sync"),
    "batch": ("rehearse_batch", "rehearse_batch_sync", "upload_batch", "upload_batch_sync"),
    "cluster": ("DaskWorkers",),
    "config": ("UploadConfig",),
    "core.batch": ("BatchProgress", "BatchRehearsal", "BatchResult", "BatchRow", "RowChanged"),
    "core.controls": ("Controls",),
    "core.filters": ("ImportJobFilter", "ReadSetFilter", "SequenceStoreFilter"),
    "core.imports.rows": (
        "ImportJobChanged",
        "ImportJobStarted",
        "ImportPlanned",
        "ImportResult",
        "ImportRowChanged",
    ),
    "core.imports.jobs": (
        "ImportJob",
        "ImportJobSource",
        "ImportJobStatus",
        "ImportSource",
        "ImportSourceStatus",
    ),
    "core.formats": ("FileType",),
    "core.model": ("PartSource", "ReadSet"),
    "core.notices": ("Progress", "Rehearsal", "UploadResult"),
    "core.proof.audit": ("Audit", "AuditedFile"),
    "core.proof.chain": ("ChainFault",),
    "core.proof.receipt": ("ChainLink", "Receipt"),
    "core.records": (
        "CreationType",
        "ETag",
        "MultipartUpload",
        "ReadSetDetails",
        "ReadSetFiles",
        "ReadSetStatus",
        "SequenceStoreDetails",
        "SequenceStoreStatus",
        "StoredFile",
        "UploadPart",
    ),
    "core.folders.naming": ("NamePattern",),
    "core.rows": ("RowResult",),
    "core.sheet.model": ("Sheet", "SheetDefaults", "SheetFinding", "SheetRejected", "SheetRow"),
    "core.subjects": ("SubjectRule",),
    "core.watch.notices": ("RunChanged", "WatchResult", "WatchedRun"),
    "core.watch.rules": ("WatchRule",),
    "errors": (
        "ConfigError",
        "InputError",
        "IntegrityError",
        "ReadSetRejected",
        "ServiceRefused",
        "SourceChanged",
        "Stopped",
        "TurbouploadError",
        "UploadBusy",
    ),
    "imports": ("import_read_sets", "import_read_sets_sync"),
    "files.receipt_check": ("FileCheck", "ReceiptCheck"),
    "files.sheets": ("read_sheet",),
    "offline": ("check", "plan_sheet", "verify_receipt", "write_sheet"),
    "proof.receipts": ("ChainVerification", "Signature", "sign_receipts", "verify_receipts"),
    "seqcheck.checks": ("FileFacts", "Finding", "Findings", "PairFacts"),
    "omics.base": ("Page",),
    "omics.pager": ("Listing",),
    "stores": ("SequenceStores",),
    "proof.verify": ("Verification", "verify_read_set", "verify_read_set_sync"),
    "watching": ("watch", "watch_status", "watch_sync"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


_MODULES = ("events", "observability", "testing")
"""Public modules, which are there without being imported."""

if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return _imported(name)
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(_imported(_HOME_OF[name]), name)


def _imported(module: str) -> ModuleType:
    """A module of ours.

    While it is imported for the first time no garbage is looked for: it makes a hundred thousand
    objects that stay, and to go through them again and again takes a fifth of the time.
    """
    name = f"{__name__}.{module}"
    if name in sys.modules or not gc.isenabled():
        return importlib.import_module(name)
    gc.disable()
    try:
        return with_room(importlib.import_module, name)
    finally:
        gc.enable()


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
