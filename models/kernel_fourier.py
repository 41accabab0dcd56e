"""Compiled arithmetic of the kernel machine: random Fourier features and the hinge.

Owns: the draws, which are a function of a stream alone, and every sum over Fourier features.
Never: a library's generator or transcendental function, whose bits change with its version.
Source: Rahimi & Recht (2007) "Random features for large-scale kernel machines";
    Box & Muller (1958) "A note on the generation of random normal deviates";
    Steele et al. (2014) "Fast splittable pseudorandom number generators" (SplitMix);
    Duchi, Hazan & Singer (2011) "Adaptive subgradient methods".
"""

from __future__ import annotations

import math

import numpy as np

from models.compiled import compiled
from models.kernel_hash import avalanche
from models.kernel_math import log_above, sine_and_cosine
from models.kernels_learner import Floats

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
UNIT = 1.0 / 9007199254740992.0  # 2**-53


@compiled
def uniform(stream: np.uint64, number: int) -> float:
    """The draw of that number from a stream: above 0 and up to 1."""
    bits = avalanche(stream + np.uint64(number + 1) * GOLDEN) >> np.uint64(11)
    return float((float(bits) + 1.0) * UNIT)


@compiled
def draw_phases(row: Floats, stream: np.uint64) -> None:
    """Fill a row with the uniform draws of a stream, in turns."""
    for k in range(row.shape[0]):
        row[k] = uniform(stream, k)


@compiled
def draw_frequencies(row: Floats, stream: np.uint64, deviation: float) -> None:
    """Fill a row with the normal draws of a stream, two uniform ones for each."""
    for k in range(row.shape[0]):
        radius = math.sqrt(2.0 * log_above(1.0 / uniform(stream, 2 * k) - 1.0))
        _, cosine = sine_and_cosine(uniform(stream, 2 * k + 1))
        row[k] = deviation * radius * cosine


@compiled
def fourier_features(frequencies: Floats, x: Floats, z: Floats, size: int) -> None:
    """Set z to √(2/D)·cos(2π(F x + phase)) and its last entry, the constant's, to 1.

    `frequencies` has shape (places, D) and counts in turns, `x[0]` is 1; `z` has shape (D + 1,).
    """
    count = frequencies.shape[1]
    for k in range(count):
        z[k] = frequencies[0, k]
    for j in range(1, size):
        value = x[j]
        if value != 0.0:
            row = frequencies[j]
            for k in range(count):
                z[k] += row[k] * value
    scale = math.sqrt(2.0 / count)
    for k in range(count):
        turns = z[k] - np.floor(z[k])
        _, cosine = sine_and_cosine(turns)
        z[k] = scale * cosine
    z[count] = 1.0


@compiled
def margin_of(weights: Floats, z: Floats) -> float:
    """The weighted sum of the features, in index order."""
    total = 0.0
    for k in range(z.shape[0]):
        total += weights[k] * z[k]
    return total


@compiled
def learn_hinge(
    weights: Floats,
    squares: Floats,
    z: Floats,
    margin: float,
    sign: float,
    weight: float,
    learning_rate: float,
) -> None:
    """One step of AdaGrad on ω·max(0, 1 - sign·margin); `sign` is 1 or -1."""
    if sign * margin >= 1.0:
        return
    for k in range(z.shape[0]):
        gradient = weight * z[k]
        squares[k] += gradient * gradient
        if squares[k] > 0.0:  # The square of a tiny gradient is 0, and then it says nothing.
            weights[k] += learning_rate * sign * gradient / math.sqrt(squares[k])
