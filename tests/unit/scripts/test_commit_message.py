"""The check of commit messages, and the hooks that run it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scripts.commit_message import main, problems

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "message",
    [
        "notify: retry 425\n\nThe server asks for it.\n",
        "outgoing, cli: restore httpx with a deadline-aware backend",
        "Address the review of the store",
        "docs/decisions: split the log\n# Please enter the commit message for your changes.\n",
        'Revert "notify: retry 425"',
        "Merge branch 'main' into a-branch-with-a-name-that-is-so-long-that-the-line-has-more-than-72-characters",
    ],
)
def test_a_plain_imperative_is_accepted(message: str) -> None:
    """A subject in the imperative passes, with or without a scope, and so do the messages that git writes."""
    assert list(problems(message)) == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("notify: retry 425 and every other status that says that the request was too early", "characters"),
        ("notify: retried 425", "'retried' is not an imperative"),
        ("notify: retries 425", "'retries' is not an imperative"),
        ("Fixing the build", "'fixing' is not an imperative"),
        ("The outbox is split", "'the' is not an imperative"),
        ("Recovery was measured twice", "'recovery' is not an imperative"),
        ("notify: retry 425.", "period"),
        ("notify: retry 425\nbecause", "second line"),
        ("\n", "empty"),
        ("", "empty"),
    ],
)
def test_other_subjects_are_refused_with_the_reason(message: str, reason: str) -> None:
    """A subject that is too long or describes a state is refused, and the sentence names what to change."""
    assert [reason in sentence for sentence in problems(message)] == [True]


def test_the_hook_fails_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Git aborts the commit when the hook exits with 1."""
    path = tmp_path / "COMMIT_EDITMSG"
    path.write_text("Fixed it")
    assert main(str(path)) == 1
    assert "'fixed' is not an imperative" in capsys.readouterr().err
    path.write_text("Fix it")
    assert main(str(path)) == 0


def test_every_hook_is_local() -> None:
    """Hooks run the locked tools of the .venv and the scripts of this repository: nothing is downloaded."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        script = hook["entry"].split()[1:2]
        assert hook["entry"].startswith(".venv/bin/")
        assert [name for name in script if name.endswith(".py") and not (ROOT / name).exists()] == []
