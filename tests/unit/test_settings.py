"""Settings: read once, every problem at once, no secret shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from responder.model.secret import scrub
from responder.notify.channels.smtp import addresses
from responder.settings import InvalidSettings, Settings, read, unknown_variables


def test_defaults_are_safe_and_complete() -> None:
    """Without any variable everything has a value, and it listens on loopback."""
    settings = read({})
    assert settings.listen == "127.0.0.1:8080"
    assert settings.secrets() == ()


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    """A mounted secret works as it is, trailing newline and all."""
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    settings = read({"RESPONDER_WEBHOOK_TOKEN_FILE": str(path)})
    assert settings.webhook_token.reveal() == "s3cret"
    assert [secret.reveal() for secret in settings.secrets()] == ["s3cret"]


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    """A secret that was mounted empty stops the start."""
    path = tmp_path / "key"
    path.write_text("\n")
    with pytest.raises(InvalidSettings) as caught:
        read({"RESPONDER_PAGERDUTY_ROUTING_KEY_FILE": str(path)})
    (problem,) = caught.value.problems
    assert problem.endswith(f"cannot be read from RESPONDER_PAGERDUTY_ROUTING_KEY_FILE={path}: the file is empty")


@pytest.mark.parametrize("port", ["0", "99999", "http"])
def test_a_port_is_one(port: str) -> None:
    """A slip in a port is said before anything starts."""
    with pytest.raises(InvalidSettings) as caught:
        read({"RESPONDER_LISTEN": f"127.0.0.1:{port}", "RESPONDER_SMTP_PORT": port})
    assert [problem.split()[0] for problem in caught.value.problems] == ["RESPONDER_LISTEN", "RESPONDER_SMTP_PORT"]


def test_no_secret_is_shown() -> None:
    """Listing the settings, or printing them by accident, shows no key."""
    settings = read({"RESPONDER_PAGERDUTY_ROUTING_KEY": "R0UT1NG", "RESPONDER_SLACK_BOT_TOKEN": "xoxb-1"})
    shown = f"{settings!r} {settings} {list(settings.rows())}"
    assert "R0UT1NG" not in shown
    assert "xoxb-1" not in shown
    assert ("RESPONDER_PAGERDUTY_ROUTING_KEY", "***") in [row[:2] for row in settings.rows()]


def test_a_password_in_an_address_is_not_shown_either() -> None:
    """Passwords for Prometheus and Alertmanager are in neither the list of settings nor the logs."""
    settings = read(
        {
            "RESPONDER_PROMETHEUS_URL": "http://reader:first@prometheus:9090",
            "RESPONDER_ALERTMANAGER_URL": "prod=http://am:second@am-0:9093 http://am:third@am-1:9093",
        }
    )
    shown = {name: value for name, value, _ in settings.rows()}
    assert shown["RESPONDER_PROMETHEUS_URL"] == "http://reader:***@prometheus:9090"
    assert shown["RESPONDER_ALERTMANAGER_URL"] == "prod=http://am:***@am-0:9093 http://am:***@am-1:9093"
    assert scrub("first second third", settings.secrets()) == "*** *** ***"


def test_nothing_of_an_address_is_shown_that_may_be_a_token() -> None:
    """A token as the user of a web address, or in its query, is as secret as a password."""
    settings = read(
        {
            "RESPONDER_PROMETHEUS_URL": "https://t0ken-of-ours@prometheus:9090/x?tenant=plato&auth=s3cond#top",
            "RESPONDER_PUBLIC_URL": "https://responder.example.com:8080/path/@here",
            "RESPONDER_SLACK_API_URL": "https://proxy.example.com/?third=t#ird",
        }
    )
    shown = {name: value for name, value, _ in settings.rows()}
    assert shown["RESPONDER_PROMETHEUS_URL"] == "https://***@prometheus:9090/x?tenant=***&auth=***#top"
    assert shown["RESPONDER_PUBLIC_URL"] == "https://responder.example.com:8080/path/@here"
    assert shown["RESPONDER_SLACK_API_URL"] == "https://proxy.example.com/?third=***#ird"
    assert scrub("t0ken-of-ours s3cond plato", settings.secrets()) == "*** *** plato"
    with pytest.raises(InvalidSettings) as caught:
        read({"RESPONDER_ALERTMANAGER_URL": "prod=ftp://am:hush@am"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999"])
def test_a_slip_of_the_keyboard_starts_no_million_of_workers(number: str) -> None:
    """It is said at the start, with what to write."""
    with pytest.raises(InvalidSettings) as caught:
        read({"RESPONDER_WORKERS": number, "RESPONDER_THREADS": number})
    assert [problem.split()[0] for problem in caught.value.problems] == ["RESPONDER_WORKERS", "RESPONDER_THREADS"]


def test_every_problem_is_reported_at_once() -> None:
    """One start shows all problems."""
    with pytest.raises(InvalidSettings) as caught:
        read(
            {
                "RESPONDER_WORKERS": "many",
                "RESPONDER_ROLE": "cook",
                "RESPONDER_PROMETHEUS_URL": "prometheus:9090",
                "RESPONDER_LISTEN": "8080x",
                "RESPONDER_SLACK_BOT_TOKEN_FILE": "/does/not/exist",
                "RESPONDER_CONNECT_TO": "plato",
                "RESPONDER_WEBHOOK_TOKEN": "a",
                "RESPONDER_WEBHOOK_TOKEN_FILE": "/b",
            }
        )
    text = str(caught.value)
    for name in (
        "WORKERS",
        "ROLE",
        "PROMETHEUS_URL",
        "LISTEN",
        "SLACK_BOT_TOKEN_FILE",
        "CONNECT_TO",
        "WEBHOOK_TOKEN and",
    ):
        assert f"RESPONDER_{name}" in text


def test_a_login_without_a_password_is_refused() -> None:
    """A slip in the webhook's login is said at the start, where every alert would be refused for it later."""
    assert read({"RESPONDER_WEBHOOK_BASIC_AUTH": "am:old am:new"}).webhook_basic_auth.reveal() == "am:old am:new"
    for given in ("s3cret", "am:old s3cret", "am:my s3cret"):
        with pytest.raises(InvalidSettings) as caught:
            read({"RESPONDER_WEBHOOK_BASIC_AUTH": given})
        (problem,) = caught.value.problems
        assert problem.startswith("RESPONDER_WEBHOOK_BASIC_AUTH is not user:password")
        assert "s3cret" not in problem


