"""The project's own files: one list of dependencies, a Makefile that knows what depends on what, honest tables."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NUMBERS = [notebook.name[:2] for notebook in NOTEBOOKS]
LOCKS = {
    "requirements.lock": ("study", "tensorflow", "jax", "bench", "notebooks", "test", "cluster"),
    "requirements-gpu.lock": ("study", "gpu", "bench", "notebooks", "cluster"),
    "requirements-book.lock": ("book",),
}


def make(*arguments: str) -> str:
    """Output of make, called as a user would and not from within another make."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    call = ["make", "PY=python", *arguments]
    return subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def locked(name: str) -> dict[str, set[str]]:
    """Package -> pinned versions."""
    pins: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / name).read_text(), re.MULTILINE):
        pins.setdefault(package.lower().replace(".", "-"), set()).add(version)
    return pins


@pytest.mark.parametrize("name", LOCKS)
def test_lock_satisfies_the_declared_ranges(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (project["optional-dependencies"][extra] for extra in LOCKS[name])
    pins = locked(name)
    for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        versions = pins[requirement.name.lower().replace(".", "-")]
        assert all(requirement.specifier.contains(version) for version in versions), (text, versions)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_is_hashed_and_names_no_index(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.split(r"^(?=[A-Za-z0-9._-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "http" not in re.sub(r"^(\S*http\S*==|\s+#).*", "", text, flags=re.MULTILINE)


def test_what_the_book_needs_moves_no_other_package() -> None:
    study, book = locked("requirements.lock"), locked("requirements-book.lock")
    assert len(set(study) & set(book)) > 20 and "sphinx" not in study
    assert {name: pins for name, pins in book.items() if name in study and not pins <= study[name]} == {}


def test_environment_file_is_python_pip_and_the_lock() -> None:
    packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert packages == ["python=3.11", "pip", {"pip": ["-r requirements.lock"]}]


@pytest.fixture
def rebuilt(tmp_path: Path) -> Callable[[str], set[str]]:
    """Numbers of the notebooks that make would execute again if one file alone were new."""
    (tmp_path / "quick").mkdir()
    for notebook in NOTEBOOKS:
        (tmp_path / "quick" / notebook.name).touch()
    return lambda changed: executed_after(changed, tmp_path)


def executed_after(changed: str, reports: Path) -> set[str]:
    files = (p for folder in ("fer_utils", "notebooks") for p in (ROOT / folder).rglob("*.*"))
    old = [f"-o{name}" for p in files if (name := str(p.relative_to(ROOT))) != changed]
    dry_run = make("-n", "-W", changed, *old, f"REPORTS={reports}", "reproduce")
    return set(re.findall(r"execute notebooks/(\d\d)_", dry_run))


LOADED = """
import json, os, sys
import keras, matplotlib.pyplot, pandas, scipy.stats, sklearn.metrics, sklearn.model_selection  # what all share
for name, code in json.load(sys.stdin).items():
    if os.fork() == 0:
        exec(code)
        files = [m.__file__ for key, m in sys.modules.items() if key.split(".")[0] == "fer_utils"]
        print(json.dumps({name: files}), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks one process for each notebook")
@pytest.mark.parametrize("numbers", [["02", "15"], pytest.param(NUMBERS, marks=pytest.mark.survival)], ids=str)
def test_make_knows_what_the_notebooks_import(numbers: list[str]) -> None:
    """Held against what Python itself loads when the notebooks' top-level imports are run."""
    imports = {}
    for notebook in (path for path in NOTEBOOKS if path.name[:2] in numbers):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        trees = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
        lines = [n for tree in trees for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        imports[notebook.name[:2]] = "\n".join(ast.unparse(n) for n in lines)
    call = [sys.executable, "-c", LOADED]
    told = subprocess.run(call, cwd=ROOT, input=json.dumps(imports), capture_output=True, text=True, check=True).stdout
    loaded = {k: v for line in told.splitlines() if line.startswith("{") for k, v in json.loads(line).items()}
    assert loaded.keys() == imports.keys()
    rules = make(*(f"print-NEEDS_{number}" for number in loaded)).splitlines()
    for (number, paths), declared in zip(loaded.items(), map(str.split, rules), strict=True):
        files, declared = {str(Path(path).relative_to(ROOT)) for path in paths}, set(declared)
        assert "fer_utils/__init__.py" in files and files <= declared, (number, sorted(files - declared))


def first_now_others_later(notebooks: list[Path]) -> list[Any]:
    """The first as it is, the others in the group that may take minutes."""
    return [notebooks[0], *(pytest.param(other, marks=pytest.mark.survival) for other in notebooks[1:])]


@pytest.mark.parametrize("notebook", first_now_others_later(NOTEBOOKS), ids=lambda path: path.stem)
def test_a_change_in_one_notebook_executes_it_alone(notebook: Path, rebuilt: Callable[[str], set[str]]) -> None:
    assert rebuilt(f"notebooks/{notebook.name}") == {notebook.name[:2]}


@pytest.mark.parametrize("lesson", first_now_others_later(NOTEBOOKS), ids=lambda path: path.stem)
def test_a_change_of_a_lesson_or_of_its_solution_executes_the_solution(lesson: Path, tmp_path: Path) -> None:
    solution = lesson.parent / "solutions" / lesson.name
    made = tmp_path / "quick/solutions" / lesson.name
    made.parent.mkdir(parents=True)
    made.touch()
    for changed in (lesson, solution, ROOT / "fer_utils/evaluation/statistics.py"):
        call = make("-n", "-W", str(changed.relative_to(ROOT)), f"REPORTS={tmp_path}", str(made))
        assert f"execute {solution.relative_to(ROOT)} " in call, changed
    assert make("PROFILE=full", "print-SOLUTIONS").strip() == ""


def test_a_change_of_the_training_leaves_the_data_notebook_alone(rebuilt: Callable[[str], set[str]]) -> None:
    assert rebuilt("fer_utils/training/loop.py") == {n.name[:2] for n in NOTEBOOKS} - {"02", "15"}


@pytest.mark.parametrize(
    "changed", ["recognizer.py", "interface/webcam.py", "interface/web/session.js", "pictures/astronaut.jpg"]
)
def test_a_change_of_the_live_demo_executes_its_notebook_alone(
    changed: str, rebuilt: Callable[[str], set[str]]
) -> None:
    assert rebuilt(f"fer_utils/live/{changed}") == {"15"}


def test_a_change_of_the_command_line_executes_nothing(rebuilt: Callable[[str], set[str]]) -> None:
    assert rebuilt("fer_utils/__main__.py") == set()


def test_the_address_of_a_scheduler_reaches_the_notebooks() -> None:
    assert make("SCHEDULER=tcp://10.0.0.1:8786", "print-FER_SCHEDULER").strip() == "tcp://10.0.0.1:8786"


def test_a_profile_that_is_not_there_is_refused_with_those_that_are() -> None:
    call = ["make", "PROFILE=fast", "reproduce"]
    refused = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "got PROFILE=fast" in refused.stderr
    assert {"quick", "full"} <= set(re.findall(r"\w+", refused.stderr))


def test_help_lists_every_public_target() -> None:
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = "reproduce test survival-test browser-test wheel-test webcam detector data tables lab lint clean"
    for target in targets.split():
        assert f"make {target} " in text


def test_tables_follow_from_the_records() -> None:
    from fer_utils.report import pages

    blocks = pages.blocks(ROOT / "reports/runs")
    for page, names in pages.PAGES.items():
        text, written = (ROOT / page).read_text(encoding="utf-8"), {name: blocks[name] for name in names}
        assert pages.replaced(text, written, ROOT / page) == text, f"{page} is not what `make tables` writes"
    assert set(blocks) == set().union(*pages.PAGES.values())


@pytest.mark.survival
def test_every_committed_run_holds() -> None:
    from fer_utils import records

    for record in records.find_all(ROOT / "reports/runs"):
        assert records.verify(record) == [], record.id


def test_readme_names_every_notebook() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(notebooks/(\d\d_[^)]+)\)", text)) == {notebook.name for notebook in NOTEBOOKS}


def test_tensorflow_is_imported_in_one_module_alone() -> None:
    importers = {
        path.name
        for path in (ROOT / "fer_utils").rglob("*.py")
        if re.search(r"^\s*(import|from) tensorflow", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert importers == {"backend.py"}


def test_public_names_come_in_one_line_and_the_package_alone_costs_nothing() -> None:
    code = "import sys, time; start = time.perf_counter(); import fer_utils; spent = time.perf_counter() - start\n"
    code += "assert spent < 0.2, spent\n"
    code += "assert not {'tensorflow', 'keras', 'pandas', 'numpy', 'cv2'} & sys.modules.keys(), sys.modules.keys()\n"
    code += "from fer_utils import EmotionRecognizer, RunConfig, build, load, run, run_study\n"
    code += "import fer_utils.data, fer_utils.live, fer_utils.models, fer_utils.study, fer_utils.training\n"
    code += "assert load is fer_utils.data.load and build is fer_utils.models.build and run is fer_utils.training.run\n"
    code += "assert RunConfig is fer_utils.training.RunConfig and run_study is fer_utils.study.run_study\n"
    code += "assert EmotionRecognizer is fer_utils.live.EmotionRecognizer\n"
    code += "from fer_utils.models import losses; losses.get('cross_entropy')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]
