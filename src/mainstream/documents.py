"""What all of Mainstream's documents share: field names, exact numbers, canonical bytes, messages.

A document is what crosses a border: a manifest, a package's config, a profile, a schedule. Rules:

* field names are camelCase outside and snake_case inside; an unknown field is an error;
* a number that is not an integer is a decimal string (``"0.81"``), a rate an exact fraction (``"5"``, ``"30000/1001"``);
* canonical bytes are RFC 8785 (sorted keys, no space, UTF-8); without floats that is all it asks for.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from mainstream.errors import InputError

NOT_SHOWN = "not_shown"
"""The type of a validation error whose value must not be repeated."""
_FAULTS_TOLD = 100
"""More faults than this are counted only: nobody reads them, and a hostile document can have millions."""


def number_text(value: float) -> str:
    """The shortest decimal string that reads back as ``value``, never with an exponent."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def fraction_text(value: Fraction) -> str:
    """``"5"`` or ``"30000/1001"``."""
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def _number(value: object) -> object:
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValueError(f'expected a decimal number such as "0.5", got {value!r}') from None
        if not math.isfinite(float(number)):
            raise ValueError(f"expected a finite number, got {value!r}")
        return float(number)
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"expected a finite number, got {value!r}")
    return value


def _fraction(value: object) -> object:
    if isinstance(value, Fraction):
        return value
    if isinstance(value, float):
        raise ValueError(f'expected an exact number: write it in quotes, "{value:g}"')
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f'expected an integer or a string such as "12.5" or "30000/1001", got {value!r}')
    try:
        # Without the exponent that Fraction would take: a few digits of it make a number of gigabytes.
        return Fraction(value.lower().replace("e", "?") if isinstance(value, str) else value)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f'expected a number such as 15, "12.5" or "30000/1001", got {value!r}') from None


Number = Annotated[float, BeforeValidator(_number), PlainSerializer(number_text, return_type=str)]
"""A finite number, written as a decimal string."""

Rate = Annotated[Fraction, BeforeValidator(_fraction), PlainSerializer(fraction_text, return_type=str)]
"""An exact fraction: frames per second, seconds."""

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""``sha256:`` and 64 hexadecimal digits."""


class Document(BaseModel):
    """A frozen document; see the module's rules."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, arbitrary_types_allowed=True
    )

    def plain(self) -> dict[str, Any]:
        """The document as plain values with its outside names; fields that are absent stay absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def canonical(self) -> bytes:
        """The document's canonical bytes (RFC 8785)."""
        return canonical_json(self.plain())

    @classmethod
    def parse(cls, data: bytes | str, *, where: object) -> Self:
        """Read a document from JSON; ``InputError`` names ``where``, the field and the value."""
        try:
            plain = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not readable as JSON: {error}", where=where) from None
        return cls.from_plain(plain, where=where)

    @classmethod
    def from_plain(cls, plain: object, *, where: object) -> Self:
        """Read a document from plain values; ``InputError`` names ``where``, the field and the value."""
        try:
            return cls.model_validate(plain)
        except ValidationError as error:
            raise InputError(validation_text(error), where=where) from None


def validation_text(error: ValidationError) -> str:
    """What is wrong with a document, a clause per field: the field's path, the message, the value."""
    if error.error_count() > _FAULTS_TOLD:
        return f"{error.error_count()} fields are wrong"
    clauses = []
    for item in error.errors(include_url=False):
        path = ".".join(str(part) for part in item["loc"]) or "document"
        message = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown field"
        elif item["type"] == "missing":
            message = "required field is missing"
        elif item["type"] == NOT_SHOWN:
            pass
        elif not isinstance(item["input"], Mapping | list | tuple) and repr(item["input"]) not in message:
            message = f"{message}, got {item['input']!r}"
        clauses.append(f"{path}: {message}")
    return "; ".join(clauses)


def canonical_json(plain: object) -> bytes:
    """RFC 8785 bytes of plain values without floats (``ValueError`` if there is one)."""
    _refuse_floats(plain)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _refuse_floats(plain: object) -> None:
    if isinstance(plain, float):
        raise ValueError(f"A canonical document holds no floats, got {plain!r}: write a decimal string")
    if isinstance(plain, Mapping):
        for value in plain.values():
            _refuse_floats(value)
    elif isinstance(plain, list | tuple):
        for value in plain:
            _refuse_floats(value)


def sha256(data: bytes) -> str:
    """``sha256:<hex>`` of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
