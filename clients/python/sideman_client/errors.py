"""Everything this package raises on purpose; each says what was expected, what it got and what to do. Pure."""


class SidemanError(Exception):
    """Root of the leaves below; facts are attributes, the sentence is built from them."""

    def __init__(self, *, expected: str, got: str, advice: str) -> None:
        super().__init__(expected, got, advice)
        self.expected = expected
        self.got = got
        self.advice = advice

    def __str__(self) -> str:
        return f"expected {self.expected}, got {self.got}: {self.advice}"


class CannotConnect(SidemanError):
    """No connection, or no proper opening of the session."""


class ConnectionLost(SidemanError):
    """The connection broke and every attempt to come back failed."""


class ClosedByGateway(SidemanError):
    """The gateway closed and coming back would not help; `code` is the close code."""

    def __init__(self, *, expected: str, got: str, advice: str, code: int) -> None:
        super().__init__(expected=expected, got=got, advice=advice)
        self.code = code


class NotConnected(SidemanError):
    """Something was to be sent after the session had ended."""


class UnreadableMessage(SidemanError):
    """A message from the gateway that this package cannot read."""


class SettingRefused(SidemanError):
    """The gateway refused a `configure`; the settings are as before."""


class HarmonizeRefused(SidemanError):
    """The gateway gave no chords for a whole melody."""


class NoAnswer(SidemanError):
    """The gateway did not answer in time."""


class EventOutOfOrder(SidemanError):
    """A note event that is older than what was already reported."""


class UnreadableTune(SidemanError):
    """A MIDI file without a melody that could be played, or one that cannot be written."""


class BadOption(SidemanError):
    """Options that do not go together or cannot be met."""
