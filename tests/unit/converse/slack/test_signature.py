"""The signature of Slack's requests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from responder.converse.slack.payloads import signature_problem
from responder.model.secret import Secret
from tests.support.builders import NOW
from tests.support.slack_payloads import signed

SECRETS = (Secret("new"), Secret("old"))
BODY = b"payload=%7B%22a%22%3A1%7D"


@pytest.mark.parametrize("secret", ["new", "old"])
def test_any_of_several_secrets_signs(secret: str) -> None:
    """A secret can be replaced without a gap."""
    assert signature_problem(SECRETS, signed(BODY, secret, NOW), BODY, NOW) == ""


@pytest.mark.parametrize("age", [301, -301])
def test_an_old_or_future_request_is_refused(age: int) -> None:
    """A request that was recorded cannot be sent again later."""
    headers = signed(BODY, "new", NOW - timedelta(seconds=age))
    assert "300 s" in signature_problem(SECRETS, headers, BODY, NOW)


def test_a_changed_body_is_refused() -> None:
    """One byte of difference breaks the signature."""
    assert "does not match" in signature_problem(SECRETS, signed(BODY, "new", NOW), BODY + b" ", NOW)


@pytest.mark.parametrize("stamp", ["", "x", "1e9", "١٢٣", "-5", "9" * 40])
def test_a_timestamp_that_is_no_number_is_refused(stamp: str) -> None:
    """No header makes the check raise."""
    headers = {**signed(BODY, "new", NOW), "X-Slack-Request-Timestamp": stamp}
    assert signature_problem(SECRETS, headers, BODY, NOW)


@pytest.mark.parametrize("signature", ["", "v0=", "v0=ü", "v1=00"])
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    """No signature makes the check raise, and none without a secret is right."""
    headers = {**signed(BODY, "new", NOW), "X-Slack-Signature": signature}
    assert signature_problem(SECRETS, headers, BODY, NOW)
    assert signature_problem((), signed(BODY, "", NOW), BODY, NOW)
