"""Every rule of PROTOCOL.md has a test that names it, and the rules on time, grid and history hold on the wire of a real gateway."""

import json
import re
from pathlib import Path
from time import monotonic

import pytest

from schema.chords import Chord
from schema.client_messages import (
    Applied,
    Configure,
    Configured,
    Error,
    History,
    Keep,
    MelodyRun,
    NoteEvent,
    PendingPlan,
    Plan,
    Reset,
    SymbolRun,
    Tick,
)
from schema.codec import JSON, MSGPACK
from schema.engine_messages import unpack_values
from schema.grid import frame_seconds
from schema.tokens import NOTHING, chord_hold, chord_onset, note_hold, note_onset

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "schema/PROTOCOL.md").read_text()
C, AM, G = Chord(0, "maj"), Chord(9, "min"), Chord(7, "maj")


def named_rules() -> dict[str, set[str]]:
    """Rule -> the test files with a docstring or comment that begins with it, as `P2: ` or `P2, P4: `."""
    found: dict[str, set[str]] = {}
    for folder in (ROOT / "tests", ROOT / "clients/python/tests"):
        for path in folder.rglob("test_*.py"):
            for rules in re.findall(r'(?:"""|# )([A-Z]\d+(?:, [A-Z]\d+)*): ', path.read_text()):
                for rule in rules.split(", "):
                    found.setdefault(rule, set()).add(str(path.relative_to(ROOT)))
    return found


def test_every_rule_is_tested_and_every_tested_rule_exists():
    rules = re.findall(r"^- \*\*([A-Z]\d+)\*\* ", PROTOCOL, re.MULTILINE)
    found = named_rules()
    assert [rule for rule in rules if rule not in found] == [], "rules of PROTOCOL.md that no test names"
    assert {rule: files for rule, files in found.items() if rule not in rules} == {}, "rules named by tests that PROTOCOL.md does not have"


# ---- C ----


async def test_what_comes_too_fast_is_not_read(open_house):
    """C5, C6, T3: slow_down names no tick and is no refused message; the same tick can be sent again."""
    house = await open_house(message_burst=2, messages_per_second=1.0, errors_before_close=1)
    now = monotonic()
    house.gateway.now = lambda: now
    async with house.client() as client:
        await client.hello()
        assert await client.ask(Tick(1, 0)) == Keep(1, "listening")
        for _ in range(3):
            error = await client.ask(Tick(2, 1))
            assert (error.code, error.seq, error.field, error.retry) == ("slow_down", None, "", True)
        now += 1.0
        assert await client.ask(Tick(2, 1)) == Keep(2, "listening")


# ---- G ----


async def test_without_a_tick_nothing_happens(house):
    """G2: frames go by, and the gateway neither plans nor says anything by itself."""
    async with house.client() as client:
        await client.hello()
        await client.ask(Configure(bpm=300.0, silence_beats=0))
        assert (await client.ask(Tick(1, 0))).seq == 1
        until = monotonic() + 4 * frame_seconds(300.0)
        await house.until(lambda: monotonic() > until)
        assert isinstance(await client.ask(Reset()), Configured)
    assert len(house.worker.requests) == 1


async def test_new_bars_count_from_the_last_tick_before_the_change(house):
    """G4: with 3 beats a bar begins in frame 24; the tick of 36, another bar line, comes after the change."""
    async with house.client() as client:
        await client.ready()
        await client.ask(Configure(beats_per_bar=3))
        await client.ask(Tick(1, 35))
        await client.ask(Configure(beats_per_bar=4))
        await client.ask(Tick(2, 36))
    assert [(request.beats_per_bar, request.bar_line) for request in house.worker.requests] == [(3, 0), (4, 24)]


# ---- T ----


async def test_ticks_rise(house):
    """T1, T4: seq and frame rise; the first tick may be for any frame."""
    async with house.client() as client:
        await client.ready()
        assert (await client.ask(Tick(5, 5000))).first_frame == 5001
        for tick, field in ((Tick(5, 5001), "seq"), (Tick(4, 5001), "seq"), (Tick(6, 5000), "frame")):
            error = await client.ask(tick)
            assert (error.field, error.seq) == (f"$.tick.{field}", tick.seq)
        assert (await client.ask(Tick(6, 5001))).first_frame == 5002


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
async def test_a_tick_holds_64_events(house, subprotocol):
    """T2: one more is refused."""
    events = [NoteEvent(1, 60, index % 2 == 0) for index in range(65)]
    async with house.client(subprotocol) as client:
        await client.ready()
        error = await client.ask(Tick(1, 1, events))
        assert (error.code, error.field, error.seq) == ("bad_field", "$.tick.events", 1)
        assert isinstance(await client.ask(Tick(1, 1, events[:64])), Plan)