def test_a_bad_secret_is_not_quoted() -> None:
    """An error about a secret does not print it."""
    with pytest.raises(InvalidSettings) as caught:
        read({"RESPONDER_SLACK_WEBHOOK_URL": "hooks.slack.com/services/T0/B0/x"})
    assert "T0/B0" not in str(caught.value)


def test_a_misspelt_variable_is_noticed() -> None:
    """A slip of the keyboard is not silently ignored."""
    (sentence,) = unknown_variables({"RESPONDER_SLACK_TOKEN": "x", "HOME": "/"})
    assert "RESPONDER_SLACK_BOT_TOKEN" in sentence


def test_variables_that_kubernetes_makes_up_are_not_ours() -> None:
    """A Service called "responder" does not fill the log with warnings."""
    names = ("RESPONDER_SERVICE_HOST", "RESPONDER_PORT", "RESPONDER_PORT_8080_TCP_ADDR", "RESPONDER_SERVICE_PORT_HTTP")
    assert list(unknown_variables(dict.fromkeys(names, "x"))) == []


def test_every_setting_has_a_help_text() -> None:
    """`serve --settings` explains each."""
    assert all(text for _, _, text in Settings().rows())


def test_alertmanagers_are_named_by_cluster_and_in_pairs() -> None:
    """Every replica of every cluster can be configured; a cluster without its own uses the unnamed one."""
    text = "http://a:9093 http://b:9093, prod-eu=https://eu-a/am, prod-eu=https://eu-b/am"
    settings = read({"RESPONDER_ALERTMANAGER_URL": text})
    assert settings.alertmanager_url == {
        "": ("http://a:9093", "http://b:9093"),
        "prod-eu": ("https://eu-a/am", "https://eu-b/am"),
    }
    shown = dict(row[:2] for row in settings.rows())["RESPONDER_ALERTMANAGER_URL"]
    assert read({"RESPONDER_ALERTMANAGER_URL": shown}).alertmanager_url == settings.alertmanager_url


