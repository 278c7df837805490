"""Figures: what may be seen of whom, and that every one can be drawn."""

import ast
import copy
import inspect
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import fer_utils
from fer_utils import plots
from fer_utils.analysis.prices import experiments, tables
from fer_utils.data.dataset import CKPLUS_EXPRESSIONS, EXPRESSIONS, FERPLUS_EXPRESSIONS
from fer_utils.evaluation import calibration, metrics, statistics
from fer_utils.plots import style
from fer_utils.plots.reports import COLOURS

PUBLISHABLE = ("S052", "S055", "S074", "S106", "S111", "S113", "S121", "S124", "S125", "S130", "S132")
PRIVATE = ("S010", "S053", "S005", "S520", "S1060", "S552", "S131", "S999")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def some_faces(n, seed=0):
    """Random uint8 images, no two alike."""
    return np.random.default_rng(seed).integers(0, 256, (n, 48, 48), dtype=np.uint8)


def drawn(figure):
    """Every picture held by a figure, as grey levels 0..255."""
    pictures = [image for ax in figure.axes for image in ax.get_images()]
    return [np.round(255 * np.asarray(picture.get_array())).astype(int) for picture in pictures]


def holds(figure, face):
    return any(picture.shape == face.shape and (picture == face).all() for picture in drawn(figure))


def rendered(figure):
    """The figure as RGBA pixels."""
    figure.set_dpi(50)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


# ---------------------------------------------------------------- what may be published


@pytest.mark.parametrize("name", ["fer2013", "ferplus", "FER2013", "Synthetic", "CKPLUS", "", "webcam", "affectnet"])
def test_faces_of_other_datasets_are_private(name):
    assert not plots.may_publish(name, None, 3).any()
    assert not plots.may_publish(name, ["S052"] * 3, 3).any()


def test_synthetic_faces_are_free():
    assert plots.may_publish("synthetic", None, 3).all()
    assert plots.may_publish("synthetic", ["s1", "s2", "s3"], 3).all()


def test_exactly_eleven_subjects_of_ckplus_are_free():
    everybody = [f"S{i:03d}" for i in range(1000)]
    allowed = plots.may_publish("ckplus", everybody, 1000)
    assert tuple(np.array(everybody)[allowed]) == PUBLISHABLE
    assert plots.may_publish("ckplus", ["S52", "s052", "S132"], 3).all()


@pytest.mark.parametrize("subject", [*PRIVATE, "", "52", "S", "S052x", "xS052", "S052_001", "S52.0", "S-52", " S052"])
def test_anything_but_a_known_name_is_private(subject):
    assert not plots.may_publish("ckplus", [subject], 1).any()


def test_ckplus_without_subjects_is_private():
    assert not plots.may_publish("ckplus", None, 4).any()


def test_subjects_must_be_as_many_as_faces():
    with pytest.raises(ValueError, match=r"each of 3 faces; got 2 names"):
        plots.may_publish("ckplus", ["S052", "S055"], 3)


@pytest.mark.parametrize("name", ["fer2013", "ferplus", "ckplus", "webcam"])
@pytest.mark.parametrize("published", [{}, {"published": True}, {"published": "False"}, {"published": None}])
def test_a_withheld_face_leaves_no_trace(name, published):
    """The figure is the same to the pixel whoever the faces are; withholding is the default."""
    options = {"titles": ["happy"] * 4, "dataset_name": name, "overlays": [np.ones((3, 3))] * 4, **published}
    first, second = (plots.faces(some_faces(4, seed), **options) for seed in (1, 2))
    assert drawn(first) == []
    np.testing.assert_array_equal(rendered(first), rendered(second))
    assert "are not published; run the notebook with your own copy to see them" in " ".join(style.notes(first))


def test_withheld_fer2013_says_so_in_these_words():
    figure = plots.faces(some_faces(2), dataset_name="fer2013")
    text = "FER2013 faces are not published; run the notebook with your own copy to see them."
    assert style.notes(figure) == [text]


def test_own_copy_shows_everything_and_warns():
    images = some_faces(3)
    figure = plots.faces(images, dataset_name="fer2013", published=False)
    assert all(holds(figure, image) for image in images)
    assert style.notes(figure) == ["For your own screen: FER2013 faces must not be passed on."]


