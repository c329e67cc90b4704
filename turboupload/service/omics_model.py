"""Where botocore's model of the service comes from: looked for by its name alone."""

from __future__ import annotations

from typing import Any

from botocore.loaders import Loader

__all__ = ["find_model_at_once"]


class _OmicsLoader(Loader):
    """botocore's loader, told which service there is.

    To know whether a service's name is one, botocore's looks into the folders of all 400 services,
    once for the model and once for the endpoints' rules: 5,000 questions to the file system, and
    a third of the time that a client takes to make.
    """

    def list_available_services(self, type_name: str) -> list[str]:
        """The only one that is asked for."""
        return ["omics"]


def find_model_at_once(session: Any) -> None:
    """Lets a session find the service's model without looking at all the others'.

    It is found in the places where it was before, the user's own (`data_path`, ~/.aws/models) too.

    Args:
        session: botocore's or aiobotocore's, from which no client was made yet.
    """
    places = session.get_component("data_loader").search_paths
    session.register_component(
        "data_loader", _OmicsLoader(list(places), include_default_search_paths=False)
    )
