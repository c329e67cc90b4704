"""The pool of idle connections."""

import time
from threading import Lock

from turboupload.http.connection import Connection
from turboupload.http.route import Route


class ConnectionPool:
    """A pool of idle connections, last in, first out. Thread-safe.

    The newest connection is the most likely to be alive, with an open congestion window.

    Args:
        limit: How many are kept; beyond that, the oldest is closed.
        max_idle_s: How long a connection may stay idle, in seconds.
    """

    def __init__(self, *, limit: int, max_idle_s: float) -> None:
        self._limit = limit
        self._max_idle_s = max_idle_s
        self._connections: list[Connection] = []
        self._closed = False
        self._lock = Lock()

    def take(self, route: Route) -> Connection | None:
        """Takes the newest usable connection for a route; None if there is none."""
        while (connection := self._pop(route)) is not None:
            fresh = time.monotonic() - connection.idle_since <= self._max_idle_s
            if fresh and connection.is_alive():
                return connection
            connection.close()
        return None

    def has(self, route: Route) -> bool:
        """Whether a connection for a route isn't too old, alive or not."""
        oldest = time.monotonic() - self._max_idle_s
        with self._lock:
            return any(
                each.route == route and each.idle_since >= oldest for each in self._connections
            )

    def put(self, connection: Connection) -> None:
        """Keeps an idle connection for the next request; closes it if the pool is closed."""
        connection.idle_since = time.monotonic()
        with self._lock:
            self._connections.append(connection)
            surplus = len(self._connections) - (0 if self._closed else self._limit)
            dropped = [self._connections.pop(0) for _ in range(surplus)]
        for old in dropped:
            old.close()

    def close(self) -> None:
        """Closes all connections, and every one that is put back later."""
        with self._lock:
            self._closed = True
            dropped, self._connections = self._connections, []
        for connection in dropped:
            connection.close()

    def _pop(self, route: Route) -> Connection | None:
        with self._lock:
            for index in reversed(range(len(self._connections))):
                if self._connections[index].route == route:
                    return self._connections.pop(index)
        return None