def test_mixed_ckplus_shows_publishable_subjects_with_their_notice():
    subjects = ["S010", "S055", "S999", "S132"]
    images = some_faces(4)
    overlays = [np.full((2, 2), 0.1 * i) for i in range(4)]
    figure = plots.faces(images, dataset_name="ckplus", subjects=subjects, overlays=overlays)
    assert [holds(figure, image) for image in images] == [False, True, False, True]
    assert len(drawn(figure)) == 4 + 2  # two faces, their two maps, and the colour bar on its grey
    assert "©Jeffrey Cohn" in style.notes(figure)
    assert any("faces of 2 of these 4 images are not published" in text for text in style.notes(figure))


@pytest.mark.parametrize(("values", "bars"), [((0, 1), 0), ((0, 0.5), 1)])
def test_a_mask_over_a_face_needs_no_colour_bar(values, bars):
    overlay = np.resize(values, (2, 2)).astype(float)
    figure = plots.faces(some_faces(1), dataset_name="synthetic", overlays=[overlay])
    assert len(drawn(figure)) == 2 + 2 * bars  # the face, its map, and the colour bar on its grey


def test_no_notice_where_nobody_is_shown():
    figure = plots.faces(some_faces(1), dataset_name="ckplus", subjects=["S010"])
    assert "©Jeffrey Cohn" not in style.notes(figure)


def test_publishable_subjects_alone_need_no_excuse():
    figure = plots.faces(some_faces(2), dataset_name="ckplus", subjects=["S052", "S130"])
    assert style.notes(figure) == ["©Jeffrey Cohn"]


def sheets_of(images, labels, name, subjects=None, **options):
    """Each sheet of single faces, for one dataset name."""
    common = {"dataset_name": name, "subjects": subjects, **options}
    classes = EXPRESSIONS[:2]
    versions = np.stack([images, 255 - images], axis=1)
    return [
        plots.sample_grid(images, labels, classes, np.random.default_rng(0), per_class=3, **common),
        plots.predictions_grid(images, labels, labels[::-1], classes, **common),
        plots.augmentation_sheet(images, versions, "none", **common),
        plots.mean_faces(images, labels, classes, **common),
    ]


@pytest.mark.parametrize("name", ["fer2013", "ferplus", "ckplus", "else"])
def test_no_sheet_shows_a_private_face(name):
    labels = np.array([0, 0, 0, 1, 1, 1])
    subjects = np.array(["S010"] * 6)
    for figure in sheets_of(some_faces(6), labels, name, subjects):
        assert drawn(figure) == []
        assert "not published" in " ".join(style.notes(figure))
    for figure in sheets_of(some_faces(6), labels, name, subjects, published=False):
        assert drawn(figure)


def test_sheets_of_synthetic_faces_show_them():
    for figure in sheets_of(some_faces(6), np.array([0, 0, 0, 1, 1, 1]), "synthetic"):
        assert drawn(figure)
        assert "not published" not in " ".join(style.notes(figure))


def test_sample_grid_prefers_subjects_who_may_be_shown(rng):
    subjects = np.array((PRIVATE + PUBLISHABLE) * 2)
    images, labels = some_faces(38), np.repeat([0, 1], 19)
    options = {"dataset_name": "ckplus", "per_class": 5, "subjects": subjects}
    figure = plots.sample_grid(images, labels, EXPRESSIONS[:2], rng, **options)
    assert len(drawn(figure)) == 10
    assert style.notes(figure) == ["©Jeffrey Cohn"]


def test_versions_of_a_face_follow_its_subject():
    images = some_faces(2)
    versions = np.stack([255 - images, images[:, ::-1]], axis=1)
    figure = plots.augmentation_sheet(
        images, versions, "flip", dataset_name="ckplus", subjects=np.array(["S010", "S052"])
    )
    assert len(drawn(figure)) == 3
    assert holds(figure, images[1])
    assert not holds(figure, images[0])


