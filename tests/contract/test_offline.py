"""What an offline model is for, on the wire of a real gateway: warm starts (P10, H8) and whole melodies (W)."""

import json

import pytest

from schema.chords import Chord
from schema.client_messages import (
    Applied,
    Configure,
    Harmonize,
    Harmonized,
    History,
    Keep,
    MelodyRun,
    NoteEvent,
    PendingPlan,
    Plan,
    SymbolRun,
    Tick,
)
from schema.codec import JSON, MSGPACK, encode
from schema.engine_messages import unpack_values
from schema.grid import FRAMES_PER_BEAT
from schema.tokens import NOTHING, chord_hold, chord_onset
from tests.doubles import MODELS, OFFLINE_MODEL

C, G, E = Chord(0, "maj"), Chord(7, "maj"), Chord(4, "maj")
SILENCE_BEATS = 2
SLOW = Configure(bpm=20.0, silence_beats=SILENCE_BEATS, commit_beats=1)
NOTES = [NoteEvent(0, 67, True), NoteEvent(2, 64, True)]  # G, then E
WARM = [SymbolRun(0, 2, "G"), SymbolRun(2, 6, "E")]  # the opening, its last chord held to the end of the silence
A_TUNE = [MelodyRun(frame, 4, 60 + frame // 4 % 12) for frame in range(0, 600, 4)]


@pytest.fixture
async def full_house(open_house):
    """A gateway whose worker has an offline model too, and lets a test send much."""
    return await open_house(models=(*MODELS, OFFLINE_MODEL), messages_per_second=10_000.0, message_burst=10_000)


async def warm(client):
    """Play two notes in the silence and get the first plan."""
    welcome = await client.hello()
    await client.ask(SLOW)
    assert isinstance(await client.ask(Tick(1, 2, NOTES)), Keep)
    return welcome, await client.ask(Tick(2, 3))


def pending(plan):
    return PendingPlan(plan.seq, plan.committed_until, [SymbolRun(run.start, run.length, run.symbol, run.onset) for run in plan.chords])


def adjoining(parts, first_frame=0):
    """Check W2 and give all runs."""
    for part in parts:
        assert part.first_frame == first_frame
        for run in part.chords:
            assert run.start == first_frame
            assert bool(run.pitches) == (run.symbol != "N")
            first_frame += run.length
        assert part.until == first_frame
    return [run for part in parts for run in part.chords]


async def harmonized(client, message):
    """All parts of the answer."""
    parts = [await client.ask(message)]
    while parts[-1].until < message.frames:
        parts.append(await client.next())
    assert {(part.seq, part.frames) for part in parts} == {(message.seq, message.frames)}
    return parts


# ---- P10, H8 ----


async def test_the_silence_is_harmonised_and_never_sounds(full_house):
    """P10: the offline model hears the notes, the live one is asked as after a rest; from its first chord on it sees what was heard."""
    async with full_house.client() as client:
        _, plan = await warm(client)
        await client.ask(Tick(3, 7, applied=Applied(2, 4)))
        await client.ask(Tick(4, 8))
    opening, request, before, after = full_house.worker.requests
    assert (opening.model, opening.window_start, opening.first_frame, opening.lookahead_frames) == ("toy-offline", 0, 0, 4)
    assert (request.model, request.first_frame) == ("toy", 4)
    assert unpack_values(request.chords) == unpack_values(before.chords)[:8] == [NOTHING] * 8
    assert [(run.start, run.length, run.symbol, run.onset) for run in plan.chords] == [
        (4, 4, "N", False),
        (8, 8, "C", True),
        (16, 4, "C", True),
    ]
    assert plan.warm_start == WARM
    assert unpack_values(after.chords)[:9] == [chord_onset(G), chord_hold(G), chord_onset(E), *[chord_hold(E)] * 5, chord_onset(C)]
    assert full_house.metric("warm_starts_total", outcome="done") == 1


async def test_every_plan_brings_it_until_one_is_applied(full_house):
    """P10, T5, P7: and all of them leave the silence silent."""
    async with full_house.client() as client:
        _, first = await warm(client)
        second = await client.ask(Tick(3, 4))
        third = await client.ask(Tick(4, 5, applied=Applied(3, 5)))
    assert first.warm_start == second.warm_start == WARM
    assert third.warm_start == []
    for plan in (first, second, third):
        assert all(run.symbol == "N" for run in plan.chords if run.start < SILENCE_BEATS * FRAMES_PER_BEAT)


async def test_without_notes_or_without_a_model_the_jam_begins_cold(full_house, open_house):
    """P10: there is nothing to harmonise, or nobody to do it."""
    other = await open_house()
    for house, notes in ((full_house, []), (other, NOTES)):
        async with house.client() as client:
            await client.hello()
            await client.ask(SLOW)
            await client.ask(Tick(1, 2, notes))
            assert (await client.ask(Tick(2, 3))).warm_start == []
        (request,) = house.worker.requests
        assert unpack_values(request.chords) == [NOTHING] * 8


async def test_a_warm_start_that_fails_costs_one_plan(full_house):
    """P10, P6: the tick is kept, the next one tries again."""
    async with full_house.client() as client:
        await client.hello()
        await client.ask(SLOW)
        full_house.worker.problem = "not now"
        await client.ask(Tick(1, 2, NOTES))
        assert await client.ask(Tick(2, 3)) == Keep(2, "unavailable")
        full_house.worker.problem = ""
        plan = await client.ask(Tick(3, 4))
    assert (plan.first_frame, plan.warm_start) == (5, WARM)
    assert full_house.metric("warm_starts_total", outcome="unavailable") == 1


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
async def test_sent_back_it_is_what_it_was(full_house, subprotocol):
    """H8, H5: the request after a resume is that of the jam without interruption; without the echo the silence is a rest."""
    async with full_house.client(subprotocol) as there:
        welcome, plan = await warm(there)
        await there.ask(Tick(3, 8, applied=Applied(2, 4)))
    history = History(4, 0, [MelodyRun(0, 2, 67), MelodyRun(2, 2, 64)], [SymbolRun(0, 5, "N")], pending(plan), welcome.seed)
    for echo in (plan.warm_start, []):
        async with full_house.client(subprotocol) as new:
            await new.hello()
            await new.ask(SLOW)
            resumed = History(4, 0, history.melody, history.chords, history.plan, history.seed, warm_start=echo)
            await new.send(resumed)
            assert isinstance(await new.ask(Tick(3, 8, applied=Applied(2, 5))), Plan)
    one, with_echo, without = full_house.worker.requests[-3:]
    assert (one.chords, one.melody, one.seed) == (with_echo.chords, with_echo.melody, with_echo.seed)
    assert unpack_values(one.chords)[2] == chord_onset(E)
    assert unpack_values(without.chords)[:8] == [NOTHING] * 8


async def test_a_warm_start_with_gaps_is_refused(full_house):
    """H8: it is read like every other run."""
    async with full_house.client() as client:
        await client.ready()
        error = await client.ask(History(1, 0, chords=[SymbolRun(0, 2, "N")], warm_start=[SymbolRun(0, 2, "C"), SymbolRun(3, 1, "C")]))
        assert (error.code, error.field) == ("bad_history", "$.history.warm_start[1].start")


async def test_offline_models_are_not_for_live_plans(full_house):
    """C4, S1: `welcome` does not list them, and they cannot be chosen."""
    async with full_house.client() as client:
        assert (await client.hello()).models == ["toy", "toy-s"]
        assert (await client.ask(Configure(model="toy-offline"))).code == "unknown_model"


async def test_with_offline_models_only_there_are_no_seats(open_house):
    """C8: nobody could play."""
    house = await open_house(models=(OFFLINE_MODEL,))
    async with house.client() as client:
        assert (await client.closed()).code == 1013


# ---- W ----


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
async def test_a_whole_melody_gets_its_chords(full_house, subprotocol):
    """W1, W2: every frame, in adjoining parts, from the model that hears ahead."""
    async with full_house.client(subprotocol) as client:
        await client.hello()
        parts = await harmonized(client, Harmonize(7, 600, A_TUNE))
    runs = adjoining(parts)
    assert [part.until for part in parts] == [192, 256, 320, 384, 448, 512, 600]
    assert [(run.start, run.length, run.symbol, run.onset) for run in runs[:3]] == [
        (0, 4, "C", True),
        (4, 4, "Db", True),
        (8, 4, "D", True),
    ]
    assert len(runs) == 150
    assert {request.model for request in full_house.worker.requests} == {"toy-offline"}


async def test_the_jam_goes_on_beside_it(full_house):
    """W1: a melody that the worker is long about delays no plan, and no reset ends it."""
    worker = full_house.worker
    async with full_house.client() as composer, full_house.client() as player:
        await composer.ready()
        await player.ready()
        worker.hold = True
        await composer.send(Harmonize(1, 8, A_TUNE[:2]))
        await full_house.until(lambda: worker.requests)
        worker.hold = False
        assert isinstance(await composer.ask(Tick(1, 0)), Plan)
        assert isinstance(await player.ask(Tick(1, 0)), Plan)
        worker.release()
        assert isinstance(await composer.next(), Harmonized)


async def test_given_chords_come_back_and_the_rest_fits(full_house):
    """W3: the part that was given is unchanged; all of it given is all of the answer."""
    given = [SymbolRun(0, 2, "Am7"), SymbolRun(2, 2, "N", False)]
    async with full_house.client() as client:
        await client.hello()
        (part,) = await harmonized(client, Harmonize(1, 8, A_TUNE[:2], given))
        assert [(run.start, run.length, run.symbol) for run in part.chords] == [(0, 2, "Am7"), (2, 2, "N"), (4, 4, "Db")]
        (part,) = await harmonized(client, Harmonize(2, 4, A_TUNE[:1], given))
    assert [(run.start, run.length, run.symbol) for run in part.chords] == [(0, 2, "Am7"), (2, 2, "N")]
    assert len(full_house.worker.requests) == 1


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Harmonize(3, 8, [MelodyRun(0, 4, 60), MelodyRun(3, 1, 60)]), "$.harmonize.melody[1].start"),
        (Harmonize(3, 8, [MelodyRun(0, 9, 60)]), "$.harmonize.melody[0].length"),
        (Harmonize(3, 8, chords=[SymbolRun(0, 9, "C")]), "$.harmonize.chords"),
        (Harmonize(3, 8, chords=[SymbolRun(1, 1, "C")]), "$.harmonize.chords[0].start"),
        (Harmonize(3, 8, chords=[SymbolRun(0, 1, "C", False)]), "$.harmonize.chords[0].onset"),
    ],
)
async def test_melodies_that_cannot_be_are_refused(full_house, message, field):
    """W3, E1: with the path of the field and the seq; then another may be sent."""
    async with full_house.client() as client:
        await client.hello()
        error = await client.ask(message)
        assert (error.code, error.field, error.seq) == ("bad_history", field, 3)
        await harmonized(client, Harmonize(4, 8))


