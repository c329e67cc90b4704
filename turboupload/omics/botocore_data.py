"""Loads botocore's data: the same files, in less time.

Making a client takes botocore 45 ms, during which nothing can be sent. Most of that goes into three
steps that we don't need. A session's loader is a component, which can be replaced
(`register_component`).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import ConfigParseError
from botocore.loaders import JSONFileLoader, Loader

__all__ = ["load_quickly"]

_FORMS = ((".json", open), (".json.gz", gzip.open))

_ENDPOINTS = "endpoints"


class _Partition(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A partition of AWS, such as `aws-cn`, in botocore's list of endpoints."""

    defaults: Any
    dns_suffix: Any
    partition: Any
    partition_name: Any
    region_regex: Any
    regions: Any
    services: dict[str, msgspec.Raw]


class _Endpoints(msgspec.Struct, forbid_unknown_fields=True):
    """The list of endpoints: for each partition those of some hundred services."""

    partitions: list[_Partition]
    version: Any


class _Services(Mapping[str, Any]):
    """The services of a partition, each of which is read when it is asked for."""

    def __init__(self, raw: Mapping[str, msgspec.Raw]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> Any:
        return msgspec.json.decode(self._raw[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _read_endpoints(content: bytes) -> Any:
    """The list of endpoints, with services that are read later; read whole if its form is new."""
    try:
        found = msgspec.json.decode(content, type=_Endpoints)
    except msgspec.ValidationError:
        return msgspec.json.decode(content)
    names = {each.name: each.encode_name for each in msgspec.structs.fields(_Partition)}
    partitions = [
        {theirs: getattr(each, ours) for ours, theirs in names.items()}
        | {"services": _Services(each.services)}
        for each in found.partitions
    ]
    return {"partitions": partitions, "version": found.version}


class _PlainFiles(JSONFileLoader):
    """Reads into plain dictionaries, which keep their order since Python 3.7.

    For the model and the endpoints of all services json takes 20 ms into `OrderedDict`, as
    botocore reads them, 10 into plain ones, and msgspec 8: 7 of them, and 9 MB of memory, for the
    endpoints of the 400 services that nobody here calls. Those are left as they are written.
    """

    def load_file(self, file_path: str) -> Any:
        """The content of a file, whose path has no ending; None if there is no such file.

        Raises:
            ConfigParseError: It is damaged, such as one that the user has put into ~/.aws/models.
        """
        for ending, open_file in _FORMS:
            try:
                with open_file(file_path + ending, "rb") as file:
                    content = file.read()
                if Path(file_path).name == _ENDPOINTS:
                    return _read_endpoints(content)
                return msgspec.json.decode(content)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            except (ValueError, EOFError, gzip.BadGzipFile) as error:
                raise ConfigParseError(path=file_path + ending) from error
        return None


class _QuickLoader(Loader):
    """Takes every folder as a service, without reading it.

    To check a service's name, botocore's loader searches the folders of all 400 services, once for
    the model and once for the endpoints' rules: 5,000 file system calls, 15 ms. A missing file is
    noticed when it is loaded. (Knowing only our own service's name isn't enough: the session makes
    clients for credentials, too, of `sts` and `sso` for example.)
    """

    def list_available_services(self, type_name: str) -> list[str]:
        """The names of all services."""
        places = [place for place in map(Path, self.search_paths) if place.is_dir()]
        return sorted({entry.name for place in places for entry in place.iterdir()})


def load_quickly(session: Any) -> None:
    """Gives a session this faster loader.

    It searches the same folders as botocore's own, including the user's (`data_path`,
    ~/.aws/models).

    Args:
        session: botocore's or aiobotocore's, from which no client was made yet.
    """
    places = session.get_component("data_loader").search_paths
    loader = _QuickLoader(
        list(places), file_loader=_PlainFiles(), include_default_search_paths=False
    )
    session.register_component("data_loader", loader)