@pytest.mark.parametrize("text", ["alertmanager:9093", "http://a b:9093", "prod eu=http://a", "=http://a"])
def test_an_alertmanager_that_cannot_be_asked_is_said(text: str) -> None:
    """A slip in the address is found at the start, not when an incident stays open."""
    with pytest.raises(InvalidSettings, match=r"ALERTMANAGER_URL has '.*': write http://ADDRESS"):
        read({"RESPONDER_ALERTMANAGER_URL": text})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://r:p4ss%40w@db:5432/x?sslmode=verify-full", "postgresql://r:***@db:5432/x?sslmode=verify-full"),
        ("postgresql://r:p4ss@w@db/x", "postgresql://r:***@db/x"),
        (
            "postgresql://db/x?user=r&password=p4ss%40w&sslmode=require",
            "postgresql://db/x?user=r&password=***&sslmode=require",
        ),
        ("postgresql://r:p4ss/@db/x#1?2@db/x", "postgresql://r:***@db/x"),
        ("host=db user=r password='p4ss \\' w' sslmode=require", "host=db user=r password=*** sslmode=require"),
        (
            "postgresql://db/x?sslpassword=p4ss&target_session_attrs=any",
            "postgresql://db/x?sslpassword=***&target_session_attrs=any",
        ),
        ("postgresql://r@db/x", "postgresql://r@db/x"),
        ("sqlite:////var/lib/responder.db", "sqlite:////var/lib/responder.db"),
    ],
)
def test_the_databases_password_is_not_shown(url: str, shown: str) -> None:
    """The configured database is shown without its password."""
    settings = read({"RESPONDER_DATABASE_URL": url})
    assert dict(row[:2] for row in settings.rows())["RESPONDER_DATABASE_URL"] == shown
    assert "p4ss" not in f"{settings!r}"
    assert scrub("any require r db", settings.secrets()) == "any require r db"
    assert "p4ss" not in scrub(f"cannot connect to {url}", settings.secrets())


SECRET = "x" * 32
MAIL = {"RESPONDER_SMTP_HOST": "mail", "RESPONDER_SMTP_FROM": "a@b.example", "RESPONDER_SMTP_TO": "c@d.example, e@f.g"}


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"RESPONDER_SLACK_ONCALL_GROUP": "@oncall"}, "S0123ABCD"),
        ({"RESPONDER_SLACK_ONCALL_GROUP": "S0123ABCD"}, "needs RESPONDER_SLACK_BOT_TOKEN"),
        ({**MAIL, "RESPONDER_SMTP_TO": "oncall@x\nBcc: evil@x"}, "RESPONDER_SMTP_TO has"),
        ({**MAIL, "RESPONDER_SMTP_FROM": "Responder <a@b>"}, "write plain addresses"),
        ({"RESPONDER_SMTP_HOST": "mail"}, "needs RESPONDER_SMTP_FROM and RESPONDER_SMTP_TO"),
        ({**MAIL, "RESPONDER_SMTP_USER": "u"}, "go together"),
        (
            {**MAIL, "RESPONDER_SMTP_USER": "u", "RESPONDER_SMTP_PASSWORD": SECRET, "RESPONDER_SMTP_TLS": "none"},
            "sent in the clear",
        ),
        ({"RESPONDER_PAGERDUTY_FALLBACK_ROUTING_KEY": SECRET}, "needs a first key"),
        (
            {"RESPONDER_PAGERDUTY_ROUTING_KEY": SECRET, "RESPONDER_PAGERDUTY_FALLBACK_ROUTING_KEY": SECRET},
            "write another key",
        ),
    ],
)
def test_a_fallback_that_could_not_work_is_refused(env: dict[str, str], said: str) -> None:
    """Mistakes in the fallback settings are reported at start, without any secret."""
    with pytest.raises(InvalidSettings, match="RESPONDER_") as caught:
        read(env)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_fallback_that_can_work_is_taken() -> None:
    """The whole chain, as the guide shows it."""
    settings = read(
        {
            **MAIL,
            "RESPONDER_PAGERDUTY_ROUTING_KEY": "first",
            "RESPONDER_PAGERDUTY_FALLBACK_ROUTING_KEY": "second",
            "RESPONDER_SLACK_BOT_TOKEN": "xoxb-1",
            "RESPONDER_SLACK_ONCALL_GROUP": "S0123ABCD",
        }
    )
    assert addresses(settings.of_channels["smtp_to"]) == ("c@d.example", "e@f.g")


TOKENS = {
    "RESPONDER_PROMETHEUS_URL": "https://prometheus/base",
    "RESPONDER_PROMETHEUS_TOKEN": "for-prometheus",
    "RESPONDER_ALERTMANAGER_URL": "http://a:9093 http://b:9093, prod-eu=https://eu",
    "RESPONDER_ALERTMANAGER_TOKEN": "for-alertmanager",
}


