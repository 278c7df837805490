"""The study's figures: one function makes and returns one figure, in one style.

Figures are made without pyplot's global state, so a notebook shows each once, as the value of its cell, under
any Matplotlib backend: lines and bars as SVG, images as PNG, both with an alternative text (`described`). Every
function takes `caption`, a sentence that goes below the figure, and `profile`: figures of the quick profile say
that their numbers mean nothing.

Every picture of faces goes through `faces` (class means through `mean_faces`), which withholds the faces of
people unless it is told that the figure stays on the user's own machine (`published=False`).
"""

from fer_utils.data.publishing import CKPLUS_NOTICE, PUBLISHABLE_CKPLUS_SUBJECTS, may_publish
from fer_utils.plots.architecture import network_chain, separable_convolution
from fer_utils.plots.curves import comparison, learning_curves, roc_curves
from fer_utils.plots.data import (
    class_distribution,
    pixel_distribution,
    pixel_distribution_by_class,
    split_distribution,
)
from fer_utils.plots.demo import risk_coverage, timeline
from fer_utils.plots.display import described
from fer_utils.plots.explain import cascade, class_maps
from fer_utils.plots.gallery import faces, scenes
from fer_utils.plots.growth import growth
from fer_utils.plots.matrices import (
    confusion_matrices,
    confusion_matrix,
    heatmap,
    report_heatmap,
)
from fer_utils.plots.reports import claims
from fer_utils.plots.sheets import augmentation_sheet, mean_faces, predictions_grid, sample_grid
from fer_utils.plots.shortcuts import error_budget, forest, simulated
from fer_utils.plots.stress import reliability, stress_curves
from fer_utils.plots.style import EXPRESSION_COLOURS, colours, finish, new_figure, note, stamp, use_style
from fer_utils.plots.training import moving_averages, schedules, watched_curves
from fer_utils.plots.transfer import starts
from fer_utils.plots.tuning import marginal_effects, search_progress

__all__ = [
    "CKPLUS_NOTICE",
    "EXPRESSION_COLOURS",
    "PUBLISHABLE_CKPLUS_SUBJECTS",
    "augmentation_sheet",
    "cascade",
    "claims",
    "class_distribution",
    "class_maps",
    "colours",
    "comparison",
    "confusion_matrices",
    "confusion_matrix",
    "described",
    "error_budget",
    "faces",
    "finish",
    "forest",
    "growth",
    "heatmap",
    "learning_curves",
    "marginal_effects",
    "may_publish",
    "mean_faces",
    "moving_averages",
    "network_chain",
    "new_figure",
    "note",
    "pixel_distribution",
    "pixel_distribution_by_class",
    "predictions_grid",
    "reliability",
    "report_heatmap",
    "risk_coverage",
    "roc_curves",
    "sample_grid",
    "scenes",
    "schedules",
    "search_progress",
    "separable_convolution",
    "simulated",
    "split_distribution",
    "stamp",
    "starts",
    "stress_curves",
    "timeline",
    "use_style",
    "watched_curves",
]
