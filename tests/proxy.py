"""A proxy before an S3 server: it says of each request that it came, then passes it on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

# What is said by each side for its own connection.
_HOP_BY_HOP: Final = {"connection", "content-length", "expect", "transfer-encoding"}


@contextmanager
def proxy(target: str, on_request: Callable[[], None]) -> Iterator[str]:
    """The URL of a proxy on this machine, until the block is left.

    Args:
        target: the URL of the server behind it.
        on_request: called when a request has come, before the server gets it; by several threads.
    """

    class Handler(_Handler):
        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            on_request()
            self.answer(urlsplit(target).netloc, body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    # Who was killed leaves connections open.
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer as long as somebody is there to hear it: who was killed is not."""
        with suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        with suppress(ConnectionError):
            super().finish()

    def answer(self, address: str, body: bytes) -> None:
        """Ask the server, and say what it says."""
        host, _, port = address.rpartition(":")
        with closing(HTTPConnection(host.strip("[]"), int(port), timeout=60)) as connection:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            content = reply.read()
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        told = reply.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", told or str(len(content)))
        self.end_headers()
        self.wfile.write(content)
