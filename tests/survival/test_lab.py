"""`make lab` as it is: JupyterLab on this machine alone, behind a token, and nothing fetched."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def command() -> list[str]:
    """The command of the Makefile, word for word."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    call = ["make", "--no-print-directory", "-n", f"PY={sys.executable}", "lab"]
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    words = shlex.split(done.stdout.replace("\\\n", " "))
    return ["env", *words]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[psutil.Process, int, str, Path]]:
    """The running server: its process, port and token, and where tries to connect are noted."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")} | {
        "HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "JUPYTER_CONFIG_DIR": str(home / "config"),
        "PYTHONPATH": str(ROOT / "tests/without_network"), "FER_CONNECTIONS": str(home / "tried"),
    }  # fmt: skip
    call = [*command(), "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    call += ["--allow-root"] if os.geteuid() == 0 else []
    log = (home / "log").open("w")
    with subprocess.Popen(call, cwd=ROOT, env=environment, stdout=log, stderr=log) as process:
        try:
            yield psutil.Process(process.pid), port, token(home, process), home / "tried"
        finally:
            process.terminate()
    log.close()


def token(home: Path, process: subprocess.Popen[bytes]) -> str:
    """What the server wrote about itself, for this user's eyes alone."""
    for _ in range(1200):
        if found := list((home / "runtime").glob("jpserver-*.json")):
            assert not found[0].stat().st_mode & 0o077
            return json.loads(found[0].read_text())["token"]
        assert process.poll() is None, (home / "log").read_text()
        time.sleep(0.1)
    raise AssertionError("the server did not start: " + (home / "log").read_text())


def status(port: int, path: str, token: str = "", host: str = "127.0.0.1", origin: str = "") -> tuple[int, str]:
    """Status of an answer, and where it leads."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": f"{host}:{port}"} | ({"Authorization": f"token {token}"} if token else {})
    connection.request("GET", path, headers=headers | ({"Origin": origin} if origin else {}))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.getheader("Location", "")


Lab = tuple[psutil.Process, int, str, Path]


def test_nobody_gets_in_without_the_token(lab: Lab) -> None:
    _, port, secret, _ = lab
    assert re.fullmatch(r"[0-9a-f]{40,}", secret)
    for wrong in ("", "0" * len(secret)):
        for path in ("/api/contents", "/api/kernels", "/api/sessions", "/api/terminals", "/files/README.md"):
            code, leads = status(port, path, wrong)
            assert code in (401, 403) or (code == 302 and "/login" in leads), (path, code)
        code, leads = status(port, "/lab", wrong)
        assert code == 302 and "/login" in leads
    for path in ("/api/contents", "/api/kernels", "/lab"):
        assert status(port, path, secret)[0] == 200
    assert status(port, "/api/contents", secret, host="elsewhere.example")[0] == 403, "a name that leads here from afar"


def test_it_listens_on_this_machine_alone(lab: Lab) -> None:
    process, port, _, _ = lab
    family = [process, *process.children(recursive=True)]
    listening = [c.laddr for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert (("127.0.0.1", port)) in [tuple(address) for address in listening]
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}
    for address in {a.address for group in psutil.net_if_addrs().values() for a in group if a.family == socket.AF_INET}:
        if not address.startswith("127."):
            with pytest.raises(OSError), socket.create_connection((address, port), timeout=5):
                pass


def test_it_asks_nobody_for_news_or_updates(lab: Lab) -> None:
    _, port, secret, noted = lab
    for path in ("/lab", "/lab/api/update", "/lab/api/news"):
        assert status(port, path, secret)[0] in (200, 204, 404)
    assert not noted.exists(), noted.read_text()
