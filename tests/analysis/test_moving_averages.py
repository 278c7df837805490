"""Moving averages: the same weights asleep and awake, by nothing but what is stored."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fer_utils import models
from fer_utils.analysis import moving_averages
from fer_utils.data import FaceDataset, augmentation, load


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    return load("synthetic", n_subjects=3)


@pytest.fixture(scope="module")
def network(faces: FaceDataset) -> keras.Model:
    """Fitted for some steps, with averages that have hardly left their start."""
    model = models.build("tiny", batch_norm_momentum=0.999)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(augmentation.prepare(faces.images), faces.labels, batch_size=16, epochs=12, verbose=0)
    return model


def test_shares_fall_from_all_to_nothing() -> None:
    assert moving_averages.SHARES[0] == 1 and moving_averages.SHARES[-1] < 1e-5
    assert (np.diff(moving_averages.SHARES) < 0).all()


def test_a_network_wakes_as_its_start_is_forgotten(network: keras.Model, faces: FaceDataset) -> None:
    trainable = [keras.ops.convert_to_numpy(w) for w in network.trainable_weights]
    values, arrays = moving_averages.by_share(network, faces)
    assert values["n"] == len(faces)
    assert arrays["accuracy"][-1] > max(values["as kept"], arrays["accuracy"][0]) + 0.2
    assert len(arrays["own"]) == len(arrays["moving"]) and (abs(arrays["moving"] - 1) < abs(arrays["own"] - 1)).all()
    after = [keras.ops.convert_to_numpy(w) for w in network.trainable_weights]
    assert all(np.array_equal(a, b) for a, b in zip(trainable, after, strict=True))
    assert all(layer.rate > 0 for layer in network.layers if isinstance(layer, keras.layers.Dropout))