async def test_one_melody_at_a_time(full_house):
    """W4: the second one has to wait for the last part of the first."""
    async with full_house.client() as client:
        await client.hello()
        full_house.worker.hold = True
        error = await client.ask(Harmonize(1, 8), Harmonize(2, 8))
        assert (error.code, error.seq, error.retry) == ("busy", 2, True)
        full_house.worker.release()
        assert (await client.next()).seq == 1
        await harmonized(client, Harmonize(2, 8))


async def test_without_offline_model_or_worker(full_house, house):
    """W4, W2: an error with the seq; the parts before it stand."""
    async with house.client() as client:
        await client.hello()
        error = await client.ask(Harmonize(1, 8))
        assert (error.code, error.field, error.seq, error.retry) == ("unknown_model", "$.harmonize", 1, False)
    async with full_house.client() as client:
        await client.hello()
        full_house.worker.hold = True
        await client.send(Harmonize(1, 300, A_TUNE[:75]))
        await full_house.until(lambda: full_house.worker.requests)
        full_house.worker.problem = "out of order"
        full_house.worker.release()
        error = await client.next()
        assert (error.code, error.seq, error.retry) == ("unavailable", 1, True)
        full_house.worker.problem = ""
        await harmonized(client, Harmonize(1, 300, A_TUNE[:75]))