@pytest.mark.parametrize(
    ("copies", "different", "people", "free"),
    [(1, 20, None, True), (1, 19, None, False), (5, 4, None, False), (1, 20, 10, True), (1, 20, 9, False)],
)
def test_means_of_many_different_images_and_people_are_free(copies, different, people, free):
    images = np.repeat(some_faces(different), copies, axis=0)
    subjects = None if people is None else np.array([f"S{i % people}" for i in range(len(images))])
    options = {"dataset_name": "fer2013", "subjects": subjects}
    figure = plots.mean_faces(images, np.zeros(len(images), int), ["happy"], **options)
    assert len(drawn(figure)) == (2 if free else 0)


def test_one_small_class_does_not_hide_the_others():
    images, labels = some_faces(31), np.repeat([0, 1, 2], [25, 1, 5])
    figure = plots.mean_faces(images, labels, EXPRESSIONS[:3], dataset_name="fer2013")
    assert len(drawn(figure)) == 2
    assert not holds(figure, images[25])


def test_whole_pictures_follow_the_same_rule():
    frame, face = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8), SimpleNamespace()
    face.box, face.label, face.answer, face.confidence = (10, 10, 30, 30), "happy", "unsure (happy?)", 0.5
    for name, options, shown in (
        ("public_domain", {}, 1),
        ("synthetic", {}, 1),
        ("fer2013", {}, 0),
        ("camera", {}, 0),
        ("camera", {"published": False}, 1),
    ):
        figure = plots.scenes([frame], [[face]], dataset_name=name, **options)
        assert len(drawn(figure)) == shown
        labels = [text.get_text() for ax in figure.axes for text in ax.texts]
        assert labels == ["unsure (happy?) 50%"] * shown
    (image,) = drawn(plots.scenes([frame], [[]], dataset_name="synthetic"))
    np.testing.assert_array_equal(image, frame[..., ::-1])  # blue, green, red comes in


def test_whole_pictures_need_a_list_of_faces_each():
    with pytest.raises(ValueError, match="1 frames, 2 lists of faces"):
        plots.scenes([np.zeros((4, 4), np.uint8)], [[], []], dataset_name="synthetic")


def test_no_other_function_of_the_package_draws_pictures():
    """Pictures are drawn in one module, which applies the rule; and on the user's own screen by the live window."""
    root = Path(fer_utils.__file__).parent
    users = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"imshow", "matshow", "figimage", "imsave"}:
                users.add((path.relative_to(root).as_posix(), ast.unparse(node)))
    assert users == {("plots/gallery.py", "ax.imshow"), ("live/interface/desktop.py", "cv2.imshow")}


# ---------------------------------------------------------------- input of faces()


def test_shapes_and_ranges_of_pictures():
    gray, colour = some_faces(1)[0], np.zeros((20, 30, 3), np.uint8)
    figure = plots.faces([gray, gray[..., None], gray / 255, colour, None], dataset_name="synthetic")
    assert len(drawn(figure)) == 4
    for image, words in (
        (np.full((48, 48), 2.0), "Divide grey levels by 255"),
        (np.zeros((4, 4, 2)), "shape"),
    ):
        with pytest.raises(ValueError, match=words):
            plots.faces([image], dataset_name="synthetic")


@pytest.mark.parametrize("name", ["titles", "title_colours", "overlays"])
def test_lists_must_fit_the_faces(name):
    with pytest.raises(ValueError, match=rf"{name} must have one entry for each of the 2 faces; got 1"):
        plots.faces(some_faces(2), dataset_name="synthetic", **{name: ["black"]})


def test_no_face_at_all_is_refused():
    for images in ([], [None, None]):
        with pytest.raises(ValueError, match="at least one face"):
            plots.faces(images, dataset_name="synthetic")


def test_predictions_name_the_label_only_where_it_differs():
    figure = plots.predictions_grid(
        some_faces(2), [0, 1], [0, 2], EXPRESSIONS, dataset_name="synthetic", confidence=np.array([0.9, 0.4])
    )
    texts = {text.get_text().replace("\u00a0", " ") for text in figure.axes[0].texts}
    assert {"angry 90 %", "fear 40 %", "labelled disgust"} <= texts
    assert "labelled angry" not in texts


# ---------------------------------------------------------------- style


