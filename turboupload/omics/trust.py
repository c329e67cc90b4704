"""Imports aiohttp without the certificates that it would load and never use here.

aiohttp makes two TLS contexts when it is imported, and loads the system's certificate authorities
into both: 50 ms of a processor, a tenth of a command's start. Our own sessions have contexts of
their own. A program's may not, so nothing is taken away: what isn't loaded at the import is loaded
when the context is first used. Importing this module imports aiohttp.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["loading_later"]


_Context = ssl.SSLContext
"""As it is now: packages such as truststore put a class of their own in its place."""


class _LoadsLater(_Context):
    """A context that loads the system's authorities when something is asked of it."""

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """See `ssl.SSLContext.wrap_bio`."""
        return _loaded(self).wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """See `ssl.SSLContext.wrap_socket`."""
        return _loaded(self).wrap_socket(*arguments, **options)

    def get_ca_certs(self, *arguments: Any, **options: Any) -> Any:
        """See `ssl.SSLContext.get_ca_certs`."""
        return _loaded(self).get_ca_certs(*arguments, **options)

    def cert_store_stats(self) -> dict[str, int]:
        """See `ssl.SSLContext.cert_store_stats`."""
        return _loaded(self).cert_store_stats()


_LOADING = threading.Lock()


def _loaded(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, with the authorities, and an ordinary one from now on."""
    if isinstance(context, _LoadsLater):
        with _LOADING:
            if type(context) is _LoadsLater:  # else another thread has done it
                _Context.load_default_certs(context)
                context.__class__ = _Context  # type: ignore[assignment] # of equal layout
    return context


@contextmanager
def loading_later() -> Iterator[None]:
    """Contexts that this thread makes meanwhile load the system's authorities later.

    Where somebody else has changed how contexts are made, nothing is changed.
    """
    if _Context.__module__ != "ssl" or ssl.SSLContext is not _Context:
        yield
        return
    ours = threading.get_ident()
    load, paths = _Context.load_default_certs, _Context.set_default_verify_paths

    def load_later(context: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        if threading.get_ident() != ours or type(context) is not _Context:
            load(context, purpose)
        elif purpose is ssl.Purpose.SERVER_AUTH:
            context.__class__ = _LoadsLater
        else:
            load(context, purpose)

    def set_paths_later(context: ssl.SSLContext) -> None:
        if threading.get_ident() != ours or type(context) is not _Context:
            paths(context)
        else:
            context.__class__ = _LoadsLater

    methods: Any = _Context
    methods.load_default_certs = load_later
    methods.set_default_verify_paths = set_paths_later
    try:
        yield
    finally:
        methods.load_default_certs = load
        del methods.set_default_verify_paths  # which was the base class's


with loading_later():
    import aiohttp.connector  # noqa: F401
