"""A runbook becomes a value: what its author wrote, with positions, and nothing invented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from responder.runbooks.document import Document, parse
from responder.runbooks.markdown import InfoString, parse_info

ROOT = Path(__file__).parents[3]
TEXT = """\
# Service down

**Owner**: SRE team (#sre-team)\x20\x20
**Criticality:** Critical
**Last Updated**: 2026-11-23

## Procedure

### One pod

#### Step 1: Count the pods

- in a list:

  ```sh {"name":"pods","tag":"readonly","timeout":"10s"}
  kubectl -n shop get pods
  ```

**Expected output:**

```text {"for":"pods","match":"lines"}
shop-* 1/1 Running (glob)
```

See [the other](other.md#one), then `# no heading`.

#### Step 2: Call the owner

Manual step. See <https://example.org/a_b>.

## Verification

```bash
curl http://shop:8080/health
# a comment, no heading
```

Expected output:

```
UP
```
"""


@pytest.fixture(name="document")
def _document() -> Document:
    return parse("down.md", TEXT)


def test_metadata_has_values_and_positions(document: Document) -> None:
    """The metadata is read in either spelling of bold, with the position of the value."""
    assert document.title == "Service down"
    found = {key: (each.value, each.line, each.column) for key, each in document.metadata.items()}
    assert found == {
        "owner": ("SRE team (#sre-team)", 3, 12),
        "criticality": ("Critical", 4, 18),
        "last_updated": ("2026-11-23", 5, 19),
    }


def test_a_step_has_its_case_command_and_expected_output(document: Document) -> None:
    """A step knows its number, its case, its command with its position, and the output that the runbook expects."""
    first, second = document.steps
    assert (first.number, first.title, first.anchor, first.line) == (1, "Count the pods", "step-1-count-the-pods", 11)
    assert first.case is not None
    assert first.case.title == "One pod"
    assert first.fence is not None
    assert (first.fence.name, first.fence.tag, first.fence.language) == ("pods", "readonly", "sh")
    assert first.fence.content == "kubectl -n shop get pods\n"
    assert (first.fence.line, first.fence.column, first.fence.end_line) == (16, 3, 17)
    assert first.expected is not None
    assert (first.expected.for_name, first.expected.match, first.expected.line) == ("pods", "lines", 22)
    assert first.expected.lines == ("shop-* 1/1 Running (glob)",)
    assert not first.manual
    assert (second.number, second.manual, second.fence, second.expected) == (2, True, None, None)


def test_a_command_without_attributes_has_the_output_below_its_label(document: Document) -> None:
    """The template's plain fences are paired, with the default comparison."""
    command = document.commands[-1]
    assert command.section.title == "Verification"
    assert command.expected is not None
    assert (command.expected.lines, command.expected.match) == (("UP",), "contains")
    assert document.within(document.sections[-1]) == (command,)


def test_sections_end_where_the_next_of_their_level_begins(document: Document) -> None:
    """A section holds its sub-sections, and no comment of a command is a heading."""
    found = [(each.title, each.line, each.end_line) for each in document.sections]
    assert found[0] == ("Service down", 1, len(document.lines))
    assert ("Procedure", 7, 30) in found
    assert ("One pod", 9, 30) in found
    assert document.named("verification") == document.section("verification") is not None
    assert "a comment, no heading" not in document.anchors


def test_links_have_their_target_and_position(document: Document) -> None:
    """A problem of a link can be shown where it is written."""
    found = [(each.target, each.line, each.column) for each in document.links]
    assert found == [("other.md#one", 25, 17), ("https://example.org/a_b", 29, 19)]
    twice = parse(
        "x.md", "# T\n[a](x.md) and [b](x.md)\n![i](p%20q.png) [r][r] https://e.org/x, <a href='y.md'>\n\n[r]: z.md\n"
    )
    assert [(each.target, each.line, each.column) for each in twice.links] == [
        ("x.md", 2, 5),
        ("x.md", 2, 19),
        ("p%20q.png", 3, 6),
        ("z.md", 5, 6),
        ("https://e.org/x", 3, 24),
        ("y.md", 3, 50),
    ]


def test_front_matter_is_metadata_and_no_heading() -> None:
    """The pages of a static site generator have a title and no invented section."""
    document = parse("x.md", '---\ntitle: "Kube API Down"\nweight: 20\n---\n\n# KubeAPIDown\n')
    assert [each.title for each in document.sections] == ["KubeAPIDown"]
    assert document.sections[0].line == 6
    assert (document.metadata["title"].value, document.metadata["title"].line) == ("Kube API Down", 2)


def test_a_changed_command_has_another_hash() -> None:
    """Reviewed content can be told from changed content."""
    before, after = parse("x.md", TEXT), parse("x.md", TEXT.replace("get pods", "get  pods"))
    assert before.sha256 != after.sha256
    assert before.commands[0].fence.sha256 != after.commands[0].fence.sha256
    assert before.commands[1].fence.sha256 == after.commands[1].fence.sha256


@pytest.mark.parametrize(
    "text", ["", "\n", "```sh", "```sh {", "#", "---\n", "[", "\x00", "\u2028# a", "* " * 200 + "a"]
)
def test_any_text_is_a_document(text: str) -> None:
    """Reading never fails on what a person may have written."""
    assert parse("x.md", text).path == "x.md"


@pytest.mark.parametrize("path", sorted((ROOT / "runbooks").glob("*.md")), ids=lambda path: path.stem)
def test_nothing_of_the_shipped_runbooks_is_lost(path: Path) -> None:
    """Each heading of a step and each tagged fence of the shipped runbooks is found."""
    text = re.sub(r"^(`{4,}).*?^\1$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    document = parse(path.name, path.read_text())
    assert len(document.steps) == len(re.findall(r"^#+ Step \d+", text, re.MULTILINE))
    tagged = [each for each in document.commands if each.fence.tag]
    assert len(tagged) == len(re.findall(r'^```sh \{.*"tag"', text, re.MULTILINE))
    assert all(each.expected for each in tagged if path.name != "README.md")


INFO = [
    ("", InfoString()),
    ("bash", InfoString("bash")),
    ("SH title=x", InfoString("sh")),
    ('sh {"name":"a b","n":3,"t":true}', InfoString("sh", {"name": "a b", "n": "3", "t": "true"})),
    ('sh{"name":"a"}', InfoString("sh", {"name": "a"})),
    ('{"name":"a"}', InfoString("", {"name": "a"})),
    ("sh { name=a tag=readonly }", InfoString("sh", {"name": "a", "tag": "readonly"})),
    ('sh { name="a" }', InfoString("sh", {"name": '"a"'})),
]


@pytest.mark.parametrize(("info", "expected"), INFO)
def test_attributes_are_read_in_both_forms(info: str, expected: InfoString) -> None:
    """Fences written for Runme are read as Runme reads them."""
    assert parse_info(info) == expected


@pytest.mark.parametrize(
    "info",
    [
        'sh {"name":"a"',
        'sh {"name":"a","name":"b"}',
        "sh {a=1 a=2}",
        'sh {"name":["a"]}',
        'sh {"name":null}',
        "sh {name}",
        "sh {}}",
        "sh {a=}",
        'sh {"a":' + "[" * 100_000,
    ],
)
def test_malformed_attributes_are_kept_with_their_problem(info: str) -> None:
    """An attribute that cannot be read for certain is never taken for a tag."""
    found = parse_info(info)
    assert found.problem
    assert found.attributes == {}
    assert found.language == "sh"
