"""Equations: a small arithmetic that computes as Python does, and runs nothing."""

from __future__ import annotations

import ast
import math
import operator
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.errors import GeometryError
from livered_core.geometry.equation import FUNCTIONS, evaluate


def refusal(equation: str, value: float = 2.0) -> str:
    with pytest.raises(GeometryError) as caught:
        evaluate(equation, value)
    sentence = str(caught.value)
    assert sentence.startswith("has ") and sentence.endswith(".")
    assert sentence.isprintable() and len(sentence) < 500
    return sentence


@pytest.mark.parametrize(
    ("equation", "value", "expected"),
    [
        ("value", 3.0, 3.0),
        ("0.001*value+1", 500.0, 1.5),
        ("-0.001*value-3.340", 1000.0, -4.34),
        ("(value+201.0)/1000.", 99.0, 0.3),
        ("2.5*sin(value*0.017453292519943)", 30.0, 1.25),
        ("1+2*value", 3.0, 7.0),
        ("10-value-3", 4.0, 3.0),
        ("16/value/4", 2.0, 2.0),
        ("12/value*3", 2.0, 18.0),
        ("2*value^2", 3.0, 18.0),
        ("-value^2", 2.0, -4.0),
        ("(-value)^2", 2.0, 4.0),
        ("0*value-2^2", 0.0, -4.0),
        ("value^-1", 2.0, 0.5),
        ("value^3^2", 2.0, 512.0),
        ("(value^3)^2", 2.0, 64.0),
        ("2^-value^2", 2.0, 0.0625),
        ("--value", 3.0, 3.0),
        ("2*-value", 3.0, -6.0),
        ("+value - -1", 3.0, 4.0),
        ("  value\t+\n1 ", 1.0, 2.0),
        ("1e3*value+1.5E-1+.5+2.", 1.0, 1002.65),
        ("_pi*value", 2.0, 2 * math.pi),
        ("ln(_e^value)", 2.0, 2.0),
        ("log2(value)+log10(100)", 8.0, 5.0),
        ("abs(value)*sqrt(abs(-4))", -3.0, 6.0),
        ("atan(tan(value))", 0.5, 0.5),
    ],
)
def test_equations(equation, value, expected):
    assert evaluate(equation, value) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_the_mathematics_library(name):
    expected = getattr(math, {"ln": "log", "abs": "fabs"}.get(name, name))(0.375)
    assert evaluate(f"{name}(value)", 0.375) == expected


OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def compute(node: ast.AST, value: float) -> float:
    """Value of an expression as Python's own parser reads it."""
    match node:
        case ast.Expression(body):
            return compute(body, value)
        case ast.BinOp(left, operation, right):
            return OPERATORS[type(operation)](compute(left, value), compute(right, value))
        case ast.UnaryOp(operation, operand):
            return OPERATORS[type(operation)](compute(operand, value))
        case ast.Call(ast.Name(name), [argument]):
            return FUNCTIONS[name](compute(argument, value))
        case ast.Constant(number):
            return float(number)
        case ast.Name("value"):
            return value
    raise AssertionError(ast.dump(node))


NUMBERS = st.floats(0, 100).map(lambda x: repr(round(x, 3)))
EXPRESSIONS = st.recursive(
    st.sampled_from(["value", "2", "0.5"]) | NUMBERS,
    lambda inner: (
        # Written behind each other without parentheses: what binds first is the parser's to know.
        st.tuples(inner, st.sampled_from("+-*/^"), inner).map("".join)
        | st.tuples(inner, st.sampled_from([" + ", " - ", "*"]), inner).map("".join)
        | inner.map("({})".format)
        | inner.map("-{}".format)
        | inner.map("+{}".format)
        | st.tuples(st.sampled_from(["sqrt", "abs", "sin"]), inner).map(lambda pair: f"{pair[0]}({pair[1]})")
    ),
    max_leaves=12,
)


