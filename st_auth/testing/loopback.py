"""A handler of requests as a real HTTP server on 127.0.0.1, for tests with browsers and other processes."""

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx2

__all__ = ["LoopbackServer", "server_for"]


class LoopbackServer(ThreadingHTTPServer):
    """A server on a free port of 127.0.0.1, which is listened to from its making and answered while it is entered."""

    daemon_threads = True
    request_queue_size = 256  # many begin at once; the system would turn the sixth away

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Answer from now on, in a thread of its own."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer nobody any more, and listen no more; a second time does nothing."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hangs up, which some tests are about."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def server_for(handle: Callable[[httpx2.Request], httpx2.Response]) -> LoopbackServer:
    """Return a server that answers GET and POST by `handle`; the caller starts and stops it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # small answers: waiting for more to send with them would cost 40 ms each

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def _answer(self, body: bytes) -> None:
            url = f"{server.origin}{self.path}"
            response = handle(httpx2.Request(self.command, url, headers=list(self.headers.items()), content=body))
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                if name.lower() not in ("content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Say nothing."""

    server = LoopbackServer(Handler)
    return server