def test_one_colour_per_expression_under_every_name():
    table = plots.EXPRESSION_COLOURS
    assert set(EXPRESSIONS) | set(CKPLUS_EXPRESSIONS) | set(FERPLUS_EXPRESSIONS) == set(table)
    assert (table["anger"], table["happiness"], table["sadness"]) == (
        table["angry"],
        table["happy"],
        table["sad"],
    )
    assert len(set(table.values())) == 8
    assert plots.colours(["Happy", "other"])[0] == table["happy"]


def test_stamp_marks_the_quick_profile_once():
    figure = plots.class_distribution([0, 1], ["a", "b"], profile="quick")
    plots.stamp(figure, "quick")
    assert [text for text in style.notes(figure) if "numbers mean nothing" in text] == [style.QUICK_STAMP]
    for profile in (None, "full"):
        assert style.QUICK_STAMP not in style.notes(plots.class_distribution([0, 1], ["a", "b"], profile=profile))
    with pytest.raises(ValueError, match="profile must be one of"):
        plots.stamp(figure, "fast")


def test_notes_stay_inside_the_figure_below_the_axes():
    figure = plots.class_distribution([0, 1, 1], ["a", "b"])
    before = figure.get_size_inches()[1]
    plots.note(figure, "A rather long remark that does not fit on one line of this figure. " * 3)
    assert figure.get_size_inches()[1] > before
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts if text.get_gid() == "note"]
    lowest = min(ax.get_tightbbox().y0 for ax in figure.axes)
    for box in boxes:
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= lowest
    assert boxes[0].y0 >= boxes[1].y1 - 1


def test_use_style_sets_matplotlib(rng):
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["axes.titlelocation"] == "left"


def test_labels_at_the_ends_do_not_overlap():
    history = pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5], "val_loss": [1.0, 0.5], "test_loss": [1.0, 0.5]})
    figure = plots.learning_curves(history.assign(accuracy=0.5, val_accuracy=0.5, test_accuracy=0.5))
    figure.draw_without_rendering()
    for ax in figure.axes:
        heights = sorted((t.get_window_extent().y0, t.get_window_extent().y1) for t in ax.texts)
        assert all(low[1] <= high[0] + 0.5 for low, high in pairwise(heights))


# ---------------------------------------------------------------- every figure


def claimed(**measured):
    """A system as `plots.claims` takes it: half of 60 images right, and a claim that nothing was measured of."""
    dot = {
        "interval": statistics.wilson_interval(30, 60), "reduced": True, "epoch": "epoch chosen on validation",
        "beside": {"last epoch": statistics.wilson_interval(33, 60)}, "short": "n = 60",
    } | measured  # fmt: skip
    dots = {"re-run as reported": None, "sound": SimpleNamespace(**dot)}
    return SimpleNamespace(system="report", detail="network", claimed=0.9848, printed="98.48 %", dots=dots)


