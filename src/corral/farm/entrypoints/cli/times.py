"""How options say how long something takes."""

from datetime import timedelta

import typer


def time_span(text: str, option: str) -> timedelta:
    """Read ``30m``: a number with s, m, h or d."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not (number.isascii() and number.isdecimal()):
        message = f"{text!r} is no time: write a number with s, m, h or d, such as 30m"
        raise typer.BadParameter(message, param_hint=option)
    return timedelta(seconds=int(number) * units[unit])