async def test_a_long_melody_goes_in_stretches(full_house):
    """W5, C5: each begins on a bar line some bars before the last one ends, and fits one message."""
    tune = [MelodyRun(frame, 4, 60 + frame // 4 % 12) for frame in range(0, 1600, 4)]
    async with full_house.client() as client:
        await client.hello()
        whole: list[SymbolRun] = []
        start = end = 0
        while end < 1600:
            start = max(0, end - 64)
            chords = [SymbolRun(run.start - start, run.length, run.symbol, run.onset) for run in whole if run.start >= start]
            notes = [MelodyRun(run.start - start, run.length, run.pitch) for run in tune if run.start >= start][:200]
            message = Harmonize(1, min(800, 1600 - start), notes, chords)
            assert len(encode(message, MSGPACK)) <= 16_384
            runs = adjoining(await harmonized(client, message))
            whole += [SymbolRun(start + run.start, run.length, run.symbol, run.onset) for run in runs if start + run.start >= end]
            end = start + message.frames
    assert [run.start for run in whole] == list(range(0, 1600, 4))
    assert {run.symbol for run in whole[12::12]} == {"C"}


async def test_the_same_question_has_the_same_answer(full_house):
    """W6: whatever was played or asked before; the request holds all there is to know."""
    async with full_house.client(JSON) as client:
        await client.hello()
        first = await harmonized(client, Harmonize(1, 300, A_TUNE[:75], bar_line=4))
        await client.ask(Configure(silence_beats=0, bpm=20.0))
        await client.ask(Tick(1, 0))
        again = await harmonized(client, Harmonize(1, 300, A_TUNE[:75], bar_line=4))
    assert json.loads(encode(again[0], JSON)) == json.loads(encode(first[0], JSON))
    assert again == first
    asked = [request for request in full_house.worker.requests if request.model == "toy-offline"]
    assert asked[: len(first)] == asked[len(first) :]