def every_figure(profile):
    """One call of each function that makes a figure."""
    rng = np.random.default_rng(0)
    images, labels = some_faces(60), np.arange(60) % 3
    names, logits = EXPRESSIONS[:3], rng.normal(size=(60, 3))
    counts, ends = metrics.confusion(labels, logits), [statistics.wilson_interval(30, 60), None]
    epochs = np.arange(1, 13)
    history = pd.DataFrame({"epoch": epochs, "phase": epochs > 6, "learning_rate": 0.1 / epochs})
    history = history.assign(loss=1 / epochs, accuracy=epochs / 13, val_loss=2 / epochs, val_accuracy=epochs / 15)
    p, synthetic = {"profile": profile}, {"dataset_name": "synthetic", "profile": profile}
    versions = np.stack([images[:2]] * 2, axis=1)
    trials = pd.DataFrame({"score": [0.2, 0.3], "width": [1, 2]}).assign(method="random", epochs=2, own_epochs=2, n=60)
    space = {"width": {"kind": "choice", "values": [1, 2]}}
    grown = pd.DataFrame({"step": "load", "images": [9, 99], "megabytes": [1, 11], "seconds": [1, 9], "grown": [2, 12]})
    price = experiments.Price("A", "B − C", statistics.wilson_interval(30, 60), (0.4, 0.6), "leak", "D")
    return {
        "augmentation_sheet": plots.augmentation_sheet(images[:2], versions, "none", **synthetic),
        "cascade": plots.cascade(["head", "stem"], {"map": rng.normal(size=(2, 9))}, **p),
        "claims": plots.claims({"data": [claimed()]}, **p),
        "class_distribution": plots.class_distribution(labels, names, **p),
        "class_maps": plots.class_maps({"map": rng.random((3, 6, 6))}, names, [20, 20, 20], **p),
        "comparison": plots.comparison(["A", "B"], ends, reported=[None, 0.6505], references={"x": 0.2}, **p),
        "confusion_matrices": plots.confusion_matrices({"A": counts, "B": counts}, names, **p),
        "confusion_matrix": plots.confusion_matrix(counts, names, **p),
        "error_budget": plots.error_budget([tables.sample_size(0.5, 60)], **p),
        "faces": plots.faces(images[:3], **synthetic),
        "forest": plots.forest({"data": [price]}, **p),
        "scenes": plots.scenes([np.full((40, 60), 128, np.uint8)], [[]], dataset_name="synthetic", **p),
        "starts": plots.starts({"scratch": [pd.DataFrame({"epoch": [1, 2], "phase": 1, "val_accuracy": 0.5})]}, **p),
        "growth": plots.growth(grown, **p),
        "heatmap": plots.heatmap(pd.DataFrame({"a": [1.0, np.nan]}, ["x", "y"]), colour_title="Votes", **p),
        "learning_curves": plots.learning_curves(history, kept={"best": 9}, **p),
        "marginal_effects": plots.marginal_effects(trials, space, **p),
        "mean_faces": plots.mean_faces(images, labels, names, **synthetic),
        "moving_averages": plots.moving_averages(epochs, epochs / 2, epochs, epochs / 13, as_kept=0.1, **p),
        "network_chain": plots.network_chain(pd.DataFrame({"output": [(3,)], "weights": [9]}, ["a"]), ["b", "c"], **p),
        "pixel_distribution": plots.pixel_distribution(images, **p),
        "pixel_distribution_by_class": plots.pixel_distribution_by_class(images, labels, EXPRESSIONS, **p),
        "predictions_grid": plots.predictions_grid(images[:3], labels[:3], [0, 0, 0], names, **synthetic),
        "reliability": plots.reliability({"A": calibration.reliability(labels, metrics.softmax(logits))}, **p),
        "report_heatmap": plots.report_heatmap(metrics.report(labels, logits, names), **p),
        "risk_coverage": plots.risk_coverage(np.arange(1, 61) / 60, np.linspace(0, 0.5, 60), chosen=0.5, **p),
        "timeline": plots.timeline({"A": ["happy", ""], "B": ["sad", "sad"]}, [0.0, 0.1], ["sad", "happy"], **p),
        "roc_curves": plots.roc_curves(metrics.roc(labels, logits), names, n=60, **p),
        "sample_grid": plots.sample_grid(images, labels, names, rng, **synthetic),
        "simulated": plots.simulated({"A": pd.DataFrame({"a": [0.1, 0.2]})}, references={"A": 15}, **p),
        "schedules": plots.schedules({"A": [1 / epochs]}, **p),
        "search_progress": plots.search_progress({"random": trials}, **p),
        "separable_convolution": plots.separable_convolution(**p),
        "stress_curves": plots.stress_curves({"A": {"blur": [statistics.wilson_interval(30, 60)] * 6}}, **p),
        "watched_curves": plots.watched_curves({"A": history}, **p),
        "split_distribution": plots.split_distribution(labels, np.repeat(["train", "test"], 30), names, **p),
    }


@pytest.mark.filterwarnings("error")
def test_every_figure_can_be_drawn_and_is_stamped():
    figures = every_figure("quick")
    functions = {name: getattr(plots, name) for name in plots.__all__}
    functions = {name: f for name, f in functions.items() if inspect.isfunction(f)}
    makers = {name for name, f in functions.items() if "caption" in inspect.signature(f).parameters} - {"finish"}
    assert set(figures) == makers
    for figure in figures.values():
        assert style.QUICK_STAMP in style.notes(figure)
        assert rendered(figure).std() > 0
    assert plt.get_fignums() == []


