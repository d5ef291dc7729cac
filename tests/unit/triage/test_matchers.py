"""Matchers are read and applied exactly as Alertmanager reads and applies them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model.rule import Matcher, MatcherError, Op
from responder.triage import matchers_classic, matchers_utf8
from responder.triage.matchers import literals, matches, parse

READ = [
    ("", []),
    ("{}", []),
    ("foo=bar", [("foo", "=", "bar")]),
    (' foo = "bar" ', [("foo", "=", "bar")]),
    ('{foo="bar"}', [("foo", "=", "bar")]),
    ('{foo="bar",}', [("foo", "=", "bar")]),
    ("{foo=bar", [("foo", "=", "bar")]),
    ("foo=bar}", [("foo", "=", "bar")]),
    ('foo="bar",bar!="baz"', [("foo", "=", "bar"), ("bar", "!=", "baz")]),
    ('foo=~"a|b" , bar!~"c.*"', [("foo", "=~", "a|b"), ("bar", "!~", "c.*")]),
    ("foo=", [("foo", "=", "")]),
    ('foo=""', [("foo", "=", "")]),
    ('foo="a,b"', [("foo", "=", "a,b")]),
    ("foo=a b", [("foo", "=", "a b")]),
    ("foo==bar", [("foo", "=", "=bar")]),
    ("foo='bar'", [("foo", "=", "'bar'")]),
    ('foo="a=b"', [("foo", "=", "a=b")]),
    ('foo="line\\nfeed"', [("foo", "=", "line\nfeed")]),
    ('foo="a \\"quoted\\" word"', [("foo", "=", 'a "quoted" word')]),
    ('foo="one \\\\ two"', [("foo", "=", "one \\ two")]),
    ('foo="\\d+"', [("foo", "=", "\\d+")]),
    ('foo=~"\\d+"', [("foo", "=~", "\\d+")]),
    ('foo=~"\\\\d+"', [("foo", "=~", "\\d+")]),
    ("foo=a\\", [("foo", "=", "a\\")]),
    # Both parsers accept this one and differ: the classic reading wins, and the bytes stay as they are written.
    ('foo="\\xf0\\x9f\\x99\\x82"', [("foo", "=", "\\xf0\\x9f\\x99\\x82")]),
    ("foo=🙂", [("foo", "=", "🙂")]),
    # From here on only the UTF-8 parser reads them.
    ("🙂=bar", [("🙂", "=", "bar")]),
    ('"foo bar"="baz"', [("foo bar", "=", "baz")]),
    ('{"ä.b"=~"x\\\\.y"}', [("ä.b", "=~", "x\\.y")]),
    ('"a"="\\a\\b\\f\\n\\r\\t\\v\\\\\\""', [("a", "=", '\a\b\f\n\r\t\v\\"')]),
    ('"a"="\\101\\x41\\u0041\\U00000041"', [("a", "=", "AAAA")]),
    ('"a"="\\xf0\\x9f\\x99\\x82"', [("a", "=", "🙂")]),
    ('"a"="b",c=d,', [("a", "=", "b"), ("c", "=", "d")]),
    ('"C:\\\\x"="}"', [("C:\\x", "=", "}")]),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_a_matcher_means_what_alertmanager_reads(text: str, expected: list[tuple[str, str, str]]) -> None:
    """A matcher copied from Alertmanager's configuration means the same here."""
    assert [(m.name, m.op.value, m.value) for m in parse(text)] == expected