async def test_a_plan_that_ran_out_is_still_named(house):
    """T5, P5: its last chord is what sounded; until a newer plan sounds, `applied` stays as it is."""
    async with house.client() as client:
        await client.ready()
        await client.ask(Configure(lookahead_beats=1))
        house.worker.plan = lambda request: [chord_onset(C)] * request.lookahead_frames
        await client.ask(Tick(1, 0))
        await client.ask(Tick(2, 4, applied=Applied(1, 1)))
        await client.ask(Tick(3, 7, applied=Applied(1, 1)))
        assert isinstance(await client.ask(Tick(4, 8, applied=Applied(3, 8))), Plan)
        assert (await client.ask(Tick(5, 9, applied=Applied(1, 9)))).code == "unknown_plan"
    third = house.worker.requests[2]
    assert unpack_values(third.chords)[: third.first_frame] == [NOTHING] + [chord_onset(C)] * 4 + [chord_hold(C)] * 3


# ---- P ----


async def test_the_jam_of_the_document(house):
    """P7, P1, P9: message by message what PROTOCOL.md says, at a slower tempo."""

    def c_then_a_minor(request):
        held = {frame: C if frame < 40 else AM for frame in range(32, 44)}
        onsets = {32: chord_onset(C), 40: chord_onset(AM)}
        return [NOTHING] * 4 + [onsets.get(frame, chord_hold(held[frame])) for frame in range(32, 44)]

    house.worker.plan = c_then_a_minor
    async with house.client() as client:
        await client.hello()
        assert (await client.ask(Configure(bpm=20.0, beats_per_bar=3, commit_beats=2))).from_frame == 0
        assert await client.ask(Tick(1, 0, [NoteEvent(0, 64, True)])) == Keep(1, "listening")
        assert await client.ask(Tick(27, 26)) == Keep(27, "listening")
        plan = await client.ask(Tick(28, 27))
    runs = ", ".join(f'{{{run.start}, {run.length}, "{run.symbol}"{", onset" * run.onset}}}' for run in plan.chords)
    shown = f"plan {{seq: {plan.seq}, first_frame: {plan.first_frame}, committed_until: {plan.committed_until}, chords: [{runs}]}}"
    assert shown in PROTOCOL
    assert [bool(run.pitches) for run in plan.chords] == [False, True, True]


async def test_a_worker_that_changes_its_mind_breaks_no_promise(house):
    """P1, P2: every plan covers its lookahead without gaps, and what one of them committed all later ones say."""

    def other_chord_each_time(request):
        known = unpack_values(request.chords)[request.first_frame - request.window_start :]
        chord = (C, AM, G)[request.seq % 3]
        return known + [chord_onset(chord)] * (request.lookahead_frames - len(known))

    house.worker.plan = other_chord_each_time
    promised, plans = {}, []
    async with house.client() as client:
        await client.ready()
        for frame in range(12):
            applied = Applied(plans[-1].seq, frame) if plans else None
            plan = await client.ask(Tick(frame + 1, frame, applied=applied))
            plans.append(plan)
            chords = [run for run in plan.chords for _ in range(run.length)]
            starts = [run.start for run in plan.chords]
            assert starts == [plan.first_frame, *(run.start + run.length for run in plan.chords[:-1])]
            assert (plan.first_frame, len(chords)) == (frame + 1, 16)
            assert plan.committed_until == frame + 1 + 4
            for ahead in range(plan.first_frame, plan.committed_until):
                run = chords[ahead - plan.first_frame]
                struck = run.onset and run.start == ahead
                assert promised.setdefault(ahead, (run.symbol, run.pitches, struck)) == (run.symbol, run.pitches, struck)
    assert len({symbol for symbol, _, _ in promised.values()}) == 3


# ---- S ----


async def test_null_leaves_a_setting_as_it_is(house):
    """S1: as if it had been left out."""
    async with house.client(JSON) as client:
        before = (await client.hello()).settings
        answer = await client.ask(json.dumps({"type": "configure", "bpm": None, "commit_beats": 0, "density": None}))
    assert (answer.settings.bpm, answer.settings.commit_beats, answer.settings.density) == (before.bpm, 0, before.density)


