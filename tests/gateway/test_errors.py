"""The sentences an operator may see, word for word."""

import pytest

from gateway.errors import (
    BadAnswer,
    Judged,
    NoHello,
    NoSuchAddress,
    OperatorError,
    PortForbidden,
    PortInUse,
    SettingsError,
    TracesUnavailable,
    close_for,
    error_message,
)
from schema import codes
from schema.client_messages import Error
from schema.codes import ErrorCode, ProtocolError

SENTENCES = [
    (
        SettingsError("port", expected="a whole number from 0 to 65535", got="70000"),
        "setting port: expected a whole number from 0 to 65535, got 70000; correct it and start again",
    ),
    (
        PortInUse("127.0.0.1", 8765, "--port"),
        "expected a free port, but 127.0.0.1:8765 is in use; "
        "stop the other process or choose another port with --port (0 takes any free one)",
    ),
    (
        PortForbidden("127.0.0.1", 80, "--port"),
        "expected a port this user may open, but 127.0.0.1:80 is reserved; choose one from 1024 upwards with --port",
    ),
    (
        TracesUnavailable("http://t"),
        "expected the packages that send traces to http://t, got none; pip install 'sideman[otel]', or set SIDEMAN_TRACES=off",
    ),
    (
        NoSuchAddress("1.2.3.4", "cannot assign requested address"),
        "expected an address of this machine, got '1.2.3.4' (cannot assign requested address); use 127.0.0.1 or 0.0.0.0 with --host",
    ),
    (
        BadAnswer("/run/w.sock", expected="plan answers", got="trailing bytes"),
        "worker /run/w.sock: expected plan answers, got trailing bytes; gateway and worker must be of the same version",
    ),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_sentences_say_expected_got_and_what_to_do(error, sentence):
    assert str(error) == sentence


def test_every_operator_error_is_in_the_table():
    assert set(OperatorError.__subclasses__()) <= {type(error) for error, _ in SENTENCES}


@pytest.mark.parametrize(
    ("problem", "close"),
    [
        (NoHello(), codes.NO_HELLO),
        (Judged(codes.TOO_FAST), codes.TOO_FAST),
        (TimeoutError(), codes.SLOW_CLIENT),
        (ZeroDivisionError(), codes.BUG),
    ],
)
def test_the_one_map_from_errors_to_close_codes(problem, close):
    """C10: what is not foreseen is a bug of ours."""
    assert close_for(problem) == close


@pytest.mark.parametrize(("code", "retry"), [(ErrorCode.BUSY, True), (ErrorCode.BAD_FIELD, False)])
def test_a_broken_rule_is_told_with_its_code_path_and_advice(code, retry):
    """E1: `retry` says whether the same message can succeed later."""
    problem = ProtocolError(code, field="$.tick.seq", expected="1", got="0", seq=0)
    assert error_message(problem) == Error(code=code, message=str(problem), field="$.tick.seq", seq=0, retry=retry)
