"""Weights averaged over training steps: scored and kept in place of the weights that training goes on from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np


def postpone(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Have `fit` leave the weights as they are: Keras ends each with the averages in their place, and so each epoch."""
    optimizer.finalize_variable_values = lambda variables: None
    return optimizer


@contextmanager
def in_place(model: keras.Model) -> Iterator[None]:
    """Inside, the network has its optimizer's moving averages for weights, if it keeps them; afterwards its own again.

    Batch normalisation's moving averages are no weights and stay what they are.
    """
    variables = model.trainable_variables if model.optimizer.use_ema else []
    own = _copies(variables)
    if variables:
        keras.optimizers.Optimizer.finalize_variable_values(model.optimizer, variables)
        for variable, value in zip(variables, _copies(variables), strict=True):
            variable.assign(value)  # on JAX it would share the memory of the average, which the next step gives away
    try:
        yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            variable.assign(value)


def _copies(variables: list[keras.Variable]) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