async def test_a_reset_begins_the_grid_anew(house):
    """S4, P7: the silence counts from frame 0 again, ticks may start anywhere, seq goes on rising, bars count from frame 0."""
    async with house.client() as client:
        await client.ready()
        await client.ask(Configure(silence_beats=2, beats_per_bar=3))
        await client.ask(Tick(7, 100))
        await client.ask(Configure(beats_per_bar=5))
        assert (await client.ask(Reset())).from_frame == 0
        assert (await client.ask(Tick(7, 0))).field == "$.tick.seq"
        assert await client.ask(Tick(8, 0)) == Keep(8, "listening")
        assert (await client.ask(Tick(9, 3))).first_frame == 4
        await client.ask(Reset())
        assert (await client.ask(Tick(10, 900))).first_frame == 901
    assert [(request.bar_line, request.first_frame) for request in house.worker.requests] == [(0, 101), (0, 4), (0, 901)]


# ---- H ----


async def heard_after(client, house, *messages):
    """The melody a worker is told after a history that ends with a note of frame 9 alone, and these messages."""
    history = History(10, 8, melody=[MelodyRun(9, 1, 60)], chords=[SymbolRun(8, 3, "N", False)])
    await client.send(history)
    for message in messages:
        assert isinstance(await client.ask(message), Plan)
    return unpack_values(house.worker.requests[-1].melody)


async def test_a_note_that_reaches_the_end_of_a_history_must_be_released_again(house):
    """H7: without that it sounds on."""
    async with house.client() as client:
        await client.ready()
        assert await heard_after(client, house, Tick(1, 12)) == [0, note_onset(60), note_hold(60), note_hold(60)]
        assert await heard_after(client, house, Tick(2, 12, [NoteEvent(10, 60, False)])) == [0, note_onset(60), 0, 0]
        error = await client.ask(History(10, 10, chords=[SymbolRun(10, 1, "N")]), Tick(3, 12, [NoteEvent(9, 60, False)]))
        assert (error.code, error.seq) == ("bad_event", 3)


async def test_a_history_has_no_answer_but_the_ticks_it_overtakes_do(house):
    """H6, H4, H3: the plan in it binds the next one; for N `onset` means nothing."""
    pending = PendingPlan(1, 14, [SymbolRun(11, 2, "N", False), SymbolRun(13, 4, "G")])
    async with house.client() as client:
        await client.ready()
        house.worker.hold = True
        await client.send(Tick(1, 5), History(10, 8, chords=[SymbolRun(8, 1, "C"), SymbolRun(9, 2, "N", True)], plan=pending))
        assert await client.next() == Keep(1, "superseded")
        house.worker.hold = False
        plan = await client.ask(Tick(2, 11, applied=Applied(1, 11)))
    assert [(run.start, run.symbol) for run in plan.chords][:2] == [(12, "N"), (13, "G")]


async def test_a_refused_history_leaves_the_session_as_it_was(house):
    """H2, H3, E2: gaps are refused, and the jam goes on."""
    async with house.client() as client:
        await client.ready()
        await client.ask(Tick(1, 0))
        error = await client.ask(History(10, 8, chords=[SymbolRun(8, 1, "C"), SymbolRun(9, 1, "C")]))
        assert isinstance(error, Error)
        assert (error.code, error.field) == ("bad_history", "$.history.chords")
        assert (await client.ask(Tick(2, 1))).first_frame == 2


async def test_before_its_tick_a_client_may_send_everything_it_knows(house):
    """H6, H5: stateless: the request is the same whether the session was there all along or not."""
    async with house.client() as there, house.client() as new:
        await there.ready()
        await there.ask(Tick(1, 0))
        await there.ask(Tick(2, 6, [NoteEvent(2, 60, True), NoteEvent(4, 60, False)]))
        await new.ready()
        seed = house.worker.requests[-1].seed
        await new.send(History(5, 0, [MelodyRun(2, 2, 60)], [SymbolRun(0, 6, "N")], seed=seed))
        await new.ask(Tick(1, 6))
    one, other = house.worker.requests[-2:]
    assert (one.chords, one.melody, one.seed, one.first_frame) == (other.chords, other.melody, other.seed, other.first_frame)
