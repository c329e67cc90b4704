"""The service's description: botocore's model of `omics`.

Only the data file and its reader are used, nothing of botocore's client, so that the emulator
doesn't check a client with the client's own code.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

__all__ = ["operation_model", "service_model"]


@cache
def service_model() -> ServiceModel:
    """The model of `omics` that ships with the installed botocore."""
    # Imported when used: the help names the operations, also where there is no botocore.
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    description = Loader().load_service_model("omics", "service-2")
    return ServiceModel(description, service_name="omics")


@cache
def operation_model(name: str) -> OperationModel:
    """The model of one operation."""
    return service_model().operation_model(name)
