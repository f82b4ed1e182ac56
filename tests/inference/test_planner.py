"""What of a request is known, what must be computed, when a plan is complete: checked against plans made by hand."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.planner import BadRequest, Bucket, Decision, Progress, SlotMemory
from inference.toy_engine import ToyEngine, plan_by_hand
from schema.chords import Chord
from schema.engine_messages import pack_values, unpack_values
from schema.grid import HOP_FRAMES
from schema.tokens import HOLD_ACTION, NUM_CHORDS, NUM_PITCHES, chord_onset, note_onset, value_of
from tests.doubles import C_MAJOR
from tests.inference.jams import Jam, Move, histories, long_histories, moves, whole_melodies, whole_melody

CHECK = "check"  # in place of decisions: the draft, at once
chunks = st.lists(st.tuples(st.sampled_from((1, 2, 5, 64)), st.sampled_from((1, 2, 4, 20, CHECK))), min_size=1, max_size=3)


class Slot:
    """One slot of a toy engine, planned in directly."""

    def __init__(self, *, offline=False):
        self.engine = ToyEngine(1, offline=offline)
        self.offline = offline
        self.memory = SlotMemory()

    def plan(self, request, sizes=((64, 4),)):
        """Plan to the end with chunk sizes taken in turn."""
        progress = Progress(request, 0, self.memory, offline=self.offline)
        calls = 0
        while not progress.done:
            positions, decisions = sizes[calls % len(sizes)]
            self.step(progress, positions, decisions)
            calls += 1
        return progress

    def step(self, progress, positions=64, decisions=1):
        at_once = decisions == CHECK
        if at_once and progress.positions_left() <= positions:
            work = progress.next_check(positions)
        else:
            work = progress.next_work(positions, 1 if at_once else decisions)
        (decided,) = self.engine.run([work], Bucket(1, positions, max(1, work.decisions), at_once))
        progress.absorb(work, decided)


def replay(jam, sequence, sizes):
    """Plan every move in one slot; every plan must be the one made by hand."""
    slot = Slot()
    for move in sequence:
        request = jam.ask(move)
        progress = slot.plan(request, sizes)
        assert progress.chords() == plan_by_hand(request)
        assert progress.reused + progress.steps >= progress.end - progress.first or CHECK in [how for _, how in sizes]
        jam.hear(progress.chords())


@settings(max_examples=120, deadline=None)
@given(history=histories, sequence=st.lists(moves, min_size=1, max_size=12), sizes=chunks)
def test_any_sequence_in_one_slot_is_planned_as_by_hand(history, sequence, sizes):
    replay(Jam("a", history=history), sequence, sizes)


@settings(max_examples=40, deadline=None)
@given(history=long_histories, sequence=st.lists(moves, min_size=4, max_size=8), sizes=chunks)
def test_plans_are_the_same_across_window_hops(history, sequence, sizes):
    replay(Jam("a", history=history), sequence, sizes)


@settings(max_examples=60, deadline=None)
@given(turns=st.lists(st.tuples(st.sampled_from("ab"), moves), min_size=2, max_size=12), stop_after=st.lists(st.integers(0, 4), min_size=1))
def test_a_slot_may_change_hands_and_plans_may_be_left_unfinished(turns, stop_after):
    """Sessions take turns in one slot; some requests are abandoned after a few calls."""
    slot, jams = Slot(), {"a": Jam("a", history=9), "b": Jam("b", history=4, seed=8)}
    for index, (name, move) in enumerate(turns):
        request = jams[name].ask(move)
        abandoned = Progress(request, 0, slot.memory)
        for _ in range(stop_after[index % len(stop_after)]):
            if not abandoned.done:
                slot.step(abandoned, positions=2)
        finished = slot.plan(request)
        assert finished.chords() == plan_by_hand(request)
        jams[name].hear(finished.chords())


@pytest.mark.parametrize("open_frame", [False, True])
@pytest.mark.parametrize("commit", [0, 4, 8])
def test_an_anticipated_frame_that_came_true_needs_one_step(open_frame, commit):
    jam, slot = Jam("a", history=20), Slot()
    jam.hear(slot.plan(jam.ask(Move(open=open_frame, commit=commit))).chords())
    for _ in range(20):
        frames = slot.memory.frames
        known = len(jam.melody) if open_frame else len(jam.melody) - 1
        move = Move(notes=(HOLD_ACTION,), open=open_frame, commit=commit)
        request = jam.ask(move)
        anticipated = [frame.melody for frame in frames][known : known + 1]
        melody = unpack_values(request.melody)[:known] + anticipated
        jam.melody[known:] = anticipated + jam.melody[known + 1 :]
        if not open_frame:  # the frame being played is not known yet; anything may stand there
            jam.melody[-1] = value_of(HOLD_ACTION, jam.melody[-2], NUM_PITCHES)
        request = msgspec.structs.replace(request, melody=pack_values(melody))
        progress = slot.plan(request)
        assert (progress.steps, progress.reused) == (1, progress.end - 1)
        assert progress.chords() == plan_by_hand(request)
        jam.hear(progress.chords())


def test_the_same_request_again_needs_no_step():
    slot, request = Slot(), Jam("a", history=30).ask(Move())
    first = slot.plan(request)
    again = Progress(request, 0, slot.memory)
    assert again.done
    assert (again.steps, again.reused, again.chords()) == (0, again.end, first.chords())


def test_a_shorter_lookahead_needs_no_step_and_a_longer_one_only_the_rest():
    jam, slot = Jam("a", history=30), Slot()
    long = slot.plan(jam.ask(Move(lookahead=8))).chords()
    short = slot.plan(jam.ask(Move(frames=0, lookahead=4)))
    assert (short.steps, short.chords()) == (0, long[:4])
    rest = slot.plan(jam.ask(Move(frames=0, lookahead=8)))
    assert (rest.steps, rest.chords()) == (4, long)


def test_an_unexpected_note_is_planned_on_from():
    """What follows the amended frame is decided anew, one step a frame; the first step feeds nothing but that frame."""
    jam, slot = Jam("a", history=30), Slot()
    jam.hear(slot.plan(jam.ask(Move(lookahead=8))).chords())
    expected = slot.memory.frames[30].melody
    other = note_onset(40) if expected != note_onset(40) else note_onset(41)
    request = jam.ask(Move(notes=(other + 1,)))
    request = msgspec.structs.replace(request, melody=pack_values([*unpack_values(request.melody)[:30], other]))
    progress = Progress(request, 0, slot.memory)
    assert (progress.reused, progress.positions_left(), progress.decisions_left()) == (30, 1, 9)
    assert progress.next_work(64, 4)._replace(request=None) == (0, 31, (jam.chords[30],), (other,), 4, (jam.chords[31],), (), None, 0)


class Steady(ToyEngine):
    """Begins a new chord every fourth frame, whatever it is fed, and a note with it."""

    def _row(self, work, bucket):
        known = len(work.chords) - work.drafted
        first = work.position + known - 1
        value = [chord_onset(Chord(frame // 4 % 12, "maj")) if frame % 4 == 0 else None for frame in range(first, first + work.decisions)]
        chord, melody = work.chords[known - 1], work.melody[known - 1]
        decided = []
        for index, onset in enumerate(value):
            if work.drafted and index:
                chord, melody = work.chords[known - 1 + index], work.melody[known - 1 + index]
            given_chord = work.given_chords[index] if index < len(work.given_chords) else None
            chord = given_chord or onset or value_of(HOLD_ACTION, chord, NUM_CHORDS)
            melody = value_of(HOLD_ACTION, melody, NUM_PITCHES)
            decided.append(Decision(chord, melody))
        return decided


@pytest.mark.parametrize(("positions", "calls"), [(1, 16), (4, 4), (5, 4), (8, 2), (16, 1)])
def test_a_draft_that_stands_is_decided_a_whole_call_at_a_time(positions, calls):
    """A note that nobody expected changes no action behind it: 16 frames, `positions` of them a call."""
    slot, jam = Slot(), Jam("a", history=20)
    slot.engine = Steady(1)
    before = slot.plan(jam.ask(Move(lookahead=17))).chords()
    jam.hear(before)
    progress = slot.plan(jam.ask(Move(notes=(1 + note_onset(41),), open=True, lookahead=16)), [(positions, CHECK)])
    assert progress.steps == calls
    assert progress.chords() == before[1:]


def test_the_first_frame_that_a_check_contradicts_ends_it_and_the_rest_is_the_next_draft():
    slot, request = Slot(), Jam("a", history=20).ask(Move(lookahead=8))
    plan = slot.plan(request)
    wrong = Decision(chord_onset(C_MAJOR), note_onset(1))
    right = slot.memory.frames[20:]
    slot.memory.cut(20)
    slot.memory.draft[2] = wrong
    progress = Progress(request, 0, slot.memory)
    work = progress.next_check(6)
    assert (work.drafted, work.chords[3], work.decisions) == (5, wrong.chord, 6)
    (decided,) = slot.engine.run([work], Bucket(1, 6, 6, True))
    progress.absorb(work, decided)
    assert slot.memory.frames[20:] == right[:3]
    assert slot.memory.draft[:3] == decided[3:]
    assert slot.memory.fed == 23
    assert slot.plan(request).chords() == plan.chords()


@settings(max_examples=40, deadline=None)
@given(history=st.integers(236, 250), moved=st.integers(4, 12))
def test_the_plan_of_the_window_before_is_the_draft_in_the_next(history, moved):
    """What will be asked in it stands where it stood."""
    slot, jam = Slot(), Jam("a", history=history)
    older = jam.ask(Move(lookahead=16))
    chords = slot.plan(older).chords()
    jam.hear(chords)
    request = jam.ask(Move(frames=moved, lookahead=16))
    progress = Progress(request, 0, slot.memory)
    if request.window_start == older.window_start:
        return
    assert progress.reused == 0
    drafted = [frame.chord for frame in slot.memory.draft[progress.first :]]
    assert drafted == chords[moved:]


@pytest.mark.parametrize("change", ["seed", "temperature"])
def test_other_noise_keeps_what_was_given_and_decides_the_rest_anew(change):
    jam, slot = Jam("a", history=30), Slot()
    slot.plan(jam.ask(Move()))
    progress = slot.plan(jam.ask(Move(frames=0, change=change)))
    assert (progress.reused, progress.steps) == (30, 9)  # the open frame's melody and eight frames


@pytest.mark.parametrize("change", ["density", "style", "metre", "bar_line"])
def test_other_controls_keep_nothing(change):
    jam, slot = Jam("a", history=30), Slot()
    slot.plan(jam.ask(Move()))
    progress = slot.plan(jam.ask(Move(frames=0, change=change)))
    assert (progress.reused, progress.steps) == (0, 9)


def test_a_window_hop_keeps_nothing():
    jam, slot = Jam("a", history=248), Slot()
    before = jam.ask(Move(frames=0))
    slot.plan(before)
    after = jam.ask(Move())
    assert (before.window_start, after.window_start) == (0, HOP_FRAMES)
    assert slot.plan(after).reused == 0


def test_committed_chords_are_given_not_decided():
    """A request may bring chords beyond its first frame; they stand, whatever the model would say."""
    request = Jam("a", history=10).ask(Move())
    committed = [NUM_CHORDS, 2 * NUM_CHORDS, 2 * NUM_CHORDS]
    request = msgspec.structs.replace(request, chords=request.chords + pack_values(committed))
    progress = Slot().plan(request)
    assert progress.chords()[:3] == committed
    assert progress.chords() == plan_by_hand(request)


def test_known_positions_are_fed_in_chunks_before_anything_is_decided():
    request = Jam("a", history=10).ask(Move(open=True))
    progress = Progress(request, 0, SlotMemory())
    fed = []
    while True:
        work = progress.next_work(5, 4)
        fed.append((work.position, len(work.chords), work.decisions))
        if work.decisions:
            break
        progress.absorb(work, [])
    assert fed == [(0, 5, 0), (5, 5, 0), (10, 2, 4)]
    assert work.chords[-1] == unpack_values(request.chords)[-1]


def test_memory_is_cut_with_its_keys():
    memory = SlotMemory(frames=[Decision(1, 1)] * 5, chosen=[(True, True)] * 5, fed=5)
    memory.cut(2)
    assert (len(memory.frames), len(memory.chosen), memory.fed) == (2, 2, 3)


def changed(**fields):
    return msgspec.structs.replace(Jam("a", history=9).ask(Move()), **fields)


REFUSED = [
    (changed(window_start=10), "expected history and plan within 256 frames, got 0 frames of history and 8 to plan"),
    (changed(lookahead_frames=0), "expected history and plan within 256 frames, got 10 frames of history and 0 to plan"),
    (changed(lookahead_frames=247), "expected history and plan within 256 frames, got 10 frames of history and 247 to plan"),
    (changed(chords=pack_values([0] * 9)), "expected chords up to frame 10 and melody up to frame 10, got 9 and 9"),
    (changed(chords=pack_values([0] * 19)), "expected chords up to frame 10 and melody up to frame 10, got 19 and 9"),
    (changed(melody=pack_values([0] * 8)), "expected chords up to frame 10 and melody up to frame 10, got 10 and 8"),
    (changed(melody=pack_values([0] * 11)), "expected chords up to frame 10 and melody up to frame 10, got 10 and 11"),
    (changed(melody=b"\1" * 9), "expected two bytes a frame, got 20 bytes of chords and 9 of melody"),
    (changed(chords=b"\1" * 21), "expected two bytes a frame, got 21 bytes of chords and 18 of melody"),
    (changed(chords=pack_values([0] * 9 + [9999])), "expected chords that keep the grammar, got 9999 at frame 9"),
    (changed(melody=pack_values([0, 1 + NUM_PITCHES, *[0] * 7])), "expected melody that keep the grammar, got 129 at frame 1"),
    (changed(density=6), "expected known controls, got density 6, style 0, 4 beats per bar"),
    (changed(style=-1), "expected known controls, got density 0, style -1, 4 beats per bar"),
    (changed(beats_per_bar=13), "expected known controls, got density 0, style 0, 13 beats per bar"),
]


@pytest.mark.parametrize(("request_", "sentence"), REFUSED)
def test_a_bad_request_is_refused_with_a_sentence_and_the_slot_untouched(request_, sentence):
    slot = Slot()
    good = Jam("a", history=9).ask(Move())
    slot.plan(good)
    with pytest.raises(BadRequest) as caught:
        Progress(request_, 0, slot.memory)
    assert str(caught.value) == sentence
    assert slot.plan(good).steps == 0


@settings(max_examples=100, deadline=None)
@given(asked=st.lists(whole_melodies("ab"), min_size=1, max_size=6), sizes=chunks)
def test_any_sequence_of_whole_melodies_in_one_slot_is_harmonised_as_by_hand(asked, sizes):
    """Melody after melody, with and without given chords, from bar lines that are no multiples of anything."""
    slot = Slot(offline=True)
    for request in asked:
        progress = slot.plan(request, sizes)
        assert progress.chords() == plan_by_hand(request, offline=True)


def test_the_same_melody_again_needs_no_step_and_another_one_all_of_them():
    """An offline model heard all of the melody before its first chord."""
    slot = Slot(offline=True)
    slot.plan(whole_melody("a", [60, 62, 64]))
    again = slot.plan(whole_melody("b", [60, 62, 64]))
    assert (again.steps, again.reused) == (0, 12)
    other = slot.plan(whole_melody("a", [60, 62, 65]))
    assert (other.steps, other.reused) == (12, 0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"melody": pack_values([60] * 3)}, "expected chords up to frame 0 and melody up to frame 12, got 0 and 3"),
        ({"first_frame": 63}, "expected history and plan within 256 frames, got -1 frames of history and 12 to plan"),
        ({"lookahead_frames": 300}, "expected history and plan within 256 frames, got 0 frames of history and 300 to plan"),
    ],
)
def test_what_no_offline_model_can_answer_is_refused(change, expected):
    request = msgspec.structs.replace(whole_melody("a", [60, 62, 64]), **change)
    with pytest.raises(BadRequest, match=expected):
        Progress(request, 0, SlotMemory(), offline=True)
