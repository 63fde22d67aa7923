"""A handler of requests as a real HTTP server on 127.0.0.1, for tests with browsers and other processes."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2

__all__ = ["server_for"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # many begin at once; the system would turn the sixth away


def server_for(handle: Callable[[httpx2.Request], httpx2.Response]) -> ThreadingHTTPServer:
    """Return a server on a free port that answers GET and POST by `handle`; the caller runs and closes it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # small answers: waiting for more to send with them would cost 40 ms each

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def _answer(self, body: bytes) -> None:
            url = f"http://127.0.0.1:{server.server_port}{self.path}"
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

    server = _Server(("127.0.0.1", 0), Handler)
    return server
