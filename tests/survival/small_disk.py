"""What is done on a disk that is full or may not be written; `test_full_disk.py` starts it in a namespace of its own.

`python small_disk.py FOLDER` mounts a small disk at FOLDER and prints one JSON list of what happened there.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PLACE = Path(sys.argv[1])
REPORTS = PLACE / "reports"
CALL = ("tune", "tiny", "synthetic", "--method", "random", "--epochs", "1", "--subjects", "8", "--trials")


def leave(room: int) -> None:
    """Fill the disk up to so many bytes."""
    ballast = PLACE / "ballast"
    ballast.unlink(missing_ok=True)
    status = os.statvfs(PLACE)
    ballast.write_bytes(b"x" * (status.f_bavail * status.f_frsize - room))


def files() -> dict[str, bytes]:
    found = (path for path in PLACE.rglob("*") if path.is_file() and path.name != "ballast")
    return {str(path.relative_to(PLACE)): path.read_bytes() for path in found}


def one_line(name: str, action: Callable[[], Any]) -> dict[str, Any]:
    """What `action` returned or raised, what it said, and which earlier files it touched."""
    before, said = files(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            result = action()
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
    after = files()
    finished = {path for path in before if Path(path).parent.joinpath("done").as_posix() in before}
    touched = sorted(path for path in finished if after.get(path) != before[path])
    litter = sorted(path for path in after if "/.partial-" in path or path.endswith(".claim"))
    return {"name": name, "result": result, "said": said.getvalue(), "touched": touched, "litter": litter,
            "finished": sorted(path for path in after if path.endswith("/done"))}  # fmt: skip


def full() -> Iterator[dict[str, Any]]:
    """The command line and a training on a disk with less and less room."""
    from killing import TINY

    from fer_utils import records
    from fer_utils.__main__ import main
    from fer_utils.training import run, scoring

    yield one_line("finished before", lambda: main([*CALL, "1"]))
    for room in (0, 8_192, 40_960, 300_000):
        leave(room)
        yield one_line(f"search, {room} bytes left", lambda: main([*CALL, "2"]))
    store = REPORTS / "own/runs"
    leave(500_000)
    yield one_line("checkpoint.npz", lambda: run(TINY, store=store, checkpoint_seconds=0))
    predictions = scoring.predictions
    for room, name in ((0, "predictions.npz"), (4_096, "history.csv"), (8_192, "run.json")):
        leave(3_000_000)

        def fill(*arguments: Any, room: int = room) -> Any:
            found = predictions(*arguments)
            leave(room)
            return found

        scoring.predictions = fill
        yield one_line(name, lambda: run(TINY, store=store))
    scoring.predictions = predictions
    leave(3_000_000)
    yield one_line("with room again", lambda: main([*CALL, "2"]))
    yield one_line("trained at last", lambda: records.verify(run(TINY, store=store)))


def closed() -> Iterator[dict[str, Any]]:
    """The same where nothing may be written."""
    from killing import ROOT, TINY, lengthened

    from fer_utils.__main__ import main
    from fer_utils.training import run

    subprocess.run(["mount", "-o", "remount,ro", str(PLACE)], check=True)
    notebook, profile = ROOT / "notebooks/02_exploring_the_data.ipynb", ROOT / "notebooks/profiles/quick.yaml"
    yield one_line("closed: search", lambda: main([*CALL, "3"]))
    yield one_line("closed: notebook", lambda: main(["execute", str(notebook), str(REPORTS / "01.ipynb"),
                                                 "--profile", str(profile)]))  # fmt: skip
    yield one_line("closed: loads", lambda: run(TINY, store=REPORTS / "own/runs").metric() >= 0)
    yield one_line("closed: trains", lambda: run(lengthened(TINY, 3), store=REPORTS / "own/runs"))
    yield one_line("closed: runs", lambda: main(["runs", str(REPORTS / "own/runs")]))


if __name__ == "__main__":
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(PLACE)], check=True)
    os.environ["FER_REPORTS"] = str(REPORTS)
    print(json.dumps([*full(), *closed()]))
