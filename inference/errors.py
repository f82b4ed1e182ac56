"""Errors of the worker, one sentence each. Pure."""


class WorkerProblem(RuntimeError):
    """The worker cannot serve; the text says what was expected, what was found and what to do."""


class GoldenMismatch(WorkerProblem):
    """The loaded weights do not reproduce the plan in their manifest."""

    def __init__(self, checkpoint: str, expected: list[int], got: list[int]) -> None:
        super().__init__(checkpoint, expected, got)
        self.checkpoint, self.expected, self.got = checkpoint, expected, got

    def __str__(self) -> str:
        differing = len(self.expected) - sum(a == b for a, b in zip(self.expected, self.got, strict=False))
        return (
            f"checkpoint {self.checkpoint}: expected the manifest's golden plan, got {differing} of {len(self.expected)} other chords: "
            "the weights do not fit this version; choose another with --checkpoint"
        )


class SocketProblem(WorkerProblem):
    """The worker's socket cannot be opened."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"worker socket {self.path}: expected a path that can be created, got: {self.problem}; choose another with --socket"


class SameName(WorkerProblem):
    """Two models of one worker have one name."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names

    def __str__(self) -> str:
        return f"expected models of different names, got {', '.join(self.names)}; leave out all but one --checkpoint of each name"


class PortProblem(WorkerProblem):
    """The worker's metrics port cannot be opened."""

    def __init__(self, host: str, port: int, problem: str) -> None:
        super().__init__(host, port, problem)
        self.host, self.port, self.problem = host, port, problem

    def __str__(self) -> str:
        return f"worker metrics on {self.host}:{self.port}: expected a free port, got: {self.problem}; choose another with --metrics-port"
