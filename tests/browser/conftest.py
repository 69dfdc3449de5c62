"""The built documentation site, as files and as a server on this machine."""

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Path:
    folder = os.environ.get("UPSIM_SITE")
    if folder is None:
        pytest.skip("UPSIM_SITE does not name the built site (docs/_build/html)")
    path = Path(folder).resolve()
    if not (path / "index.html").exists():
        pytest.fail(f"UPSIM_SITE={folder} holds no index.html; build it with sphinx-build")
    return path


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    # Over HTTP, not file://: browsers refuse ES modules and fetch() from files.
    handler = functools.partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
