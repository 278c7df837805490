"""The notebooks' structure: what every reader may rely on."""

from __future__ import annotations

import ast
import itertools
import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks/solutions").glob("*.ipynb"))
IN_PLAIN_KERAS = {"00_the_whole_method"}
"""The first lesson and its solutions train around the record, so that the whole method can be seen once."""
TAKES_A_STEP_BY_HAND = {"04_baseline_cnns"}
"""One lesson and its solutions show what training does: some steps on one batch of drawn faces, kept nowhere."""
PROFILES = sorted((ROOT / "notebooks/profiles").glob("*.yaml"))
DRAWS_PIXELS = ("imshow", "matshow", "figimage", "imsave", "pcolormesh")
DRAWS_RESULTS = {"comparison", "learning_curves", "roc_curves", "confusion_matrix", "confusion_matrices"}
DRAWS_RESULTS |= {"cascade", "reliability", "stress_curves"}
TAKES_FACES = ("faces", "sample_grid", "predictions_grid", "augmentation_sheet", "mean_faces", "scenes")

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
each_solution = pytest.mark.parametrize("notebook", SOLUTIONS, ids=lambda path: f"solution-{path.stem}")
each_of_both = pytest.mark.parametrize("notebook", NOTEBOOKS + SOLUTIONS, ids=lambda p: f"{p.parent.name}-{p.stem}")


def cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in found if cell["cell_type"] == kind]


