"""The state of one request and its reply over HTTP/1.1.

Pure: bytes in, bytes and facts out. h11 has the grammar and the two state machines; `connection`
has the socket.
"""

from collections.abc import Sequence

import h11

MAX_REPLY_BYTES = 1024 * 1024
"""The longest accepted reply body, in bytes. A part's reply has a few hundred."""


class Exchange:
    """A request being sent, and its reply being received.

    The two overlap: a server may refuse a request while its body is still being sent. Such a reply
    ends the exchange (RFC 9112, section 9.5: a client that sees an error status stops sending),
    while an early success doesn't, because the server still reads the body.

    Args:
        http: The connection's protocol state, idle.
        method: The request method.
        target: The request target, as `Route.target` gives it.
        headers: Names and values, with Host and Content-Length among them.

    Attributes:
        head: The bytes to send before the body.
        status: The reply's final status; None until known.
        headers: The reply's headers, in their order.
        content: The reply's body so far.
        complete: Whether the whole reply has arrived.
        invited: Whether the server has said that it wants the body (100 Continue).
    """

    def __init__(
        self,
        http: h11.Connection,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
    ) -> None:
        self._http = http
        request = h11.Request(method=method, target=target, headers=list(headers))
        self.head: bytes = http.send(request) or b""
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.content = bytearray()
        self.complete = False
        self.invited = False

    @property
    def refused(self) -> bool:
        """Whether the reply's status says that the server doesn't want the rest of the body."""
        return self.status is not None and self.status >= 300

    @property
    def reusable(self) -> bool:
        """Whether the connection can be used for another exchange."""
        both_done = set(self._http.states.values()) == {h11.DONE}
        surplus, closed = self._http.trailing_data
        return both_done and not surplus and not closed

    def body(self, data: memoryview) -> None:
        """Counts bytes of the request body, which the caller sends unchanged."""
        # h11 returns the same object, and uses only its length.
        self._http.send_with_data_passthrough(h11.Data(data=data))  # type: ignore[arg-type]

    def end_body(self) -> None:
        """Ends the request body.

        Raises:
            h11.LocalProtocolError: The body's length isn't the Content-Length.
        """
        self._http.send(h11.EndOfMessage())

    def receive(self, data: bytes) -> None:
        """Takes bytes of the reply; empty means that the server has closed its side.

        Raises:
            h11.RemoteProtocolError: They aren't HTTP, end too early, or are too many.
        """
        if data and self.complete:
            msg = "the server sent more than the reply"
            raise h11.RemoteProtocolError(msg)
        self._http.receive_data(data)
        while not self.complete:
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            self._take(event)

    def _take(self, event: object) -> None:
        match event:
            case h11.Response(status_code=status, headers=headers):
                self.status = status
                self.headers = tuple((k.decode("ascii"), v.decode("latin-1")) for k, v in headers)
            case h11.Data(data=data):
                self.content += data
                if len(self.content) > MAX_REPLY_BYTES:
                    msg = f"the reply's body is longer than {MAX_REPLY_BYTES} bytes"
                    raise h11.RemoteProtocolError(msg)
            case h11.EndOfMessage():
                self.complete = True
            case h11.ConnectionClosed():
                msg = "the server closed the connection without a reply"
                raise h11.RemoteProtocolError(msg)
            case h11.InformationalResponse(status_code=status):  # the final one follows
                self.invited |= status == 100
            case _:
                pass
