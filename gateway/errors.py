"""What can go wrong: for the operator, each as one sentence (expected, got, what to do), and inside the gateway. Pure."""

from schema import codes
from schema.client_messages import Error
from schema.codes import ERRORS, Close, ProtocolError


class OperatorError(Exception):
    """Something only the person who started the gateway can mend; `python -m gateway` prints it and ends with exit code 2."""


class SettingsError(OperatorError):
    """A setting that cannot be read or is out of bounds."""

    def __init__(self, name: str, *, expected: str, got: str) -> None:
        super().__init__(name, expected, got)
        self.name = name
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"setting {self.name}: expected {self.expected}, got {self.got}; correct it and start again"


class TracesUnavailable(OperatorError):
    """Traces are asked for, but what sends them is not installed."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"expected the packages that send traces to {self.url}, got none; pip install 'sideman[otel]', or set SIDEMAN_TRACES=off"


class PortInUse(OperatorError):
    """Another process listens where the gateway wants to."""

    def __init__(self, host: str, port: int, option: str) -> None:
        super().__init__(host, port, option)
        self.host = host
        self.port = port
        self.option = option

    def __str__(self) -> str:
        return (
            f"expected a free port, but {self.host}:{self.port} is in use; "
            f"stop the other process or choose another port with {self.option} (0 takes any free one)"
        )


class PortForbidden(OperatorError):
    """The operating system does not let this user listen there."""

    def __init__(self, host: str, port: int, option: str) -> None:
        super().__init__(host, port, option)
        self.host = host
        self.port = port
        self.option = option

    def __str__(self) -> str:
        return (
            f"expected a port this user may open, but {self.host}:{self.port} is reserved; choose one from 1024 upwards with {self.option}"
        )


class NoSuchAddress(OperatorError):
    """The host is not an address of this machine."""

    def __init__(self, host: str, problem: str) -> None:
        super().__init__(host, problem)
        self.host = host
        self.problem = problem

    def __str__(self) -> str:
        return f"expected an address of this machine, got {self.host!r} ({self.problem}); use 127.0.0.1 or 0.0.0.0 with --host"


class BadAnswer(Exception):
    """A worker broke the rules of the link; the link is dropped and opened again."""

    def __init__(self, path: str, *, expected: str, got: str) -> None:
        super().__init__(path, expected, got)
        self.path = path
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"worker {self.path}: expected {self.expected}, got {self.got}; gateway and worker must be of the same version"


class NoHello(TimeoutError):
    """The peer did not say hello in time (C3)."""


class Judged(Exception):
    """A verdict of `admission` that ends the connection."""

    def __init__(self, close: Close) -> None:
        super().__init__(close)
        self.close = close


def error_message(problem: ProtocolError) -> Error:
    """What the peer is told about a rule it broke, or about time it should give us (E1)."""
    return Error(code=problem.code, message=str(problem), field=problem.field, seq=problem.seq, retry=ERRORS[problem.code].retry)


def close_for(problem: Exception) -> Close:
    """What the peer is told about what ends its connection: the only map from errors to close codes."""
    match problem:
        case NoHello():
            return codes.NO_HELLO
        case Judged():
            return problem.close
        case TimeoutError():  # a message could not be sent in time
            return codes.SLOW_CLIENT
        case _:
            return codes.BUG