def calls(notebook: Path) -> list[ast.Call]:
    sources = [cell["source"] for cell in cells(notebook, "code")]
    return [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def parameters(notebook: Path) -> ast.Module:
    tagged = [c for c in cells(notebook, "code") if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1, "exactly one cell carries the tag `parameters`"
    return ast.parse(tagged[0]["source"])


def test_there_are_notebooks() -> None:
    assert [n.name[:2] for n in NOTEBOOKS] == [f"{number:02}" for number in range(len(NOTEBOOKS))]
    assert len(NOTEBOOKS) > 12


@each_of_both
def test_sources_hold_no_outputs(notebook: Path) -> None:
    for cell in cells(notebook, "code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None


@each_of_both
def test_no_cell_calls_the_shell(notebook: Path) -> None:
    """A shell command that fails (`!false`) leaves no error behind, so a broken notebook would pass for a good one."""
    for cell in cells(notebook, "code"):
        magic = [line for line in cell["source"].splitlines() if line.lstrip().startswith(("!", "%"))]
        assert not magic, f"{magic[0]!r}: use subprocess.run(..., check=True), which fails aloud, or plain Python"


@each_notebook
def test_code_cells_are_few_and_small(notebook: Path) -> None:
    lengths = [len(cell["source"].splitlines()) for cell in cells(notebook, "code")]
    assert len(lengths) <= 40
    assert statistics.median(lengths) <= 8
    assert max(lengths) <= 20
    assert not [cell["source"] for cell in cells(notebook, "code") if "# fmt:" in cell["source"]]


@each_of_both
def test_kernel_is_named(notebook: Path) -> None:
    metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    assert metadata["kernelspec"]["name"] == "python3" and metadata["kernelspec"]["language"] == "python"


@each_of_both
def test_parameters_are_commented_literals(notebook: Path) -> None:
    tagged = next(c for c in cells(notebook, "code") if "parameters" in c["metadata"].get("tags", []))
    for statement in parameters(notebook).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    lines = [line for line in tagged["source"].splitlines() if line and not line.startswith("#")]
    assert all("  # " in line for line in lines), "every parameter has a comment"


@each_notebook
def test_opens_and_closes_as_a_lesson(notebook: Path) -> None:
    prose = [cell["source"] for cell in cells(notebook, "markdown")]
    opening, whole = "\n".join(prose[:3]), "\n".join(prose)
    assert opening.startswith("# ")
    for word in ("question", "needs", "reads", "writes", "time"):
        assert word in opening.lower(), f"the opening says nothing of {word!r}"
    assert "In this notebook we" in whole
    assert any("answer.update(" in cell["source"] for cell in cells(notebook, "code")), "no Answer at the top"
    closing = "\n".join(prose[-3:]).lower()
    assert "exercise" in closing
    for word in ("predict", "modify", "critici"):
        assert word in closing, f"no exercise to {word}"


@each_notebook
def test_every_code_cell_has_prose_before_it(notebook: Path) -> None:
    kinds = [cell["cell_type"] for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]]
    assert kinds[0] == "markdown"
    assert kinds.count("markdown") >= 0.5 * kinds.count("code")


@each_of_both
def test_pixels_are_drawn_by_the_package_alone(notebook: Path) -> None:
    for call in calls(notebook):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        assert name not in DRAWS_PIXELS, f"{name} draws pictures past plots.faces"
        if name in TAKES_FACES and ast.unparse(call.func).startswith("plots."):
            given = {keyword.arg for keyword in call.keywords}
            assert {"dataset_name", "profile"} <= given, f"plots.{name} must be told dataset_name and profile"
            published = next((k.value for k in call.keywords if k.arg == "published"), None)
            assert published is None or ast.unparse(published) != "False", "a reader decides by the `publish` parameter"


@each_of_both
def test_every_figure_knows_its_profile(notebook: Path) -> None:
    for call in calls(notebook):
        name = ast.unparse(call.func)
        if name.startswith("plots.") and name.removeprefix("plots.") in DRAWS_RESULTS:
            given = {keyword.arg for keyword in call.keywords}  # None stands for **settings
            assert given & {"profile", None}, f"{name} lacks profile= (None for real data on record)"


@pytest.mark.parametrize("notebook", [n for n in NOTEBOOKS + SOLUTIONS if n.stem not in IN_PLAIN_KERAS])
def test_nothing_trains_around_the_record(notebook: Path) -> None:
    names = {call.func.attr for call in calls(notebook) if isinstance(call.func, ast.Attribute)}
    assert not names & {"fit", "train_on_batch"}
    by_hand = names & {"assign_sub", "apply_gradients", "loss_and_gradients"}
    assert not by_hand or notebook.stem in TAKES_A_STEP_BY_HAND


def test_the_whole_method_takes_forty_lines_of_plain_python() -> None:
    lesson = ROOT / "notebooks/00_the_whole_method.ipynb"
    method = [c["source"] for c in cells(lesson, "code") if "method" in c["metadata"].get("tags", [])]
    assert 30 <= sum(1 for source in method for line in source.splitlines() if line.strip()) <= 40
    names = {node.id for source in method for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    for needed in ("load", "StratifiedKFold", "StratifiedGroupKFold", "keras", "layers", "np"):
        assert needed in names
    assert not names & {"plots", "statistics", "run", "RunConfig"}, "only load comes from the package"


@each_notebook
def test_a_self_check_is_folded_and_follows_an_open_question(notebook: Path) -> None:
    code = cells(notebook, "code")
    for question, check in itertools.pairwise(code):
        if "self-check" not in check["metadata"].get("tags", []):
            continue
        assert check["metadata"]["jupyter"]["source_hidden"] is True
        (asked,) = ast.parse(question["source"]).body
        assert isinstance(asked, ast.Assign) and asked.value.value is Ellipsis, "the reader's number is not given away"
        assert asked.targets[0].id in check["source"] and "self_check.check(" in check["source"]


@each_solution
def test_a_solution_answers_each_exercise_of_its_lesson(notebook: Path) -> None:
    lesson = ROOT / "notebooks" / notebook.name
    exercises = "\n".join(c["source"] for c in cells(lesson, "markdown")).split("## Exercises")[1]
    numbers = re.findall(r"^(\d)\. \*\*", exercises, re.MULTILINE)
    prose = "\n".join(cell["source"] for cell in cells(notebook, "markdown"))
    assert re.findall(r"^## Exercise (\d)", prose, re.MULTILINE) == numbers
    assert notebook.name in exercises, "the lesson links to its solutions"
    repeated = {cell["id"]: cell["source"] for cell in cells(lesson, "code")}
    for cell in cells(notebook, "code"):
        if "method" in cell["metadata"].get("tags", []):
            assert cell["source"] == repeated[cell["id"]], "a copied cell is the lesson's, word for word"
    for checked in (c["source"] for c in cells(lesson, "code") if "self-check" in c["metadata"].get("tags", [])):
        name = re.search(r"self_check\.check\(\"(.+?)\"", checked).group(1)
        assert f'self_check.check("{name}"' in "\n".join(cell["source"] for cell in cells(notebook, "code"))
    assert max(len(cell["source"].splitlines()) for cell in cells(notebook, "code")) <= 20


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_profiles_set_only_parameters_that_exist(profile: Path) -> None:
    declared = {target.id for n in NOTEBOOKS + SOLUTIONS for s in parameters(n).body for target in s.targets}
    values = yaml.safe_load(profile.read_text(encoding="utf-8"))
    assert set(values) <= declared
    assert values["profile"] == profile.stem


@pytest.mark.parametrize("executed", sorted((ROOT / "reports/full").glob("[0-9]*.ipynb")), ids=lambda p: p.stem)
def test_committed_copies_are_complete_small_and_name_no_machine(executed: Path) -> None:
    text = executed.read_text(encoding="utf-8")
    assert executed.stat().st_size < 3_000_000
    assert all(cell["execution_count"] for cell in cells(executed, "code") if cell["source"].strip())
    for output in (output for cell in cells(executed, "code") for output in cell["outputs"]):
        for kind in {"image/png", "image/svg+xml"} & set(output.get("data", {})):
            assert len(output["metadata"][kind]["alt"]) > 20, "a figure without an alternative text"
    assert not re.search(r"/(home|root|Users|tmp|work)/", text), "a path of some machine"
    prose = "\n".join(cell["source"] for cell in cells(executed, "markdown"))
    links = re.findall(r"\]\(([^()\s#:]+)[#)]", prose)
    assert [link for link in links if not (executed.parent / link).exists()] == []
