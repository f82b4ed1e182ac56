"""Settings: defaults, environment, arguments, and the sentences for bad values."""

from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from gateway import settings
from gateway.errors import SettingsError
from gateway.settings import GatewaySettings, load


def test_defaults_are_those_of_the_documents():
    plain = load({})
    assert (plain.host, plain.port, plain.metrics_port) == ("127.0.0.1", 8765, 9765)
    assert (plain.max_message_bytes, plain.hello_timeout_s, plain.open_timeout_s) == (16_384, 3.0, 3.0)
    assert (plain.receive_buffer_bytes, plain.send_buffer_bytes, plain.write_limit_bytes) == (8192, 16_384, 4096)
    assert plain.origins == ("local",)


def test_arguments_win_over_the_environment_and_none_means_not_given():
    environment = {"SIDEMAN_PORT": "9000", "SIDEMAN_HOST": "0.0.0.0", "SIDEMAN_HELLO_TIMEOUT_S": "2", "UNRELATED": "x"}
    made = load(environment, port=9001, host=None)
    assert (made.port, made.host, made.hello_timeout_s) == (9001, "0.0.0.0", 2.0)


def test_lists_are_separated_by_commas():
    made = load({"SIDEMAN_ORIGINS": "local, https://jam.example", "SIDEMAN_WORKERS": "/run/a.sock"})
    assert made.origins == ("local", "https://jam.example")
    assert made.workers == ("/run/a.sock",)


def test_welcome_gets_the_limits_that_hold():
    limits = load({}, message_burst=10).limits()
    assert (limits.max_message_bytes, limits.messages_per_second, limits.message_burst) == (16_384, 25.0, 10)
    assert (limits.max_events_per_tick, limits.history_frames) == (64, 1024)


def test_the_allowance_of_a_connection_follows_the_settings():
    allowance = load({}, frame_burst=7, errors_before_close=3).allowance()
    assert (allowance.frames.burst, allowance.errors, allowance.messages.per_second) == (7, 3, 25.0)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("http://127.0.0.1:5173", True),
        ("https://jam.example", True),
        ("https://jam.example:8443", False),
        ("http://localhost.evil.example", False),
        ("http://localhost:80:80", False),
        ("null", False),
    ],
)
def test_listed_origins_match_exactly_and_local_means_this_machine(origin, allowed):
    """C7: pages of other sites cannot connect."""
    assert load({}, origins=("local", "https://jam.example")).allows(origin) is allowed
    assert not load({}, origins=("https://other.example",)).allows(origin)


@pytest.mark.parametrize(
    ("environment", "given", "sentence"),
    [
        (
            {"SIDEMAN_PORT": "ninety"},
            {},
            "setting SIDEMAN_PORT: expected a whole number from 0 to 65535, got 'ninety'; correct it and start again",
        ),
        ({}, {"port": 70000}, "setting port: expected a whole number from 0 to 65535, got 70000; correct it and start again"),
        ({}, {"port": 80.5}, "setting port: expected a whole number from 0 to 65535, got 80.5; correct it and start again"),
        ({}, {"port": True}, "setting port: expected a whole number from 0 to 65535, got True; correct it and start again"),
        (
            {"SIDEMAN_HELLO_TIMEOUT_S": "nan"},
            {},
            "setting hello_timeout_s: expected a number from 0.05 to 60.0, got nan; correct it and start again",
        ),
        ({"SIDEMAN_ORIGINS": " , "}, {}, "setting origins: expected a list with at least one entry, got (); correct it and start again"),
        ({"SIDEMAN_HOST": ""}, {}, "setting host: expected a text, got ''; correct it and start again"),
        ({}, {"prot": 1}, "setting prot: expected a known setting, got an unknown name; correct it and start again"),
        (
            {},
            {"read_queue_high": 2},
            "setting read_queue_low: expected at most read_queue_high = 2, got 4; correct it and start again",
        ),
        (
            {},
            {"max_message_bytes": 100_000},
            "setting byte_burst: expected at least max_message_bytes = 100000, got 65536; correct it and start again",
        ),
    ],
)
def test_bad_values_are_one_clear_sentence(environment, given, sentence):
    with pytest.raises(SettingsError) as caught:
        load(environment, **given)
    assert str(caught.value) == sentence


def test_every_field_says_its_unit_or_meaning_and_its_reason():
    source = Path(settings.__file__).read_text().splitlines()
    lines = {line.split(":")[0].strip(): line for line in source if line.startswith("    ") and ": " in line and " = " in line}
    for spec in fields(GatewaySettings):
        assert "  # " in lines[spec.name], spec.name


def test_times_fit_each_other():
    plain = GatewaySettings()
    growing = (plain.close_timeout_s, plain.hello_timeout_s, plain.ping_after_s)
    assert all(a < b for a, b in pairwise(growing))
    assert plain.ping_after_s + plain.pong_timeout_s < 30  # proxies cut idle connections at 30 s


@pytest.mark.parametrize(("name", "value", "expected"), [("log_format", "xml", "text or json"), ("log_level", "INFO", "debug or info")])
def test_words_that_are_not_known_are_refused_with_those_that_are(name, value, expected):
    with pytest.raises(SettingsError, match=f"{name}: expected {expected}"):
        load({}, **{name: value})