def test_captions_carry_n_and_interval():
    notes = {name: " ".join(style.notes(figure)) for name, figure in every_figure(None).items()}
    for name in (
        "class_distribution",
        "confusion_matrix",
        "reliability",
        "stress_curves",
        "roc_curves",
        "report_heatmap",
        "pixel_distribution",
    ):
        assert "n = 60 images" in notes[name]
    assert "n = 60 images. Bars: 95 % intervals (Wilson score). Diamonds: as printed." in notes["comparison"]


def test_claims_say_what_was_not_measured_and_mark_reduced_budgets():
    figure = plots.claims({"data": [claimed(), claimed(reduced=False)], "nothing": []})
    assert len(figure.axes) == 3, "a panel without a system is left out"
    middle, numbers = figure.axes[1:]
    texts = [text.get_text() for text in numbers.texts]
    assert texts == ["98.48 %", "not measured", "50.0 [37.7, 62.3]", "n = 60", "55.0 [42.5, 66.9]", ""] * 2
    labels = [text.get_text() for text in figure.axes[0].texts][:6]
    kinds = ["claimed", "re-run as reported", "sound, epoch chosen on validation", "last epoch"]
    assert labels == ["report", "network", *kinds]
    dots = [line for line in middle.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() for dot in dots] == ["white"] * 2 + [COLOURS["sound"]] * 2
    assert dots[0].get_markersize() > dots[1].get_markersize(), "the epoch that the protocol keeps stands out"


def test_a_modified_system_is_named_so():
    system = claimed()
    system.detail, system.claimed = "network, *modified*: momentum 0.9", None
    texts = [text.get_text() for text in plots.claims({"data": [system]}).axes[0].texts]
    assert texts[:2] == ["report, modified: momentum 0.9", ""] and "claimed" not in texts


def test_names_and_labels_of_claims_do_not_meet():
    system = claimed()
    system.system, system.detail, system.claimed = "xavengers2025", "x, *modified*: batch norm momentum 0.9", None
    dot = system.dots["sound"]
    dot.interval, dot.short = statistics.wilson_interval(60, 60), "n = 3,589, 50 of 300 epochs, 3 seeds"
    long = copy.copy(dot)
    long.short = "n = 28,821, 50 epochs, bfloat16, on training images"
    system.dots = {"re-run as reported": long, "sound": dot, "else": None}
    other = claimed()
    other.detail, other.dots = "Xception, attention", {"re-run as reported": dot, "sound": dot}
    figure = plots.claims({"data": [system, other]})
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in (*figure.axes[0].texts, *figure.axes[2].texts) if text.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    assert max(box.x1 for box in boxes) <= figure.bbox.x1, "all of a long note is seen"


def test_confusion_cells_hold_shares_and_counts():
    figure = plots.confusion_matrix(np.array([[3, 1], [0, 0]]), ["a", "b"])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["75 %\n3", "25 %\n1", "", ""]
    assert figure.axes[0].get_ylim() == (2, 0)


def test_phases_follow_from_the_history():
    epochs = np.arange(1, 31)
    history = pd.DataFrame({"epoch": epochs, "loss": 1.0, "accuracy": 0.5, "phase": (epochs - 1) // 10})
    history["learning_rate"] = 10.0 ** -(3 + history["phase"])
    for ends in (None, [10, 20, 30]):
        texts = [text.get_text() for text in plots.learning_curves(history, ends).axes[0].texts]
        assert [text for text in texts if text.removeprefix("rate ") in ("0.001", "0.0001", "1e-05")] == [
            "rate 0.001",
            "0.0001",
            "1e-05",
        ]


def test_test_curves_are_named_in_capitals():
    history = pd.DataFrame({"epoch": [1], "loss": [1.0], "accuracy": [0.5], "test_accuracy": [0.4]})
    texts = [text.get_text() for text in plots.learning_curves(history).axes[1].texts]
    assert "TEST SET 40.0" in texts


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.class_distribution([0, 7], EXPRESSIONS), r"0\.\.6.*got 0\.\.7"),
        (lambda: plots.class_distribution([], EXPRESSIONS), "got none"),
        (lambda: plots.split_distribution([0], ["a"], "x", order=["b"]), "occur in"),
        (lambda: plots.pixel_distribution(np.zeros((1, 48, 48))), "uint8"),
        (lambda: plots.heatmap(np.eye(2), ["a"], ["b", "c"]), r"1 row names and 2 column names"),
        (lambda: plots.confusion_matrix(np.eye(2) / 2, ["a", "b"]), "without normalize"),
        (lambda: plots.confusion_matrix(np.eye(3), ["a", "b"]), r"\(2, 2\) for 2 classes"),
        (lambda: plots.learning_curves(pd.DataFrame({"epoch": [1]})), "accuracy.*loss"),
        (lambda: plots.claims({"data": []}), "at least one system"),
        (lambda: plots.comparison(["a"], []), "1 names, 0 intervals"),
        (lambda: plots.comparison(["a"], [None]), "one interval"),
        (
            lambda: plots.mean_faces(some_faces(1), [0], ["a", "b"], dataset_name="synthetic"),
            r"none of \['b'\]",
        ),
        (lambda: plots.augmentation_sheet(some_faces(2), some_faces(2), "x", dataset_name="x"), "m = 2"),
    ],
)
def test_wrong_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_timeline_needs_a_label_for_each_frame() -> None:
    with pytest.raises(ValueError, match="a label for each"):
        plots.timeline({"A": ["happy"]}, [0.0, 0.1], ["happy"])


