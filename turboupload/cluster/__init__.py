"""A batch's rows on the workers of a Dask cluster: this machine asks, they send."""

from turboupload.cluster.workers import DaskWorkers

__all__ = ["DaskWorkers"]
