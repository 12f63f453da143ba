"""Values of parameters: read from a policy, and written into expressions."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pointsman.policy.cel.environment import Program
from pointsman.policy.parameters import Value, bound, inlined, literal, names_in, read
from pointsman.policy.source import Parameter, ParameterType


def parameter(type_: str, **more: object) -> Parameter:
    defaults = {"text": "", "integer": 7, "boolean": False, "list": []}
    return Parameter.model_validate(
        {"type": type_, "default": defaults[type_], "description": "what it is for", **more}
    )


def evaluated(expression: str) -> object:
    return Program(expression, {}).value({}, {})


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**15), 10**15),
    TEXTS,
    st.lists(TEXTS, max_size=5).map(tuple),
)


# literal


@given(VALUES)
@example("'\"\\ \n\r\t\u2028\x00\x7f🙂")
@example(("a", 'b"c', "params.d"))
@example(-1)
def test_a_literal_evaluates_to_the_value(value: str | int | bool | tuple[str, ...]) -> None:
    found = evaluated(literal(value))
    assert found == (list(value) if isinstance(value, tuple) else value)
    assert isinstance(found, bool) == isinstance(value, bool)


@given(st.integers(-(10**15), 10**15))
def test_a_number_can_stand_after_a_minus(number: int) -> None:
    assert evaluated(f"1-{literal(number)}") == 1 - number


# inlined


@given(TEXTS, st.integers(-9, 9), st.lists(TEXTS, max_size=3).map(tuple))
def test_parameters_become_their_values(text: str, number: int, items: tuple[str, ...]) -> None:
    expression = "[params.text == params.again, params.number == params.number, params.text in params.items]"
    values: dict[str, Value] = {"text": text, "again": text, "number": number, "items": items}
    assert evaluated(inlined(expression, values)) == [True, True, text in items]


QUOTED = ['"{}"', "'{}'", '"""{}"""', "'''{}'''", 'r"{}"', "R'{}'", 'r"""{}"""']


@pytest.mark.parametrize("quoted", QUOTED)
@given(inside=st.text("abc .()\n", max_size=10).map(lambda text: f"{text} params.days {text}"))
def test_what_stands_in_quotes_stays(quoted: str, inside: str) -> None:
    text = quoted.format(inside)
    assert inlined(f"{text} == params.days", {"days": 3}) == f"{text} == 3"


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        (r"'it\'s params.days' + params.word", r"""'it\'s params.days' + "w" """.strip()),
        (r'"a\\" + params.word', r'"a\\" + "w"'),
        ('"""say "params.days" """ + params.word', '"""say "params.days" """ + "w"'),
        ("'' + params.word + ''", "'' + \"w\" + ''"),
        ("object.params.days", "object.params.days"),
        ("myparams.days", "myparams.days"),
        ("params.days.size()", "3.size()"),
        ("params.days2", "8"),
        ("[params.days,params.days]", "[3,3]"),
        ("!params.on", "!true"),
        ("size(params.none) == 0", "size([]) == 0"),
        ("params", "params"),
    ],
)
def test_only_whole_parameters_outside_of_quotes_are_replaced(expression: str, want: str) -> None:
    values: dict[str, Value] = {"days": 3, "days2": 8, "word": "w", "on": True, "none": ()}
    assert inlined(expression, values) == want


@given(st.lists(TEXTS, min_size=2, max_size=2))
def test_a_value_that_looks_like_a_parameter_is_not_replaced_again(texts: list[str]) -> None:
    first, second = (f"{text} params.other" for text in texts)
    made = inlined("[params.one, params.other]", {"one": first, "other": second})
    assert evaluated(made) == [first, second]


@given(TEXTS)
def test_a_value_cannot_leave_its_quotes(text: str) -> None:
    made = inlined("params.text == 'x' && false", {"text": f'" || true || "{text}'})
    assert evaluated(made) is False


def test_a_parameter_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="days"):
        inlined("params.days > 3", {})


def test_the_names_of_an_expression_are_those_that_are_replaced() -> None:
    expression = "params.days > 1 && 'params.quoted' != params.word && object.params.field == params.days"
    assert list(names_in(expression)) == ["days", "word", "days"]


# read


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_a_whole_number_is_read_from_its_digits_or_as_a_number(number: int) -> None:
    assert read(parameter("integer"), str(number)) == number
    assert read(parameter("integer"), number) == number


@pytest.mark.parametrize("given_", ["", "a", "1.5", "1e3", "0x10", "1_000", "٣", "true", "1" * 16, "+1"])
def test_what_is_no_whole_number_is_refused(given_: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        read(parameter("integer"), given_)


@given(st.integers(-100, 100))
def test_bounds_of_a_number_count(number: int) -> None:
    bounded = parameter("integer", minimum=-10, maximum=10)
    if -10 <= number <= 10:
        assert read(bounded, number) == number
    else:
        with pytest.raises(ValueError, match="at least -10" if number < 0 else "at most 10"):
            read(bounded, number)


@pytest.mark.parametrize(("given_", "want"), [("true", True), ("false", False), (" true ", True)])
def test_a_truth_is_one_of_two_words(given_: str, want: bool) -> None:
    assert read(parameter("boolean"), given_) is want


@pytest.mark.parametrize("given_", ["True", "yes", "1", 1, "", "truefalse"])
def test_other_words_are_no_truth(given_: object) -> None:
    with pytest.raises(ValueError, match='"true" or "false"'):
        read(parameter("boolean"), given_)


ITEMS = st.lists(st.text("abz-09", min_size=1, max_size=8), max_size=5)


@given(ITEMS, st.sampled_from([",", ", ", " , ", ",,"]))
def test_a_list_is_texts_with_commas_between_them(items: list[str], comma: str) -> None:
    assert read(parameter("list"), comma.join(items)) == tuple(items)


def test_nothing_is_an_empty_list() -> None:
    assert read(parameter("list"), " ") == ()


def test_each_item_matches_the_pattern_as_a_whole() -> None:
    regions = parameter("list", pattern="[a-z]+-[0-9]")
    assert read(regions, "eu-1, us-2") == ("eu-1", "us-2")
    with pytest.raises(ValueError, match="must match"):
        read(regions, "eu-1, us-22")


def test_a_text_matches_the_pattern_as_a_whole() -> None:
    word = parameter("text", pattern="[a-z]+")
    assert read(word, " abc ") == "abc"
    for given_ in ("abc\ndef", "abc1", ""):
        with pytest.raises(ValueError, match="must match"):
            read(word, given_)


@given(TEXTS)
def test_a_text_without_a_pattern_may_be_anything(text: str) -> None:
    assert read(parameter("text"), text) == text.strip()


@given(VALUES)
def test_what_is_read_is_written_as_it_was_meant(value: str | int | bool | tuple[str, ...]) -> None:
    """Whatever a policy states, the expression has either that value or no value."""
    for type_ in ParameterType:
        try:
            found = read(parameter(type_.value), value)
        except ValueError:
            continue
        again = evaluated(literal(found))
        assert again == (list(found) if isinstance(found, tuple) else found)


# bound

PARAMETERS = {
    "days": parameter("integer", minimum=1),
    "regions": parameter("list", default=["eu"], pattern="[a-z]+"),
    "strict": parameter("boolean"),
}


def test_what_is_not_stated_has_its_default() -> None:
    assert bound(PARAMETERS, {}, "spec.packs[0]") == ({"days": 7, "regions": ("eu",), "strict": False}, [])


def test_what_is_stated_replaces_the_default() -> None:
    values, problems = bound(PARAMETERS, {"days": "30", "strict": "true"}, "spec.packs[0]")
    assert (values, problems) == ({"days": 30, "regions": ("eu",), "strict": True}, [])


def test_every_problem_is_named_with_its_field_and_the_default_stays() -> None:
    stated = {"days": "soon", "regions": "EU", "hours": 3}
    values, problems = bound(PARAMETERS, stated, "spec.packs[2]")
    assert values == {"days": 7, "regions": ("eu",), "strict": False}
    assert [problem.where for problem in problems] == [
        "spec.packs[2].parameters.days",
        "spec.packs[2].parameters.regions",
        "spec.packs[2].parameters.hours",
    ]
    assert "days, regions, strict" in str(problems[2])
    assert "what it is for" in str(problems[0])


def test_a_pack_without_parameters_says_so() -> None:
    _, problems = bound({}, {"days": 3}, "spec.packs[0]")
    assert "it has none" in str(problems[0])


@given(st.dictionaries(st.sampled_from([*PARAMETERS, "other"]), st.one_of(TEXTS, st.integers()), max_size=4))
def test_every_parameter_has_a_value_of_its_type_whatever_is_stated(stated: dict[str, str | int]) -> None:
    values, problems = bound(PARAMETERS, stated, "spec")
    assert values.keys() == PARAMETERS.keys()
    assert {name: type(value) for name, value in values.items()} == {
        "days": int,
        "regions": tuple,
        "strict": bool,
    }
    assert len(problems) <= len(stated)
    json.dumps(values)
