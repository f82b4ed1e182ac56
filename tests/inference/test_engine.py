"""The engine at toy sizes against plans by the book: whatever slot, batch, bucket or history, the same chords."""

import re

import jax
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.engine import Engine, programs
from inference.loop import Resident, answer, look_ahead
from inference.model import CACHE_POSITIONS
from inference.packing import row_width
from inference.planner import Bucket, Progress, SlotMemory
from inference.settings import LIVE, OFFLINE
from schema.engine_messages import ModelInfo, pack_values, unpack_values
from schema.tokens import NUM_CHORDS, chord_hold, chord_onset, first_break
from tests.doubles import C_MAJOR
from tests.inference.jams import Jam, Move, moves, whole_melodies, whole_melody
from tests.tiny import OFFLINE_SIZES, SIZES, model_of, tiny_weights
from training.rollouts import plain_plan

NEAR_TIE = 1e-4  # float32 adds in another order: candidates this close may change places
BUCKETS = (Bucket(1, 1, 4), Bucket(2, 1, 1), Bucket(2, 64, 1))
OTHER_BUCKETS = (Bucket(4, 16, 4), Bucket(4, 1, 1))
CHECKING_BUCKETS = (Bucket(2, 1, 1), Bucket(2, 64, 1), Bucket(2, 4, 4, True))
SLOTS = 2
INFO = ModelInfo("tiny", "online", 0.8)
OFFLINE_INFO = ModelInfo("tiny-offline", "offline", 0.8)
OFFLINE_BUCKETS = (Bucket(2, 1, 1), Bucket(2, 1, 8), Bucket(2, 64, 1))


@pytest.fixture(scope="module")
def weights():
    return tiny_weights()


@pytest.fixture(scope="module")
def book(weights):
    return model_of(weights)


@pytest.fixture(scope="module")
def engine(weights):
    """Fewer slots than sessions, small batches."""
    made = Engine(SIZES, weights, slots=SLOTS, buckets=BUCKETS)
    made.warm_up()
    return made


@pytest.fixture(scope="module")
def offline_weights():
    return tiny_weights(sizes=OFFLINE_SIZES)


@pytest.fixture(scope="module")
def offline_book(offline_weights):
    return model_of(offline_weights, OFFLINE_SIZES)


@pytest.fixture(scope="module")
def offline_engine(offline_weights):
    """Fewer slots than askers."""
    made = Engine(OFFLINE_SIZES, offline_weights, slots=SLOTS, buckets=OFFLINE_BUCKETS)
    made.warm_up()
    return made


@pytest.fixture(scope="module")
def other_engine(weights):
    """Other rows, other positions at once, more decisions."""
    made = Engine(SIZES, weights, slots=5, buckets=OTHER_BUCKETS)
    made.warm_up()
    return made


def served(engine, buckets, requests, info=INFO):
    """The plans of a fresh scheduler for requests that come together."""
    return plans_of(Resident(info, engine, buckets), requests)


def plan_by_book(book, request):
    return plain_plan(book, request).chords


def plans_of(resident, requests):
    return {reply.session: unpack_values(reply.chords) for reply in answer(resident, requests)}


def assert_same(book, request, chords):
    """Token for token, unless the best two candidates were too close to tell."""
    plain = plain_plan(book, request)
    assert len(chords) == request.lookahead_frames
    assert first_break([*unpack_values(request.chords)[: request.first_frame - request.window_start], *chords], NUM_CHORDS) is None
    if chords != plain.chords:
        parted = next(i for i, (a, b) in enumerate(zip(chords, plain.chords, strict=True)) if a != b)
        assert min(plain.margins[: parted + 1]) < NEAR_TIE, (parted, chords, plain)


@pytest.fixture(scope="module")
def checking_engine(weights):
    """Checks drafts four positions at a time."""
    made = Engine(SIZES, weights, slots=SLOTS, buckets=CHECKING_BUCKETS)
    made.warm_up()
    return made


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(turns=st.lists(st.tuples(st.sets(st.sampled_from("abc"), min_size=1), moves), min_size=6, max_size=6))
def test_every_plan_is_the_one_by_the_book(engine, book, temperature, turns):
    """Three sessions in two slots, in three and four, one of them about to hop with its window: evicted, amended, resumed."""
    resident = Resident(INFO, engine, BUCKETS)
    jams = {
        "a": Jam("a", history=2, temperature=temperature),
        "b": Jam("b", history=30, temperature=temperature, beats_per_bar=3, seed=2**32 - 1),
        "c": Jam("c", history=247, temperature=temperature),
    }
    for names, move in turns:
        requests = {name: jams[name].ask(move) for name in sorted(names)}
        for name, chords in plans_of(resident, list(requests.values())).items():
            assert_same(book, requests[name], chords)
            jams[name].hear(chords)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_plans_that_were_guessed_are_those_by_the_book(other_engine, book, temperature):
    """The player does what was anticipated, then each of the likeliest other things in turn: no step is left, nothing else changes."""
    resident, jam = Resident(INFO, other_engine, OTHER_BUCKETS), Jam("a", history=20, temperature=temperature)
    steps = []
    for turn in range(5):
        request = jam.ask(Move(commit=2))
        (reply,) = answer(resident, [request])
        steps.append(reply.steps)
        chords = unpack_values(reply.chords)
        assert_same(book, request, chords)
        jam.hear(chords)
        memory = resident.scheduler._slots.sessions["a"].memory
        open_frame = memory.frames[len(unpack_values(request.melody))]
        assert len(set(open_frame.likely)) == len(open_frame.likely) == 4
        likeliest = list(dict.fromkeys((open_frame.melody, *open_frame.likely)))
        while look_ahead(resident):
            pass
        jam.melody[-1] = likeliest[turn % 4]
    assert steps[1:] == [0] * 4