def test_each_server_has_its_token() -> None:
    """The token of Prometheus is Prometheus' alone; that of Alertmanager is for each of them; neither is ever shown."""
    settings = read(TOKENS)
    assert {url: each.token.reveal() for url, each in settings.credentials_by_url().items()} == {
        "https://prometheus/base": "for-prometheus",
        "http://a:9093": "for-alertmanager",
        "http://b:9093": "for-alertmanager",
        "https://eu": "for-alertmanager",
    }
    assert read({}).credentials_by_url() == {}
    assert "for-" not in f"{settings!r} {list(settings.rows())}"
    assert {"for-prometheus", "for-alertmanager"} <= {secret.reveal() for secret in settings.secrets()}


def test_a_token_may_stand_in_a_file(tmp_path: Path) -> None:
    """A mounted token works as it is, trailing newline and all."""
    (tmp_path / "token").write_text("from-a-file\n")
    path = str(tmp_path / "token")
    given = {name: text for name, text in TOKENS.items() if name != "RESPONDER_PROMETHEUS_TOKEN"}
    assert read(given | {"RESPONDER_PROMETHEUS_TOKEN_FILE": path}).prometheus_token.reveal() == "from-a-file"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"RESPONDER_PROMETHEUS_TOKEN": "hush-1\nhush-2"},
            "PROMETHEUS_TOKEN has a line break, a space",
        ),
        (
            {"RESPONDER_ALERTMANAGER_TOKEN": "Bearer hush-1"},
            "ALERTMANAGER_TOKEN has a line break, a space",
        ),
        ({"RESPONDER_PROMETHEUS_URL": ""}, "PROMETHEUS_TOKEN needs RESPONDER_PROMETHEUS_URL"),
        ({"RESPONDER_ALERTMANAGER_URL": ""}, "ALERTMANAGER_TOKEN needs RESPONDER_ALERTMANAGER_URL"),
        ({"RESPONDER_PROMETHEUS_URL": "https://u:hush-1@p"}, "PROMETHEUS_URL holds a password and"),
        (
            {"RESPONDER_PROMETHEUS_BASIC_AUTH": "me:hush-1"},
            "PROMETHEUS_TOKEN and RESPONDER_PROMETHEUS_BASIC_AUTH are both",
        ),
        ({"RESPONDER_PROMETHEUS_BASIC_AUTH": "hush-1"}, "PROMETHEUS_BASIC_AUTH is not user:password"),
        ({"RESPONDER_PROMETHEUS_CLIENT_KEY": "/hush"}, "PROMETHEUS_CLIENT_KEY is set alone"),
        (
            {"RESPONDER_PROMETHEUS_CLIENT_CERT": "/cert", "RESPONDER_PROMETHEUS_CLIENT_KEY": "/key"},
            "PROMETHEUS_CLIENT_CERT is /cert, with the key /key: a file cannot be read",
        ),
        (
            {"RESPONDER_ALERTMANAGER_CLIENT_CERT": "/cert", "RESPONDER_ALERTMANAGER_CLIENT_KEY": "/key"},
            "ALERTMANAGER_CLIENT_CERT needs an https:// address",
        ),
        ({"RESPONDER_ALERTMANAGER_URL": "http://a, eu=http://u:hush-1@b"}, "ALERTMANAGER_URL holds a password and"),
    ],
)
def test_a_token_that_would_not_work_is_said_and_not_shown(given: dict[str, str], said: str) -> None:
    """A slip in a token is found at the start, not when probes come back empty at night."""
    with pytest.raises(InvalidSettings) as caught:
        read(TOKENS | given)
    assert f"RESPONDER_{said}" in str(caught.value)
    assert "hush" not in str(caught.value)


CONFIG = """\
prometheus_url: http://prometheus:9090
alertmanager_url: {prod-eu: [http://am-1, http://am-2], prod-us: http://am-3}
workers: 3
pagerduty_routing_key_file: %s
slack_channel: "#shop"
"""


def test_settings_may_stand_in_a_file(tmp_path: Path) -> None:
    """The file gives what the environment leaves out, options win over both, and the origin of each is shown."""
    (tmp_path / "key").write_text("a" * 32)
    file = tmp_path / "responder.yaml"
    file.write_text(CONFIG % (tmp_path / "key"))
    env = {"RESPONDER_CONFIG": str(file), "RESPONDER_SLACK_CHANNEL": "#mine", "HTTPS_PROXY": "http://proxy:1"}
    given = read(env, {"listen": "127.0.0.1:9"})
    assert given.prometheus_url == "http://prometheus:9090"
    assert given.alertmanager_url == {"prod-eu": ("http://am-1", "http://am-2"), "prod-us": ("http://am-3",)}
    assert (given.workers, given.listen, given.of_channels["slack_channel"]) == (3, "127.0.0.1:9", "#mine")
    assert given.of_channels["pagerduty_routing_key"].reveal() == "a" * 32
    assert {name: given.origin(f"RESPONDER_{name}") for name in ("WORKERS", "PAGERDUTY_ROUTING_KEY")} == {
        "WORKERS": f"{file}:3",
        "PAGERDUTY_ROUTING_KEY": f"{file}:4",
    }
    names = ("SLACK_CHANNEL", "LISTEN", "THREADS", "PROXY_URL")
    assert [given.origin(f"RESPONDER_{name}") for name in names] == [
        "environment",
        "--listen",
        "default",
        "HTTPS_PROXY",
    ]