@given(EXPRESSIONS, st.floats(-1e3, 1e3))
def test_expressions_are_what_python_takes_them_for(expression, value):
    expression = f"{expression}+0*value"
    tree = ast.parse(expression.replace("^", "**"), mode="eval")
    try:
        expected = compute(tree, value)
    except (ValueError, OverflowError, ZeroDivisionError):
        expected = math.nan
    if math.isfinite(expected):
        assert evaluate(expression, value) == expected
    else:
        assert "gives no number" in refusal(expression, value)


@pytest.mark.parametrize(
    "equation",
    [
        "__import__('os').getcwd()+value",
        "open(value)",
        "eval(value)",
        "value.real",
        "value.__class__",
        "value[0]",
        "value,1",
        "sin(value,1)",
        "value(1)",
        "2(value)",
        "2 value",
        "value value",
        "value if value else 1",
        "lambda: value",
        "value:=1",
        "value=1",
        "value==1",
        "value<1",
        "value?1:2",
        "value**2",
        "value//2",
        "value%2",
        "value@value",
        "value;1",
        "value#",
        "'value'+value",
        "0x10+value",
        "1_0+value",
        "1j+value",
        "value\0",
        "value+\u0661",
        "value+inf",
        "value+nan",
        "value+pi",
        "log(value)",
        "sin value",
        "sin+value",
        "VALUE+value",
    ],
)
def test_nothing_else_is_understood(equation):
    assert "cannot be understood at" in refusal(equation)


@pytest.mark.parametrize(
    "equation", ["value+", "(value", "value*(1", "sin(value", "value^", "value-", "-value/"]
)
def test_an_equation_cut_short(equation):
    assert refusal(equation).endswith("which cannot be understood at its end.")


@pytest.mark.parametrize(
    ("equation", "where"), [("value)", "')'"), ("value+*2", "'*'"), ("value $ 1", "'$'"), ("()+value", "')'")]
)
def test_the_place_is_named(equation, where):
    assert refusal(equation).endswith(
        f"has the equation {equation!r}, which cannot be understood at {where}."
    )


@pytest.mark.parametrize("equation", ["", "1", "sin(2)", "values", "xvalue"])
def test_an_equation_is_of_the_value(equation):
    assert "must contain the word value" in refusal(equation)


@pytest.mark.parametrize(
    ("equation", "value"),
    [
        ("1/value", 0.0),
        ("1/value+1", 0.0),
        ("sqrt(value)", -1.0),
        ("sqrt(value)*2", -1.0),
        ("ln(value)", 0.0),
        ("value^0.5", -4.0),
        ("asin(value)", 2.0),
        ("exp(value)", 1e3),
        ("9^9^value", 9.0),
        ("1e308*value", 10.0),
        ("1e999+value", 1.0),
        ("value-value", math.inf),
        ("value", math.nan),
    ],
)
def test_no_number_comes_out(equation, value):
    assert refusal(equation, value).endswith(f"which gives no number for the value {value:g}.")


@pytest.mark.parametrize("size", [501, 10**6])
@pytest.mark.parametrize("piece", ["1+", "(", "-", "2^", "sin(", "9", " ", "\x1b"])
def test_long_ones_are_refused_at_once(piece, size):
    start = time.perf_counter()
    assert "characters" in refusal((piece * size)[:size] + "value")
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("head", ["(", "-", "2^", "sin(", "2*(-", "(((2^"])
def test_deep_ones_are_refused(head):
    deep = head * (490 // len(head))
    assert "nested more than 50 deep" in refusal(f"{deep}value{')' * deep.count('(')}"[:500])


def test_long_and_flat_ones_are_computed():
    assert evaluate("+".join(["value"] * 83), 1.0) == 83.0
    assert evaluate("*".join(["(value)"] * 60), 1.0) == 1.0
    assert evaluate("(" * 40 + "value" + ")" * 40, 1.0) == 1.0


@given(st.text(st.sampled_from("value0123456789.eE+-*/^() sinqrtlg_,\u00b2\x1b"), max_size=40), st.floats())
def test_any_text_gives_a_number_or_a_sentence(text, value):
    try:
        assert math.isfinite(evaluate(text, value))
    except GeometryError as error:
        assert str(error).startswith("has ") and str(error).isprintable()
