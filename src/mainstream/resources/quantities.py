"""Kubernetes quantities: ``"500m"`` cores, ``1Gi`` bytes."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from mainstream.documents import number_text

_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def _split(value: object) -> tuple[Decimal, str]:
    text = str(value).strip() if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    digits = text.rstrip("kmMGTi")
    try:
        return Decimal(digits), text[len(digits) :]
    except InvalidOperation:
        raise ValueError(f'expected a quantity such as "2", "500m" or "1Gi", got {value!r}') from None


def _cores(value: object) -> float:
    number, suffix = _split(value)
    if suffix not in ("", "m"):
        raise ValueError(f'expected cores such as "2" or "500m", got {value!r}')
    return float(number / 1000 if suffix == "m" else number)


def _bytes(value: object) -> int:
    number, suffix = _split(value)
    if suffix not in _SUFFIXES:
        raise ValueError(f'expected bytes such as "512Mi" or "1Gi", got {value!r}')
    return int(number * _SUFFIXES[suffix])


Cores = Annotated[float, BeforeValidator(_cores), PlainSerializer(number_text, return_type=str), Field(gt=0, le=1024)]
"""CPU cores."""

MemoryBytes = Annotated[int, BeforeValidator(_bytes), PlainSerializer(str, return_type=str), Field(gt=0)]
"""Memory in bytes."""