@pytest.mark.parametrize("open_frame", [False, True])
def test_a_long_jam_through_a_window_hop(engine, book, open_frame):
    """Frame after frame in one slot, mostly with the note that was anticipated not coming."""
    resident, jam, starts = Resident(INFO, engine, BUCKETS), Jam("a", history=245, temperature=1.0), set()
    for frame in range(8):
        request = jam.ask(Move(notes=(62 + frame % 3,), open=open_frame, commit=frame % 4))
        starts.add(request.window_start)
        (chords,) = plans_of(resident, [request]).values()
        assert_same(book, request, chords)
        jam.hear(chords)
    assert starts == {0, 64}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("history", [20, 245])
def test_a_draft_checked_at_once_gives_the_plan_by_the_book(checking_engine, book, temperature, history):
    """Two sessions, one of them about to hop, whose players do what was not expected: fewer calls than frames, the same chords."""
    resident = Resident(INFO, checking_engine, CHECKING_BUCKETS)
    jams = [Jam("a", history=history, temperature=temperature), Jam("b", history=9, temperature=temperature, seed=5)]
    calls = frames = 0
    for turn in range(8):
        requests = [jam.ask(Move(notes=(62 + turn % 3,), commit=turn % 4, lookahead=12)) for jam in jams[: 1 + turn % 2]]
        replies = {reply.session: reply for reply in answer(resident, requests)}
        for jam, request in zip(jams, requests, strict=False):
            chords = unpack_values(replies[request.session].chords)
            assert_same(book, request, chords)
            jam.hear(chords)
        if turn > 1:
            calls += sum(reply.steps for reply in replies.values())
            frames += 13 * len(replies)
    assert calls < frames


def test_plans_depend_on_what_they_should(book):
    """A test of these tests: history, seed, temperature and controls all change the plan of these weights."""
    request = Jam("a", history=30, temperature=1.0).ask(Move())
    plain = plain_plan(book, request).chords
    changes = ({"seed": 8}, {"temperature": 0.0}, {"density": 5}, {"style": 4}, {"beats_per_bar": 3}, {"bar_line": 2})
    others = [msgspec.structs.replace(request, **change) for change in changes]
    others.append(msgspec.structs.replace(request, melody=pack_values([0] * 30), temperature=0.0))
    plans = [plain_plan(book, other).chords for other in others]
    assert all(plan != plain for plan in plans)
    assert plans[1] != plans[-1]


def test_batch_mates_slots_and_buckets_do_not_matter(engine, other_engine):
    """Alone or among others, in two rows or four, fed sixteen or sixty-four at once, decided one or four at once."""
    requests = [Jam(name, history=12 + 30 * index, seed=index).ask(Move()) for index, name in enumerate("abcd")]
    together = served(engine, BUCKETS, requests)
    assert served(other_engine, OTHER_BUCKETS, requests[::-1]) == together
    for request in requests:
        assert served(engine, BUCKETS, [request])[request.session] == together[request.session]


def test_padding_rows_change_no_slot(engine):
    """A call with fewer rows than its bucket leaves every other slot as it was."""
    before = np.array(engine._cache.keys[0])  # a copy: the cache itself is written in place
    progress = Progress(Jam("a", history=3, beats_per_bar=5).ask(Move()), 1, SlotMemory())  # no other test has five beats
    engine.run([progress.next_work(64, 1)], Bucket(2, 64, 1))
    after = np.array(engine._cache.keys[0])
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1, ..., :4] != after[1, ..., :4]).any()


def test_committed_chords_stand_and_what_follows_listens_to_them(engine, book):
    jam = Jam("a", history=20, temperature=0.0)
    request = jam.ask(Move())
    committed = [chord_onset(C_MAJOR)] + [chord_hold(C_MAJOR)] * 4
    given_some = msgspec.structs.replace(request, chords=request.chords + pack_values(committed))
    (chords,) = served(engine, BUCKETS, [given_some]).values()
    assert chords[:5] == committed
    assert_same(book, given_some, chords)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(asked=st.lists(whole_melodies("abc"), min_size=4, max_size=8))