def test_the_environment_replaces_both_forms_of_a_secret_in_the_file(tmp_path: Path) -> None:
    """A secret of the file and the file of a secret in the environment are no contradiction."""
    (tmp_path / "token").write_text("b" * 32)
    file = tmp_path / "responder.yaml"
    file.write_text(f"webhook_token: {'a' * 32}\nslack_bot_token: xoxb-1\n")
    given = read({"RESPONDER_CONFIG": str(file), "RESPONDER_WEBHOOK_TOKEN_FILE": str(tmp_path / "token")})
    assert given.webhook_token.reveal() == "b" * 32
    assert given.secrets_in_file() == ("slack_bot_token",)


def test_every_problem_of_the_file_has_its_place(tmp_path: Path) -> None:
    """All problems are reported at once, with line and column, and no secret is quoted."""
    file = tmp_path / "responder.yaml"
    file.write_text(
        "workers: many\nrole: cook\nslack_chanel: x\nslack_channel: #x\nthreads: 2.5\nwebhook_token: 0123456\n"
        "config: other.yaml\nprometheus_token_file: /nowhere\npublic_url: responder\nconnect_to: {a: [1]}\n"
    )
    with pytest.raises(InvalidSettings) as caught:
        read({"RESPONDER_CONFIG": str(file), "RESPONDER_LOG_FORMAT": "xml"})
    assert "0123456" not in str(caught.value)
    places = {problem.removeprefix(f"{file}:").partition(" ")[0] for problem in caught.value.problems}
    lines = {"1:10:", "2:7:", "3:1:", "4:15:", "5:10:", "6:16:", "7:1:", "8:24:", "9:13:", "10:13:"}
    assert places == {*lines, "RESPONDER_LOG_FORMAT"}
    assert "did you mean slack_channel?" in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- listen", "workers: 2\nworkers: 3"])
def test_a_file_that_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    """A file that is not YAML, or no mapping, is a problem with its place."""
    (tmp_path / "responder.yaml").write_text(text)
    with pytest.raises(InvalidSettings, match=r"responder.yaml:\d:\d"):
        read({"RESPONDER_CONFIG": str(tmp_path / "responder.yaml")})
    with pytest.raises(InvalidSettings, match="cannot be read"):
        read({"RESPONDER_CONFIG": str(tmp_path)})


def test_a_problem_between_settings_has_the_place_of_the_file(tmp_path: Path) -> None:
    """Settings that contradict each other are shown where one of them is in the file."""
    file = tmp_path / "responder.yaml"
    file.write_text("alertmanager_url: http://am\nreconcile_grace: 10\n")
    with pytest.raises(InvalidSettings, match=r"responder.yaml:2:18: RESPONDER_RECONCILE_GRACE is 10"):
        read({"RESPONDER_CONFIG": str(file)})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"RESPONDER_TLS_CERT": "/etc/tls.pem"}, "RESPONDER_TLS_CERT and RESPONDER_TLS_KEY belong together"),
        (
            {"RESPONDER_TLS_CERT": "/nowhere/tls.pem", "RESPONDER_TLS_KEY": "/nowhere/key.pem"},
            "RESPONDER_TLS_CERT is /nowhere/tls.pem, with the key /nowhere/key.pem: a file cannot be read",
        ),
        ({"RESPONDER_PATH_PREFIX": "responder"}, "RESPONDER_PATH_PREFIX is 'responder': write a path such as"),
        ({"RESPONDER_METRICS_AUTH": "yes"}, "RESPONDER_METRICS_AUTH is 'yes': write one of off, on"),
    ],
)
def test_settings_of_the_listener_are_checked(given: dict[str, str], said: str) -> None:
    """A half pair, an unreadable certificate, a prefix that is no path and a wrong choice are named."""
    with pytest.raises(InvalidSettings, match=re.escape(said)):
        read(given)
