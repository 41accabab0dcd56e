"""Powers, logarithms and sines of the compiled loop, in nothing but plain arithmetic.

Owns: 2**-t to fourteen digits; log(1 + y), sine and cosine to ten decimals.
Never: the library of the machine, whose last bits change with its version and processor; a branch
    or a table, so that a loop over an array is turned into vector instructions: every lane does
    the same IEEE 754 operations as a single number would, so no bit depends on the width.
Source: Muller et al. (2018), Handbook of Floating-Point Arithmetic, §10; the series of Taylor.
"""

from __future__ import annotations

import math

import numpy as np

from models.compiled import compiled

LOG_2 = math.log(2.0)
QUARTER_TURN = 0.5 * math.pi
# Added to a small number, this one leaves no room for a fraction: what is rounded to the nearest
# whole number stands in the last bits.
WHOLE = 6755399441055744.0  # 1.5 * 2**52
EXPONENT_BITS = np.uint64(52)
ONE_BITS = np.uint64(0x3FF0000000000000)
ROOT_HALF_BITS = np.uint64(0x3FE6A09E667F3BCD)
COUNT_BITS = np.uint64(0x4330000000000000)  # Of 2**52, whose last bits count in ones.
COUNT = 4503599627370496.0
HALVINGS_MAX = 1000.0


@compiled
def half_power(halvings: float) -> float:
    """`2 ** -halvings`, of a number that is not below -1000; relative error 1e-14.

    `2 ** -t = 2 ** -n * e ** ((n - t) log 2)` with n the nearest whole number; the series of the
    exponential to the eleventh power errs by less than `(log 2 / 2) ** 12 / 12!`.
    """
    t = min(halvings, HALVINGS_MAX)
    shifted = t + WHOLE
    f = ((shifted - WHOLE) - t) * LOG_2
    end = 1 / 40320 + f * (1 / 362880 + f * (1 / 3628800 + f * (1 / 39916800)))
    middle = 1 / 24 + f * (1 / 120 + f * (1 / 720 + f * (1 / 5040 + f * end)))
    power = 1.0 + f * (1.0 + f * (1 / 2 + f * (1 / 6 + f * middle)))
    scale = ONE_BITS - (np.float64(shifted).view(np.uint64) << EXPONENT_BITS)
    return float(power * np.uint64(scale).view(np.float64))


@compiled
def log_above(size: float) -> float:
    """`log(1 + size)` of a size that is not negative; absolute error 2e-11.

    `1 + size = 2 ** e * m` with m between the roots of 1/2 and 2, and `log m = 2 artanh s` with
    `s = (m - 1) / (m + 1)`; cut after the eleventh power, the series errs by `2/13 * 0.172 ** 13`.
    """
    bits = np.float64(1.0 + size).view(np.uint64)
    exponent = (bits - ROOT_HALF_BITS) >> EXPONENT_BITS
    e = np.uint64(exponent | COUNT_BITS).view(np.float64) - COUNT
    m = np.uint64(bits - (exponent << EXPONENT_BITS)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = 2.0 + z * (2 / 3 + z * (2 / 5 + z * (2 / 7 + z * (2 / 9 + z * (2 / 11)))))
    return float(e * LOG_2 + s * series)


@compiled
def sine_and_cosine(turns: float) -> tuple[float, float]:
    """Sine and cosine of a part of a full turn, 0 to 1; absolute error 1e-11.

    The series of Taylor within an eighth of a turn about the nearest quarter.
    """
    quarter = np.rint(4.0 * turns)
    f = (4.0 * turns - quarter) * QUARTER_TURN
    z = f * f
    sine = 1 / 120 + z * (-1 / 5040 + z * (1 / 362880 + z * (-1 / 39916800)))
    sine = f * (1.0 + z * (-1 / 6 + z * sine))
    cosine = -1 / 720 + z * (1 / 40320 + z * (-1 / 3628800 + z * (1 / 479001600)))
    cosine = 1.0 + z * (-1 / 2 + z * (1 / 24 + z * cosine))
    which = int(quarter)
    odd = (which & 1) != 0
    up = cosine if odd else sine
    along = sine if odd else cosine
    return -up if (which & 2) != 0 else up, -along if ((which + 1) & 2) != 0 else along
