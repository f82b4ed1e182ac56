"""The session over real sockets: opening, settings, ticks, and coming back with the history."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sideman_client.client import Backoff, SidemanClient, State, connect
from sideman_client.codec import JSON, MSGPACK, encode
from sideman_client.errors import (
    CannotConnect,
    ClosedByGateway,
    ConnectionLost,
    NoAnswer,
    NotConnected,
    SettingRefused,
    UnreadableMessage,
)
from sideman_client.generated.messages import (
    Bye,
    ChordRun,
    Configure,
    Error,
    GatewayMessage,
    Hello,
    History,
    Keep,
    NoteEvent,
    Plan,
    Reset,
    SymbolRun,
    Tick,
    Timing,
)

if TYPE_CHECKING:
    from conftest import Gateway

AT_ONCE = Backoff(first_s=0.0, attempts=5)


async def tick_and_hear(client: SidemanClient, frame: int) -> GatewayMessage:
    """Send the tick of a frame and wait for its answer."""
    tick = await client.send_tick(frame)
    assert tick is not None
    async for message in client:
        if isinstance(message, Plan | Keep | Error) and message.seq == tick.seq:
            return message
    raise AssertionError("expected an answer, got the end of the session")


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
async def test_a_session_from_hello_to_bye(gateway: "Gateway", subprotocol: str):
    heard: list[tuple[str, bool]] = []
    note = lambda message, trip: heard.append((type(message).__name__, trip is not None))  # noqa: E731
    async with connect(gateway.url, name="a test", token="secret", subprotocol=subprotocol, on_message=note) as client:
        assert client.welcome.session == "session 1"
        configured = await client.configure(Configure(bpm=96.0, silence_beats=1))
        assert (configured.settings.bpm, client.jam.settings.silence_beats) == (96.0, 1)
        client.jam.note(NoteEvent(0, 60, True))
        assert isinstance(await tick_and_hear(client, 0), Plan)
        assert isinstance(await tick_and_hear(client, 1), Plan)
    assert client.state is State.CLOSED
    assert heard == [("Configured", False), ("Plan", True), ("Plan", True)]
    hello, configure, first, second, bye = gateway.connections[0]
    assert (hello, bye) == (Hello("a test", "secret"), Bye())
    assert configure == Configure(bpm=96.0, silence_beats=1)
    assert isinstance(first, Tick)
    assert (first.events, first.round_trip_ms) == ([NoteEvent(0, 60, True)], None)
    assert isinstance(second, Tick)
    assert second.round_trip_ms is not None


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 4003])
async def test_c10_h1_it_comes_back_with_settings_and_history(gateway: "Gateway", code: int):
    """C10, H1: after a code that asks for it."""
    gateway.close_at_tick = {18: (code, "moving")}
    async with connect(gateway.url, backoff=AT_ONCE) as client:
        await client.configure(Configure(silence_beats=2, temperature=0.5))
        client.jam.note(NoteEvent(3, 60, True))
        for frame in range(18):
            await tick_and_hear(client, frame)
        client.jam.note(NoteEvent(17, 60, False))
        await client.send_tick(18)
        await gateway.until(lambda: len(gateway.connections) == 2 and any(isinstance(m, History) for m in gateway.connections[1]))
        answer = await tick_and_hear_after_return(client, 19)
        assert isinstance(answer, Plan)
        assert [f.symbol for f in client.jam.frames[14:20]] == ["C", "C", "G", "G", "G", "G"]
        assert (client.reconnects, client.state) == (1, State.OPEN)
    hello, configure, history, tick = gateway.connections[1][:4]
    assert isinstance(hello, Hello)
    assert configure == Configure(silence_beats=2, temperature=0.5)
    assert isinstance(history, History)
    assert (history.frame, history.seed) == (18, 101)
    assert history.chords == [SymbolRun(0, 8, "N"), SymbolRun(8, 8, "C"), SymbolRun(16, 3, "G")]
    assert history.plan is not None
    assert isinstance(tick, Tick)
    assert tick.applied is not None
    assert tick.applied.seq == history.plan.seq


async def tick_to_the_end(gateway: "Gateway", then: list[tuple[int, str]]) -> None:
    """Send one tick and listen until the session ends; `then` is how the gateway closes the connections that follow."""
    async with connect(gateway.url, backoff=AT_ONCE) as client:
        gateway.close_on_hello = then
        await client.send_tick(0)
        async for _ in client:
            pass


async def tick_unheard(url: str) -> None:
    """Send one tick, do not listen, and stay until the session has ended."""
    async with connect(url) as client:
        await client.send_tick(0)
        await asyncio.wait([client._reader])


async def tick_and_hear_after_return(client: SidemanClient, frame: int) -> GatewayMessage:
    """The same once the client is back: it hears `configured` again first."""
    async for message in client:
        if type(message).__name__ == "Configured" and client.state is State.OPEN:
            break
    return await tick_and_hear(client, frame)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(4502, "no hello in time: send hello first"), (4507, "too many errors"), (1002, ""), (1003, ""), (1007, ""), (1009, "too big")],
)
async def test_c10_it_does_not_come_back_where_that_is_useless(gateway: "Gateway", code: int, reason: str):
    gateway.close_at_tick = {0: (code, reason)}
    with pytest.raises(ClosedByGateway) as closed:
        await tick_to_the_end(gateway, [])
    assert closed.value.code == code
    assert str(closed.value) == (
        f"expected an open session, got close code {code} ({reason}): trying again would not help: see the close codes of the protocol"
    )
    assert len(gateway.connections) == 1


async def test_a_lost_session_is_told_even_if_nobody_listened(gateway: "Gateway"):
    gateway.close_at_tick = {0: (4507, "too many errors: mend the client")}
    with pytest.raises(ClosedByGateway):
        await tick_unheard(gateway.url)


async def test_c9_a_normal_close_ends_the_iteration(gateway: "Gateway"):
    gateway.close_at_tick = {0: (1000, "bye")}
    async with connect(gateway.url, backoff=AT_ONCE) as client:
        await client.send_tick(0)
        assert [message async for message in client] == []
        with pytest.raises(NotConnected, match="expected an open session, got one that has ended"):
            await client.send_tick(1)


async def test_attempts_end_in_one_sentence(gateway: "Gateway"):
    gateway.close_at_tick = {0: (1012, "server restarting")}
    with pytest.raises(ConnectionLost, match=r"expected to come back within 5 attempts, got close code 1013 \(all seats taken\)"):
        await tick_to_the_end(gateway, [(1013, "all seats taken")] * 5)
    assert len(gateway.connections) == 6


async def test_it_gives_up_while_coming_back_if_told_so(gateway: "Gateway"):
    gateway.close_at_tick = {0: (1012, "server restarting")}
    with pytest.raises(ClosedByGateway, match="close code 4502"):
        await tick_to_the_end(gateway, [(1013, "full"), (4502, "no hello in time")])


async def test_while_it_is_away_frames_sound_on_and_settings_wait(gateway: "Gateway"):
    gateway.close_at_tick = {10: (1012, "server restarting")}
    async with connect(gateway.url, backoff=AT_ONCE) as client:
        await client.configure(Configure(silence_beats=2))
        for frame in range(10):
            await tick_and_hear(client, frame)
        gateway.may_welcome.clear()
        await client.send_tick(10)
        await gateway.until(lambda: len(gateway.connections) == 2 and len(gateway.connections[1]) == 1)
        assert client.state is State.RECONNECTING
        assert await client.send_tick(11) is None
        assert client.jam.frames[11].symbol == "C"
        asking = asyncio.create_task(client.configure(Configure(temperature=1.0)))
        gateway.may_welcome.set()
        assert (await asking).settings.temperature == 1.0
    assert [type(message) for message in gateway.connections[1]] == [Hello, Configure, History, Configure, Bye]


async def test_one_can_leave_while_it_is_away(gateway: "Gateway"):
    gateway.close_at_tick = {0: (1012, "server restarting")}
    async with connect(gateway.url, backoff=AT_ONCE) as client:
        gateway.may_welcome.clear()
        await client.send_tick(0)
        await gateway.until(lambda: len(gateway.connections) == 2)
    assert client.state is State.CLOSED
    gateway.may_welcome.set()


async def test_a_question_that_was_cut_off_is_asked_again(gateway: "Gateway"):
    async with connect(gateway.url, backoff=AT_ONCE) as client:
        gateway.silent_about = (Configure,)
        gateway.close_at_tick = {0: (1012, "server restarting")}
        asking = asyncio.create_task(client.configure(Configure(bpm=90.0)))
        await gateway.until(lambda: Configure(bpm=90.0) in gateway.connections[0])
        gateway.silent_about = ()
        await client.send_tick(0)
        assert (await asking).settings.bpm == 90.0
    assert [type(message) for message in gateway.connections[1]] == [Hello, History, Configure, Bye]


async def test_s2_a_refused_setting_raises_and_changes_nothing(gateway: "Gateway"):
    async with connect(gateway.url) as client:
        with pytest.raises(SettingRefused, match="expected settings the gateway takes, got unknown_model: no such model here"):
            await client.configure(Configure(model="nobody"))
        assert (await client.configure(Configure(bpm=100.0))).settings.model == "toy"


async def test_s4_reset_begins_a_new_jam(gateway: "Gateway"):
    async with connect(gateway.url) as client:
        await client.configure(Configure(silence_beats=0))
        await tick_and_hear(client, 0)
        await client.reset()
        assert (client.jam.plan, client.jam.frames) == (None, [])
        assert isinstance(await tick_and_hear(client, 0), Plan)
    assert Reset() in gateway.connections[0]


async def test_t4_a_long_pause_sends_the_history_first(gateway: "Gateway"):
    async with connect(gateway.url) as client:
        await tick_and_hear(client, 0)
        await tick_and_hear(client, 300)
    assert [type(message) for message in gateway.connections[0]] == [Hello, Tick, History, Tick, Bye]


@pytest.mark.parametrize(("subprotocol", "every", "at_least"), [(JSON, 1, 150), (MSGPACK, 1, 256), (JSON, 2, 256)])
async def test_h2_c5_a_history_is_as_long_as_one_message_may_be(gateway: "Gateway", subprotocol: str, every: int, at_least: int):
    """H2, C5: also with a new chord and a new note in every frame it is cut to fit, and one frame more would not fit."""
    async with connect(gateway.url, subprotocol=subprotocol) as client:
        for frame in range(0, 600, every):
            client.jam.note(NoteEvent(frame, 60 + frame % 12, True))
        chords = [ChordRun(frame, every, ("F#m7b5", "Bbm7b5")[frame // every % 2], [42, 60], True) for frame in range(0, 600, every)]
        client.jam.receive(Plan(1, 0, 600, chords, Timing(0.0, 0.0, 0.0, 0, 0.0, 0)))
        assert isinstance(await tick_and_hear(client, 600), Plan)
        history = gateway.connections[0][1]
        assert isinstance(history, History)
        assert history.frame == 599
        assert (history.chords[0].start, history.chords[-1].start + history.chords[-1].length) == (history.first_frame, 600)
        num_frames = 600 - history.first_frame
        assert num_frames >= at_least
        assert len(encode(history, subprotocol)) <= 16_384 < len(encode(client.jam.history(599, num_frames + 1), subprotocol))


async def test_h2_a_history_that_fits_is_told_whole(gateway: "Gateway"):
    async with connect(gateway.url) as client:
        await tick_and_hear(client, 300)
        history = gateway.connections[0][1]
        assert isinstance(history, History)
        assert (history.frame, history.first_frame) == (299, 0)


async def test_c5_slow_down_is_not_taken_for_the_answer_to_a_question(gateway: "Gateway"):
    """C5: it may have met any message; the question is answered all the same."""
    slow_down = Error("slow_down", "expected at most 25 messages a second, got more; wait, then go on", retry=True)
    gateway.before_answer = lambda message: [slow_down] if isinstance(message, Configure) else []
    async with connect(gateway.url) as client:
        assert (await client.configure(Configure(bpm=90.0))).settings.bpm == 90.0


async def test_a_question_without_an_answer_is_forgotten(gateway: "Gateway", monkeypatch: pytest.MonkeyPatch):
    """The answer to the next question is not taken for its."""
    async with connect(gateway.url) as client:
        gateway.silent_about = (Configure,)
        monkeypatch.setattr("sideman_client.client.ANSWER_TIMEOUT_S", 0.01)
        with pytest.raises(NoAnswer):
            await client.configure(Configure(bpm=90.0))
        monkeypatch.undo()
        gateway.silent_about = ()
        assert (await client.configure(Configure(bpm=100.0))).settings.bpm == 100.0


async def test_s4_after_a_reset_bars_count_from_frame_0(gateway: "Gateway"):
    """S4: also if the number of beats was changed just before and the answer came after it."""
    async with connect(gateway.url) as client:
        await tick_and_hear(client, 30)
        await asyncio.gather(client.configure(Configure(beats_per_bar=3)), client.reset())
        assert (client.jam.settings.beats_per_bar, client.jam.bar_line) == (3, 0)


async def test_what_later_versions_say_is_skipped(gateway: "Gateway"):
    gateway.before_answer = lambda message: [b"\x81\xa4type\xa8applause"] if isinstance(message, Tick) else []
    async with connect(gateway.url) as client:
        assert isinstance(await tick_and_hear(client, 0), Keep)


async def test_damaged_answers_end_the_session(gateway: "Gateway"):
    gateway.before_answer = lambda message: [b"\xc1"] if isinstance(message, Tick) else []
    with pytest.raises(UnreadableMessage):
        async with connect(gateway.url) as client:
            await tick_and_hear(client, 0)


async def test_c8_a_full_house_is_told_at_once(gateway: "Gateway"):
    gateway.close_on_hello = [(1013, "all seats taken: try again in a few seconds")]
    with pytest.raises(ClosedByGateway, match=r"got close code 1013 .*: try again in a few seconds"):
        async with connect(gateway.url):
            pass


async def test_nobody_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotConnect, match=f"expected a gateway at {url}, got .*: check the address, and that `sideman serve`"):
            async with connect(url):
                pass


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "ws://[::"])
async def test_an_address_that_is_none(url: str):
    with pytest.raises(CannotConnect, match="expected a gateway at"):
        async with connect(url):
            pass


async def test_c4_something_else_than_welcome(gateway: "Gateway"):
    gateway.before_answer = lambda message: [Keep(1, "late")] if isinstance(message, Hello) else []
    with pytest.raises(CannotConnect, match="expected welcome, got Keep"):
        async with connect(gateway.url):
            pass


def test_the_pause_grows_up_to_a_bound():
    assert [Backoff().delay_s(attempt, 1.0) for attempt in range(8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert Backoff().delay_s(3, 0.5) == 1.0


async def test_the_program_in_the_readme_jams(gateway: "Gateway", capsys: pytest.CaptureFixture[str]):
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    program = text.split("```python\n")[1].split("```")[0].replace("asyncio.run(jam())", "")
    for given, quick in (
        ("ws://localhost:8765", gateway.url),
        ("bpm=100", "bpm=300"),
        ("60 / 100 / 4", "0.05"),
        ("range(128)", "range(20)"),
    ):
        assert given in program
        program = program.replace(given, quick)
    names: dict[str, Callable[[], Awaitable[None]]] = {}
    exec(program, names)
    await names["jam"]()
    assert capsys.readouterr().out == "16 G (43, 55, 59, 62)\n"