def test_a_risk_belongs_to_each_coverage() -> None:
    with pytest.raises(ValueError, match="a risk for each coverage"):
        plots.risk_coverage(np.array([0.5, 1.0]), np.array([0.1]))


def test_alternative_texts_tell_what_is_to_be_seen() -> None:
    curve = plots.risk_coverage(np.arange(1, 11) / 10, np.linspace(0.1, 0.5, 10))
    assert "10 % of the surest 10 %" in curve.alternative and "50 % of the surest 100 %" in curve.alternative
    stress = plots.stress_curves({"net": {"blur": [statistics.wilson_interval(k, 10) for k in (9, 8, 6, 5, 4, 2)]}})
    assert "net: 90 % on clean images; at the highest severity blur 20 %." in stress.alternative
    left = plots.cascade(["head", "stem"], {"map": np.array([[0.5, 0.7], [np.nan, np.nan]])})
    assert "map: 0.60 with the head shuffled, undefined with all of them." in left.alternative


def test_a_comparison_of_different_sizes_says_n_in_each_row() -> None:
    ends = [statistics.Interval(0.5, 0.4, 0.6, 0.95, n, "made up") for n in (100, 2000)]
    bands = {"literature": (0.6, 0.7)}
    apart = plots.comparison(["A", "B"], ends, bands=bands, limits=(0, 1))
    texts = " ".join(text.get_text() for text in apart.findobj(Text))
    assert "n = 100" in texts and "n = 2,000" in texts and "literature" in texts and "images" not in texts
    assert apart.axes[0].get_xlim() == (0, 100)
    together = plots.comparison(["A", "B"], ends[:1] * 2)
    assert " ".join(text.get_text() for text in together.findobj(Text)).count("n = 100 images") == 1


def test_a_difference_is_in_points_and_many_methods_are_named_shortly() -> None:
    methods = ("bootstrap over images", "percentile bootstrap over 118 subjects, 2,000 resamples",
               "percentile bootstrap over 2,963 images, 2,000 resamples")  # fmt: skip
    ends = [statistics.Interval(0.5, 0.4, 0.6, 0.95, 100, method) for method in methods]
    figure = plots.comparison(["A", "B", "C"], ends, quantity="Difference of UAR")
    assert figure.axes[0].get_xlabel() == "Difference of UAR in points"
    said = " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())
    assert "(bootstrap over images or bootstrap over persons)" in said


def test_kept_epochs_too_near_for_two_names_share_one() -> None:
    history = pd.DataFrame({"epoch": range(1, 51), "loss": 1.0, "accuracy": 0.5})
    for best, names in ((49, ["best, last"]), (20, ["best", "last"])):
        ax = plots.learning_curves(history, kept={"last": 50, "best": best}).axes[0]
        assert [text.get_text() for text in ax.texts if text.get_rotation() == 90] == names
        assert sum(line.get_linestyle() != "-" and len(set(line.get_xdata())) == 1 for line in ax.lines) == 2
