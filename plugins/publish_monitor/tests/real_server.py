"""The live data server itself, where a checkout of it is named: neutrons/live_data_server with SQLite."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from waiting import until

CHECKOUT = "LIVERED_LIVE_DATA_SERVER"
"""Variable that names the checkout."""
PYTHON = "LIVERED_LIVE_DATA_SERVER_PYTHON"
"""Variable that names the Python that has Django and django-cors-headers; by default the one that runs the tests."""

_SETTINGS = """
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}}
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
"""


def why_not() -> str:
    """Say why the real server cannot be run here; empty when it can."""
    checkout = os.environ.get(CHECKOUT, "")
    if not checkout:
        return f"{CHECKOUT} does not name a checkout of neutrons/live_data_server"
    if not (Path(checkout) / "src" / "manage.py").is_file():
        return f"{checkout} is no checkout of neutrons/live_data_server"
    found = subprocess.run(
        [_python(), "-c", "import django, corsheaders"], check=False, capture_output=True, timeout=60
    )
    return f"{_python()} has no Django with django-cors-headers" if found.returncode else ""


def _python() -> str:
    return os.environ.get(PYTHON, sys.executable)


class RealServer:
    """The server on loopback, with one user."""

    def __init__(self, folder: Path, username: str, password: str) -> None:
        (folder / "local_settings.py").write_text(_SETTINGS.format(database=str(folder / "plots.sqlite")))
        self._source = Path(os.environ[CHECKOUT]) / "src"
        self._environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("LIVE_PLOT")},
            "PYTHONPATH": str(folder),
            "DJANGO_SUPERUSER_USERNAME": username,
            "DJANGO_SUPERUSER_PASSWORD": password,
            "DJANGO_SUPERUSER_EMAIL": "nobody@example.org",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        for command in (["migrate"], ["createcachetable"], ["createsuperuser", "--noinput"]):
            subprocess.run(
                self._manage(*command), check=True, capture_output=True, timeout=120, env=self._environ
            )
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            self.port = reserved.getsockname()[1]
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._manage("runserver", "--noreload", f"127.0.0.1:{self.port}"),
                stdout=log,
                stderr=log,
                env=self._environ,
            )
        try:
            until(self._answers)
        except BaseException:
            self.stop()
            raise

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base}/plots/{{instrument}}/{{run}}/upload_plot_data/"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def _manage(self, *command: str) -> list[str]:
        return [_python(), str(self._source / "manage.py"), *command]

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.base}/plots/nom/1/update/html/").status_code == 404
        except httpx.TransportError:
            return False
