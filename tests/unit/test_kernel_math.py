"""The loop's own powers, logarithms and sines against those of the machine.

Owns: their errors over everything that the loop asks for.
Never: a feature; tests/property/test_features.py compares those.
Source: models/kernel_math.py says how exact each is.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.compiled import compiled
from models.kernel_math import half_power, log_above, sine_and_cosine
from models.plan import F8

RELATIVE = 1e-14
ABSOLUTE = 2e-11


@compiled
def _half_powers(x: F8) -> None:
    for place in range(x.shape[0]):
        x[place] = half_power(x[place])


@compiled
def _logs(x: F8) -> None:
    for place in range(x.shape[0]):
        x[place] = log_above(x[place])


@given(st.floats(-900.0, 1000.0))
def test_half_power(halvings: float) -> None:
    """Within 1e-14 of the power, whatever its size."""
    assert math.isclose(half_power(halvings), math.pow(2.0, -halvings), rel_tol=RELATIVE)


def test_half_power_of_whole_numbers_is_exact() -> None:
    """A counter without a half-life keeps its bits, and one half-life halves."""
    for halvings in range(1001):
        assert half_power(float(halvings)) == math.ldexp(1.0, -halvings)


@given(st.floats(1000.0, 1e300))
def test_half_power_ends(halvings: float) -> None:
    """What is older than a thousand half-lives is nothing in a counter of 32 bits."""
    assert half_power(halvings) == math.ldexp(1.0, -1000)
    assert np.float32(1e30 * half_power(halvings)) == 0.0


@given(st.one_of(st.floats(0.0, 10.0), st.floats(0.0, 1e300)))
def test_log_above(size: float) -> None:
    """Within 2e-11 of the logarithm."""
    assert abs(log_above(size) - math.log1p(size)) <= ABSOLUTE + 1e-15 * math.log1p(size)


def test_log_of_nothing_is_nothing() -> None:
    """A column without a count is 0, not nearly."""
    assert log_above(0.0) == 0.0


@given(st.floats(0.0, 1.0))
def test_sine_and_cosine(turns: float) -> None:
    """Within 2e-11 of both."""
    sine, cosine = sine_and_cosine(turns)
    assert abs(sine - math.sin(math.tau * turns)) <= ABSOLUTE
    assert abs(cosine - math.cos(math.tau * turns)) <= ABSOLUTE


def test_an_array_gives_the_bits_of_its_numbers() -> None:
    """A loop in vector instructions has the bits of one number at a time, at every length."""
    draw = np.random.default_rng(5)
    for length in range(40):
        sizes = np.exp(draw.uniform(-20.0, 25.0, length))
        powers, logs = sizes.copy(), sizes.copy()
        _half_powers(powers)
        _logs(logs)
        assert powers.tolist() == [half_power(size) for size in sizes.tolist()]
        assert logs.tolist() == [log_above(size) for size in sizes.tolist()]
