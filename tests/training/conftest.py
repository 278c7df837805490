"""What tests of trainings share."""

from __future__ import annotations

import pytest
from trainings import FACES

from fer_utils.data import FaceDataset, load


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    """Fifty-six drawn faces, one of each of eight persons' seven expressions."""
    return load("synthetic", **FACES)
