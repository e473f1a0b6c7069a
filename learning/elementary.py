"""exp and log of float64 tensors with the same bits on every machine.

Library functions differ between versions, processors and vector widths. These use additions, multiplications and divisions of
single numbers alone, each rounded as IEEE 754 wants, and exact scalings by powers of two. They are accurate to about 1e-9, which
is far below the 2^-20 that scores are counted in.
"""

import math

import torch
from torch import Tensor

_LOG2E = 1 / math.log(2)
_LN2_HIGH = float.fromhex("0x1.62E42FEE00000p-1")  # its last 21 bits are zero, so that its product with an exponent is exact
_LN2_LOW = float.fromhex("0x1.A39EF35793C76p-33")
_LEAST = -80.0


def exp(values: Tensor) -> Tensor:
    """e^x for x ≤ 0; anything below −80 is taken for −80. NaN stays NaN.

    Source: Cody and Waite, Software manual for the elementary functions (1980): x = k · ln 2 + r, e^x = 2^k · e^r.
    """
    clipped = values.clamp(min=_LEAST)
    exponents = (clipped * _LOG2E).round()
    rest = clipped - exponents * _LN2_HIGH - exponents * _LN2_LOW
    series = torch.full_like(rest, 1 / math.factorial(8))
    for power in range(7, -1, -1):
        series.mul_(rest).add_(1 / math.factorial(power))
    return series.mul_(_power_of_two(exponents))


def log(values: Tensor) -> Tensor:
    """ln x for positive finite x. NaN stays NaN.

    x = m · 2^e with m about 1, and ln m = 2 · artanh(t) for t = (m − 1) / (m + 1), as a series in t².
    """
    mantissas, exponents = torch.frexp(values)
    small = mantissas < math.sqrt(0.5)
    mantissas = torch.where(small, mantissas * 2, mantissas)
    powers = exponents.double() - small.double()
    t = (mantissas - 1) / (mantissas + 1)
    squared = t * t
    series = torch.full_like(t, 2 / 15)
    for odd in range(13, 0, -2):
        series.mul_(squared).add_(2 / odd)
    return series.mul_(t).add_(powers * math.log(2))


def _power_of_two(exponents: Tensor) -> Tensor:
    whole = exponents.nan_to_num().to(torch.int64)
    return (whole + 1023).bitwise_left_shift(52).view(torch.float64)
