"""What TensorFlow prints on import is lost; what goes wrong on import is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("body", "said"), [("", ""), ("raise ImportError('broken')", "broken")])
def test_the_import_is_quiet_and_its_errors_are_not(body: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(f"import os\nos.write(2, b'a line of a C library')\n{body}\nNAME = 1\n")
    script = "import fer_utils, sys\nimport tensorflow\nassert tensorflow.NAME == 1\nprint('after', file=sys.stderr)"
    call = [sys.executable, "-c", script]
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(call, env={"PYTHONPATH": paths}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "a line of a C library" not in done.stderr
    assert (done.returncode == 0) is (said == "") and (said or "after") in done.stderr
