"""What a number that somebody gives may be; raises `Invalid` with the field's pointer."""

from actors.contracts.texts import invalid


def check_integer(value: object, pointer: str, least: int, most: int) -> None:
    """Refuse what is no integer from `least` to `most`; true is none, and 1.0 is none."""
    if not is_integer(value, least, most):
        raise invalid(f"Must be an integer from {least} to {most}", pointer)


def is_integer(value: object, least: int, most: int) -> bool:
    """Whether a value is an integer from `least` to `most`."""
    return type(value) is int and least <= value <= most
