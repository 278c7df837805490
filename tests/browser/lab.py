"""A JupyterLab for tests: on loopback, with a token, and with folders of its own for everything it keeps."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REMOTE_NAME = "lab.example"  # this machine under a name that a browser does not trust as it trusts localhost


class Lab:
    """A server and the folder that it shows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token, self.port = folder / "notebooks", secrets.token_hex(16), _free_port()
        self.folder.mkdir()
        self._log = (folder / "lab.log").open("w")
        page = folder / "config/labconfig/page_config.json"
        page.parent.mkdir(parents=True)
        page.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}))
        options = {
            "ServerApp.ip": "127.0.0.1", "ServerApp.port": self.port, "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False, "ServerApp.root_dir": str(self.folder), "ServerApp.allow_root": True,
            "IdentityProvider.token": self.token, "LabApp.expose_app_in_browser": True,
            "ServerApp.local_hostnames": json.dumps(["localhost", REMOTE_NAME]),
        }  # fmt: skip
        names = {name: str(folder / name) for name in ("config", "data", "runtime")}
        environment = os.environ | {f"JUPYTER_{name.upper()}_DIR": path for name, path in names.items()}
        environment |= {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
        environment |= {"FER_REPORTS": str(folder / "reports")}
        call = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
        self._process = subprocess.Popen(call, env=environment, stdout=self._log, stderr=subprocess.STDOUT)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api", timeout=2).close()
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"JupyterLab did not start: {Path(self._log.name).read_text()}")

    def url(self, notebook: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/lab/tree/{notebook}?token={self.token}&reset"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
