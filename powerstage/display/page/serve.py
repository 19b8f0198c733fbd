"""The page over HTTP, for one person on this machine: made anew when the lake has changed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from powerstage.errors import EnvironmentFailedError, PowerstageError

HOST: Final = "127.0.0.1"


@contextmanager
def serving(
    state: Callable[[], str], page: Callable[[str], str], *, port: int = 0
) -> Iterator[str]:
    """Serve the page on loopback; yields its URL, and stops when the context ends.

    Args:
        state: what changes when the page should; asked often.
        page: the page for a state; called once for each.
        port: where; 0 for a free one.

    Raises:
        EnvironmentFailedError: the port is taken.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, _Pages(state, page)))
    except OSError as error:
        raise EnvironmentFailedError(
            f"cannot serve on port {port}",
            cause=error.strerror or str(error),
            fix="name another with --port, or none",
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="powerstage-serve")
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Pages:
    """The last page that was made, and of what state it is."""

    def __init__(self, state: Callable[[], str], page: Callable[[str], str]) -> None:
        self._state, self._make = state, page
        self._made: tuple[str, str] | None = None
        self._turn = threading.Lock()

    def state(self) -> str:
        """The lake's."""
        with self._turn:
            return self._state()

    def page(self) -> str:
        """The page of the lake as it is."""
        with self._turn:
            state = self._state()
            if self._made is None or self._made[0] != state:
                self._made = state, self._make(state)
            return self._made[1]


class _Handler(BaseHTTPRequestHandler):
    """``/`` is the page, ``/state`` what it is of."""

    def __init__(self, pages: _Pages, *args: object) -> None:
        self._pages = pages
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer; what another site's script asks in a name of its own gets nothing."""
        host = self.headers.get("Host", "").partition(":")[0].lower()
        # Whoever does not wait for the page needs none.
        with suppress(ConnectionError):
            if host not in {HOST, "localhost"}:
                self.send_error(403)
            elif self.path not in {"/", "/state"}:
                self.send_error(404)
            else:
                self._answer_from_pages()

    def _answer_from_pages(self) -> None:
        try:
            if self.path == "/":
                self._answer(self._pages.page(), "text/html")
            else:
                self._answer(self._pages.state(), "text/plain")
        except PowerstageError as error:
            words = f"{error.message}: {error.cause or error.fix}"
            self._answer(words, "text/plain", status=503)

    def log_message(self, *_: object) -> None:
        """Say nothing: whoever looks at the page asks all the time."""

    def _answer(self, text: str, kind: str, *, status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status != 200:
            # There may be a page soon, and no script that looks for it.
            self.send_header("Refresh", "2")
        self.end_headers()
        self.wfile.write(body)
