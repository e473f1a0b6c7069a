"""Money as people write it. Coin and tokens both have 18 decimals; inside, they are integers of the smallest unit."""

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from protocol.errors import FormatError

DECIMALS = 18
# Has the digits of 2^256, the largest amount there is, and rounds nothing away in silence.
_EXACT = Context(prec=78, traps=[InvalidOperation, Overflow, Inexact])


def parse_amount(text: str) -> int:
    """Read a positive decimal number of coin or tokens, in base units.

    Raises `FormatError` if it is none, or has more than 18 decimals.

    >>> parse_amount("2.5")
    2500000000000000000
    """
    try:
        units = Decimal(text).scaleb(DECIMALS, _EXACT)
    except ArithmeticError:
        raise FormatError(f"{text!r} is not an amount: give a positive decimal number, such as 2.5") from None
    if not units.is_finite() or not 0 < units < 1 << 256:
        raise FormatError(f"{text!r} is not a positive amount: give one above zero")
    if units != units.to_integral_value():
        raise FormatError(f"{text!r} has more than {DECIMALS} decimals: give fewer")
    return int(units)


def show_amount(units: int) -> str:
    """Base units as a decimal number, exactly.

    >>> show_amount(2_500_000_000_000_000_000), show_amount(3 * 10**18), show_amount(0)
    ('2.5', '3', '0')
    """
    whole, part = divmod(units, 10**DECIMALS)
    return f"{whole}.{part:0{DECIMALS}}".rstrip("0").rstrip(".")
