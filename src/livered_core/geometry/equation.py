"""Equations of an instrument definition (``eq="0.001*value+1"``): a small arithmetic, and nothing else.

The grammar is that of muParser, which Mantid uses, without comparisons, assignments and conditions: + - * / ^
with ^ binding tightest and to the right, so that -2^2 is -4 and 2^-1 is 0.5. Python's own evaluation is not used:
an equation comes from outside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import attrs

from livered_core.errors import GeometryError
from livered_core.geometry.document import quote

MAX_LENGTH = 500
"""Characters; equations of real instruments have less than 50."""

MAX_NESTING = 50
"""Parentheses, signs and powers within each other."""

CONSTANTS: Mapping[str, float] = MappingProxyType({"_pi": math.pi, "_e": math.e})
"""Names that stand for numbers, besides ``value``."""

FUNCTIONS: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "sin": math.sin,
        "cos": math.cos,
        "tan": math.tan,
        "asin": math.asin,
        "acos": math.acos,
        "atan": math.atan,
        "sinh": math.sinh,
        "cosh": math.cosh,
        "tanh": math.tanh,
        "sqrt": math.sqrt,
        "exp": math.exp,
        "ln": math.log,
        "log2": math.log2,
        "log10": math.log10,
        "abs": abs,
    }
)
"""Functions of one number; angles in radians. muParser's ``log`` is left out: its base changed between versions."""

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[-+*/^()]))"
)


def evaluate(equation: str, value: float) -> float:
    """Compute an equation.

    Parameters
    ----------
    equation
        Numbers, ``value``, + - * / ^, parentheses, `CONSTANTS` and `FUNCTIONS`.
    value
        What the name ``value`` stands for.

    Returns
    -------
    float
        Finite.

    Raises
    ------
    GeometryError
        When the equation is not of this grammar, does not contain ``value``, is longer or nested deeper than any
        real one, or has no finite result.
    """
    if len(equation) > MAX_LENGTH:
        message = f"has an equation of {len(equation)} characters: {quote(equation)}."
        raise GeometryError(message)
    tokens = _split(equation)
    if "value" not in tokens:
        message = f"has the equation {quote(equation)}, which must contain the word value."
        raise GeometryError(message)
    parser = _Parser(equation, tokens, value)
    try:
        result = parser.read_sum()
    except (ValueError, OverflowError, ZeroDivisionError):
        raise _no_number(equation, value) from None
    if parser.position < len(tokens):
        raise _not_understood(equation, tokens[parser.position])
    if not math.isfinite(result):
        raise _no_number(equation, value)
    return result


def _split(equation: str) -> list[str]:
    tokens: list[str] = []
    text = equation.rstrip()
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise _not_understood(equation, text[position:].strip()[:1])
        tokens.append(found.group().strip())
        position = found.end()
    return tokens


def _not_understood(equation: str, token: str) -> GeometryError:
    where = f"at {quote(token)}" if token else "at its end"
    return GeometryError(f"has the equation {quote(equation)}, which cannot be understood {where}.")


def _no_number(equation: str, value: float) -> GeometryError:
    return GeometryError(
        f"has the equation {quote(equation)}, which gives no number for the value {value:g}."
    )


@attrs.define
class _Parser:
    equation: str
    tokens: list[str]
    value: float
    position: int = 0
    nesting: int = 0

    def read_sum(self) -> float:
        result = self._read_product()
        while (sign := self._take("+", "-")) is not None:
            operand = self._read_product()
            result = result + operand if sign == "+" else result - operand
        return result

    def _read_product(self) -> float:
        result = self._read_signed()
        while (sign := self._take("*", "/")) is not None:
            operand = self._read_signed()
            result = result * operand if sign == "*" else result / operand
        return result

    def _read_signed(self) -> float:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            message = (
                f"has the equation {quote(self.equation)}, which is nested more than {MAX_NESTING} deep."
            )
            raise GeometryError(message)
        sign = self._take("+", "-")
        if sign is not None:
            result = self._read_signed() if sign == "+" else -self._read_signed()
        else:
            result = self._read_atom()
            if self._take("^") is not None:
                result = math.pow(result, self._read_signed())
        self.nesting -= 1
        return result

    def _read_atom(self) -> float:
        word = self._next()
        if word == "(":
            result = self.read_sum()
            self._close()
            return result
        if word == "value":
            return self.value
        if word in CONSTANTS:
            return CONSTANTS[word]
        if word in FUNCTIONS:
            if self._next() != "(":
                raise _not_understood(self.equation, word)
            result = FUNCTIONS[word](self.read_sum())
            self._close()
            return result
        if not word or not (word[0].isdigit() or word[0] == "."):
            raise _not_understood(self.equation, word)
        return float(word)

    def _close(self) -> None:
        word = self._next()
        if word != ")":
            raise _not_understood(self.equation, word)

    def _next(self) -> str:
        word = self.tokens[self.position] if self.position < len(self.tokens) else ""
        self.position += 1
        return word

    def _take(self, *signs: str) -> str | None:
        if self.position < len(self.tokens) and self.tokens[self.position] in signs:
            self.position += 1
            return self.tokens[self.position - 1]
        return None