def test_every_harmonization_is_the_one_by_the_book(offline_engine, offline_book, temperature, asked):
    """Three askers in two slots: alone and together, from nothing and from given chords, anew and again."""
    resident = Resident(OFFLINE_INFO, offline_engine, OFFLINE_BUCKETS)
    for start in range(0, len(asked), 2):
        requests = {r.session: msgspec.structs.replace(r, temperature=temperature) for r in asked[start : start + 2]}
        for name, chords in plans_of(resident, list(requests.values())).items():
            assert_same(offline_book, requests[name], chords)


def test_an_offline_model_hears_what_comes_after_the_frames_it_harmonises(offline_engine, offline_book):
    """Another melody behind the plan's end, other chords; what lies beyond the known melody is not heard."""
    request = whole_melody("a", [62, 65, 69, 62] * 4, frames=8, temperature=0.0)
    other = msgspec.structs.replace(request, session="b", melody=whole_melody("b", [62, 65, 40, 41] * 4).melody)
    plans = served(offline_engine, OFFLINE_BUCKETS, [request, other], OFFLINE_INFO)
    assert plans["a"] != plans["b"]
    assert plan_by_book(offline_book, request) == plans["a"]
    assert plan_by_book(offline_book, other) == plans["b"]


def test_models_of_one_shape_share_what_is_compiled_and_nothing_else(weights, book):
    """A second model compiles nothing, and plays by its own weights while the first plays by its own."""
    programs.cache_clear()  # other engines of this process may have pushed these out
    engine, others = Engine(SIZES, weights, slots=SLOTS, buckets=BUCKETS), tiny_weights(seed=5)
    engine.warm_up()
    before = engine.compiled
    second = Engine(SIZES, others, slots=SLOTS, buckets=BUCKETS)
    second.warm_up()
    assert second.compiled == engine.compiled == before
    request = Jam("a", history=9).ask(Move(lookahead=7))
    for made, by_book in ((engine, book), (second, model_of(others)), (engine, book)):
        assert served(made, BUCKETS, [request])["a"] == plan_by_book(by_book, request)


def test_nothing_compiles_after_warm_up(weights):
    """Any request meets a compiled shape."""
    programs.cache_clear()  # other engines of this process may have compiled shapes of their own
    engine = Engine(SIZES, weights, slots=SLOTS, buckets=BUCKETS)
    engine.warm_up()
    before = engine.compiled
    assert before == len(BUCKETS) + 1  # and the copying of slots
    for history in (1, 3, 66, 200):
        resident = Resident(INFO, engine, BUCKETS)
        plans_of(resident, [Jam(name, history=history).ask(Move(lookahead=7)) for name in "abc"])
        assert look_ahead(resident)
    assert engine.compiled == before


def test_more_rows_than_a_bucket_holds_are_a_bug(engine):
    works = [Progress(Jam("a").ask(Move()), slot, SlotMemory()).next_work(4, 1) for slot in range(2)]
    with pytest.raises(AssertionError):
        engine.run(works, Bucket(1, 1, 4))


@pytest.mark.slow
@pytest.mark.parametrize("bucket", LIVE.buckets + LIVE.checks, ids=str)
def test_no_bucket_copies_the_whole_cache(weights, bucket):
    """The cache is donated and written in place: XLA's program holds no copy of it (see `settings`)."""
    assert not whole_cache_copies(weights, bucket)


@pytest.mark.slow
def test_copying_a_slot_copies_no_whole_cache(weights):
    engine = Engine(SIZES, weights, slots=LIVE.slots, buckets=[])
    program = engine._programs.copy.lower(engine._cache, np.zeros((1, 2, 2), np.int32)).compile().as_text()
    assert not copies_in(program, SIZES)


@pytest.mark.slow
def test_a_copy_of_the_whole_cache_would_be_seen(weights):
    """A test of the test above: a cache that is not given away must be copied."""
    assert whole_cache_copies(weights, LIVE.buckets[0], donate=False)


@pytest.mark.slow
@pytest.mark.parametrize("bucket", OFFLINE.buckets, ids=str)
def test_no_offline_bucket_copies_the_whole_cache(offline_weights, bucket):
    assert not whole_cache_copies(offline_weights, bucket, OFFLINE_SIZES)


def whole_cache_copies(weights, bucket, sizes=SIZES, *, donate=True):
    engine = Engine(sizes, weights, slots=LIVE.slots, buckets=[bucket])
    packed = np.zeros((bucket.rows, row_width(bucket)), np.int32)
    call = engine._programs.call
    call = call if donate else jax.jit(call.__wrapped__, static_argnames="bucket")
    program = call.lower(engine._weights, engine._cache, engine._heard, packed, bucket=bucket).compile().as_text()
    return copies_in(program, sizes)


def copies_in(program, sizes):
    row = (LIVE.slots + 1, sizes.kv_heads)
    shapes = [
        f"f32[{','.join(map(str, (*row, *rest)))}]" for rest in ((sizes.head_width, CACHE_POSITIONS), (CACHE_POSITIONS, sizes.head_width))
    ]
    assert all(shape in program for shape in shapes)
    return [found for shape in shapes for found in re.findall(re.escape(shape) + r"\S* copy\(.*", program)]
