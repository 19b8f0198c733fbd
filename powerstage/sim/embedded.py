"""S3 inside this process: a moto server on 127.0.0.1, and an environment that knows it alone.

moto keeps its buckets in the process, not in the server: two servers of one process show the
same buckets, and they live until the process ends.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

REGION: Final = "us-east-1"
_BLINDFOLD: Final = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

OnRequest: TypeAlias = Callable[[int, str, str], None]
_Environ: TypeAlias = dict[str, Any]
_StartResponse: TypeAlias = Callable[..., Any]
_Application: TypeAlias = Callable[[_Environ, _StartResponse], Iterable[bytes]]


class EmbeddedS3:
    """A moto server on a free port; use it as a context manager.

    Args:
        on_request: called before each request is handled, with its number from 1, its method
            and its path. Tests use it to stop the world at a given request.
    """

    def __init__(self, on_request: OnRequest | None = None) -> None:
        self._on_request = on_request
        self._count = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        # moto takes a second to import.
        from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
            DomainDispatcherApplication,
            create_backend_app,
        )
        from werkzeug.serving import make_server  # noqa: PLC0415

        application = self._watched(DomainDispatcherApplication(create_backend_app))
        self._server = make_server("127.0.0.1", 0, application, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> int:
        """How many requests came so far."""
        return self._count

    def create_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        from moto.core.models import DEFAULT_ACCOUNT_ID  # noqa: PLC0415
        from moto.s3.models import s3_backends  # noqa: PLC0415

        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(name, REGION)

    def environment(self) -> dict[str, str]:
        """What a process needs to find this S3, and no other."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "NO_PROXY": "127.0.0.1",
            **_BLINDFOLD,
        }

    def _watched(self, application: _Application) -> _Application:
        def watched(environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
            with self._lock:
                self._count += 1
                count = self._count
            if self._on_request is not None:
                self._on_request(count, environ["REQUEST_METHOD"], environ["PATH_INFO"])
            return application(environ, start_response)

        return watched


def names_in_the_way() -> list[str]:
    """The variables of this process that say which S3 to use, and how to get there."""
    return [name for name in os.environ if name.startswith("AWS_") or name.lower() in _PROXIES]


@contextmanager
def blind_to_aws(environment: Mapping[str, str]) -> Iterator[None]:
    """Within, this process has no AWS settings and no proxies but those given.

    A stale AWS_PROFILE on somebody's laptop breaks boto3 even where all is said explicitly.
    """

    def take_away() -> dict[str, str]:
        names = {*names_in_the_way(), *(environment.keys() & os.environ.keys())}
        return {name: os.environ.pop(name) for name in names}

    kept = take_away()
    os.environ.update(environment)
    try:
        yield
    finally:
        take_away()
        os.environ.update(kept)