_PIECES = st.sampled_from(
    ["a", "_b9", "=", "!=", "=~", "!~", '"', '"x|y"', '"a,b"', ",", " ", "\n", "\\", "{", "}", "🙂"]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_what_is_read_quickly_is_read_right(text: str) -> None:
    """The short way that most matchers of a rule file take reads each as the long way does, or leaves it alone."""
    if found := matchers_classic._usual(text):
        assert found == matchers_classic._spelt(text)


def test_ordinary_matchers_take_the_short_way() -> None:
    """The short way is taken at all."""
    assert matchers_classic._usual('a="b", c=~"d|e",') == (Matcher("a", Op.EQUAL, "b"), Matcher("c", Op.REGEX, "d|e"))


REFUSED = [
    ("foo", 3),
    ("=bar", 0),
    ("foo!bar", 3),
    ('foo="bar', 8),
    ('foo="a"b"', 8),
    ("foo=bar,,baz=1", 8),
    ('foo=~"("', 6),
    ('foo=~"a{1001}"', 6),
    ('foo=~"(?=a)"', 6),
    ('foo=~"\\\\1"', 6),
    ('foo=~"a\\\\C"', 4),
    ('"foo"="\\d"', 7),
    ('"foo"="\\xff"', 7),
    ('"foo"="\\ud800"', 7),
    ('"foo"="\\U00110000"', 7),
    ('"foo"="\\777"', 7),
    ('"foo"="a\nb"', 8),
    ('{"foo"=bar', 10),
    ('"foo"=bar}', 9),
    ('"foo"=bar baz', 10),
    ('"foo"=', 6),
    ('"foo"', 5),
]


@pytest.mark.parametrize(("text", "offset"), REFUSED)
def test_what_alertmanager_refuses_is_refused_with_its_place(text: str, offset: int) -> None:
    """A matcher that cannot be read is reported at the character where reading stopped."""
    with pytest.raises(MatcherError) as caught:
        parse(text)
    assert caught.value.offset in range(max(0, offset - 1), offset + 2)
    assert caught.value.message


def test_the_strict_parser_wants_empty_values_quoted() -> None:
    """The UTF-8 parser keeps Alertmanager's strictness: an empty value is written with quotes."""
    assert matchers_utf8.parse('foo=""') == (Matcher("foo", Op.EQUAL, ""),)
    for text in ("foo=", "foo='bar'", "{foo=bar", "foo=bar}", ",", "foo=bar,,", 'foo="bar', "foo==bar"):
        with pytest.raises(MatcherError):
            matchers_utf8.parse(text)


HOLDS = [
    ('foo=""', {}, True),
    ('foo!=""', {}, False),
    ('foo="bar"', {}, False),
    ('foo!="bar"', {}, True),
    ('foo=~".*"', {}, True),
    ('foo=~".+"', {}, False),
    ('foo!~".+"', {}, True),
    ('foo!~"bar"', {}, True),
    ('foo=~"bar"', {"foo": "bar"}, True),
    ('foo=~"bar"', {"foo": "bars"}, False),
    ('foo=~"bar"', {"foo": "a bar"}, False),
    ('foo=~"bar"', {"foo": "bar\n"}, False),
    ('foo=~"a|bc"', {"foo": "bc"}, True),
    ('foo=~"a|bc"', {"foo": "ac"}, False),
    ('foo=~"a|"', {}, True),
    ('foo=~"(?i)BAR"', {"foo": "bar"}, True),
    ('foo=~"a.b"', {"foo": "a\nb"}, False),
    ('foo=~"(?s)a.b"', {"foo": "a\nb"}, True),
    ('foo=~"[[:alpha:]]+"', {"foo": "abc"}, True),
    ('foo=~"\\\\pL+"', {"foo": "äé"}, True),
    ('foo=~"\\\\d"', {"foo": "٣"}, False),
    ('foo=~"\\\\Q.*\\\\E"', {"foo": ".*"}, True),
    ('foo=~"\\\\Q\\\\C\\\\E"', {"foo": "\\C"}, True),
    ('foo=~"."', {"foo": "\ud800"}, True),
]


@pytest.mark.parametrize(("text", "labels", "expected"), HOLDS)
def test_a_matcher_holds_as_in_alertmanager(text: str, labels: dict[str, str], expected: bool) -> None:
    """An alert matches a rule exactly when Alertmanager would have matched it."""
    [matcher] = parse(text)
    assert matches(matcher, labels) is expected
    if (values := literals(matcher)) is not None:
        assert (labels.get("foo", "") in values) is expected


def test_a_hostile_regex_and_value_take_no_time() -> None:
    """A regex that hangs other engines is answered at once."""
    [matcher] = parse('foo=~"(a+)+$"')
    assert not matches(matcher, {"foo": "a" * 50_000 + "!"})


_NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
_VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(_NAMES, st.sampled_from([Op.EQUAL, Op.NOT_EQUAL]), _VALUES)
def test_a_matcher_survives_being_printed(name: str, op: Op, value: str) -> None:
    """A printed matcher can be pasted back into a rule."""
    matcher = Matcher(name, op, value)
    assert parse(str(matcher)) == (matcher,)


@given(st.text(st.sampled_from(list("ab=!~\"\\{},' \n\t🙂(é")), max_size=20))
def test_reading_ends_in_matchers_or_in_a_matcher_error(text: str) -> None:
    """No text written as a matcher crashes the program."""
    try:
        found = parse(text)
    except MatcherError as error:
        assert 0 <= error.offset <= len(text)  # noqa: PT017
    else:
        assert all(isinstance(matcher, Matcher) for matcher in found)
