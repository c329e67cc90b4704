"""Connections that wait for their next request."""

import time
from threading import Lock

from turboupload.http.connection import Connection
from turboupload.http.route import Route


class ConnectionPool:
    """A pool of idle connections, the last one in the first one out. Thread-safe.

    The newest is the likeliest to be alive, and its congestion window the likeliest to be open.

    Args:
        limit: How many are kept; beyond that the oldest is closed.
        max_idle_s: How long one may lie idle, in seconds.
    """

    def __init__(self, *, limit: int, max_idle_s: float) -> None:
        self._limit = limit
        self._max_idle_s = max_idle_s
        self._connections: list[Connection] = []
        self._closed = False
        self._lock = Lock()

    def take(self, route: Route) -> Connection | None:
        """The newest living connection on a route, ready for a request; None without one."""
        while (connection := self._pop(route)) is not None:
            fresh = time.monotonic() - connection.idle_since <= self._max_idle_s
            if fresh and connection.is_alive():
                return connection
            connection.close()
        return None

    def put(self, connection: Connection) -> None:
        """Keep a connection whose exchange is over; closed, when the pool is."""
        connection.http.start_next_cycle()
        connection.idle_since = time.monotonic()
        with self._lock:
            self._connections.append(connection)
            surplus = len(self._connections) - (0 if self._closed else self._limit)
            dropped = [self._connections.pop(0) for _ in range(surplus)]
        for old in dropped:
            old.close()

    def close(self) -> None:
        """Close all of them, and those that are yet to come."""
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
