"""Idle time is spent on guesses at what comes next: they answer what was foreseen, and cost nobody a slot."""

import pytest

from inference.loop import guesses_at
from inference.planner import Bucket
from inference.toy_engine import plan_by_hand
from schema.engine_messages import unpack_values
from schema.grid import window_start
from schema.tokens import NOTHING
from tests.inference.driven import Device, asked
from tests.inference.jams import Jam, Move, whole_melody


def idle(device):
    """Look ahead until there is nothing left to guess; the calls it took."""
    calls = 0
    while (ahead := device.scheduler.look_ahead()) is not None:
        device.engine.copy(ahead.copies)
        device.scheduler.looked_ahead(ahead, device.engine.run(ahead.works, ahead.bucket))
        calls += 1
    return calls


@pytest.mark.parametrize("surprise", [0, 1, 2])
def test_what_was_guessed_is_answered_without_a_step(surprise):
    """As anticipated, or with another of the likeliest melody values: the plan is there already. The toy engine likes rest, D4 and F#4."""
    device, jam = Device(slots=5), Jam("a", history=9)
    device.scheduler.add(asked(jam), 0.0)
    (reply,) = device.drain()
    jam.hear(unpack_values(reply.chords))
    memory = device.scheduler._slots.sessions["a"].memory
    anticipated = memory.frames[len(jam.melody) - 1].melody
    value = [anticipated, *(v for v in (NOTHING, 62, 66) if v != anticipated)][surprise]
    assert idle(device) > 1
    jam.melody[-1] = value
    request = asked(jam, Move(frames=1))
    device.scheduler.add(request, 0.0)
    (again,) = device.drain()
    assert unpack_values(again.chords) == plan_by_hand(request)
    assert (again.steps, again.batch) == (0, 0)


def test_guesses_take_no_slot_from_a_session():
    """They wait for a free one, and give it back to whoever comes."""
    device, jam = Device(slots=2), Jam("a", history=9)
    device.scheduler.add(asked(jam), 0.0)
    device.drain()
    assert idle(device) > 1
    device.scheduler.add(asked(Jam("b")), 0.0)
    assert device.drain()[0].chords
    assert device.scheduler.slots_used == 2
    assert idle(device) == 1  # one more frame of each plan, in its own slot: there is no other
    device.scheduler.add(asked(Jam("c")), 0.0)
    assert device.drain()[0].chords
    assert device.scheduler.slots_used == 2


def test_nothing_is_guessed_where_the_window_hops_or_without_a_step_bucket():
    """The keys of the hopped window are all others."""
    device = Device()
    jam = Jam("a", history=247)
    request = asked(jam)
    assert window_start(request.first_frame + 1, 8) > request.window_start == 0
    device.scheduler.add(request, 0.0)
    device.drain()
    assert device.scheduler._step_of_guesses(4) is None
    other = Device(buckets=(Bucket(1, 16, 4), Bucket(1, 1, 4)))
    other.scheduler.add(asked(Jam("a")), 0.0)
    other.drain()
    assert other.scheduler.look_ahead() is None


def test_nothing_is_guessed_about_whole_melodies():
    device = Device(offline=True)
    device.scheduler.add(whole_melody("a", [60] * 5), 0.0)
    device.drain()
    assert device.scheduler.look_ahead() is None


def hopping(device, jam, frames, *, ahead):
    """Replies of that many frames, each checked; the last request of each."""
    found = []
    for _ in range(frames):
        request = asked(jam, Move(commit=2, open=True))
        device.scheduler.add(request, 0.0)
        (reply,) = device.drain()
        assert unpack_values(reply.chords) == plan_by_hand(request)
        jam.hear(unpack_values(reply.chords))
        found.append((request, reply))
        if ahead:
            idle(device)
    return found


@pytest.mark.parametrize("ahead", [False, True])
def test_the_history_behind_a_hop_is_fed_before_the_window_hops(ahead):
    """Then the hop costs what any other frame costs; without idle time before it, all of the history is fed when it is asked for."""
    device, jam = Device(slots=6), Jam("a", history=236)
    found = hopping(device, jam, 20, ahead=ahead)
    (hop,) = [reply for (request, reply), (before, _) in zip(found[1:], found, strict=False) if request.window_start > before.window_start]
    assert (hop.reused > 0.9) == ahead
    assert (hop.reused == 0.0) == (not ahead)
    fed = sum(rows for bucket, rows in device.engine.calls if bucket.positions == 16)
    assert 12 <= fed <= 12 + 16 + 4  # chunks of the history: once in either window, and what is committed and known now and then
    assert device.scheduler.slots_used == 1


def test_a_busy_device_feeds_what_will_be_needed_but_guesses_nothing():
    device, jam = Device(slots=6), Jam("a", history=236)
    hopping(device, jam, 2, ahead=False)
    assert device.scheduler.look_ahead(guesses=0).bucket.positions == 16
    other = Device(slots=6)
    hopping(other, Jam("a", history=20), 2, ahead=False)
    assert other.scheduler.look_ahead(guesses=0) is None
    assert other.scheduler.look_ahead() is not None


def test_a_window_fed_ahead_takes_no_slot_from_a_session():
    device, jam = Device(slots=2), Jam("a", history=240)
    hopping(device, jam, 2, ahead=True)
    hopping(device, Jam("b", history=9), 1, ahead=False)
    hopping(device, Jam("c", history=9), 1, ahead=False)
    assert device.scheduler.slots_used == 2
    hopping(device, jam, 8, ahead=True)


def test_the_tail_that_time_was_too_short_for_is_decided_in_idle_time():
    """Then the next plan needs a step, as after a whole one."""
    device, jam = Device(), Jam("a", history=9)
    device.scheduler.add(asked(jam, slack_ms=10.0), 0.0)
    device.call(now=0.0)
    device.call(now=0.008)
    _, (head,) = device.call(now=0.0099)
    assert 0 < len(unpack_values(head.chords)) < 8
    assert idle(device) > 1
    device.scheduler.add(asked(jam, Move(frames=0)), 1.0)
    (whole,) = device.drain()
    assert (len(unpack_values(whole.chords)), whole.steps) == (8, 0)


def test_a_busy_device_guesses_only_that_the_player_does_what_was_anticipated():
    """One step in the session's own slot, nothing copied; with more load nothing is guessed."""
    device, jam = Device(slots=6), Jam("a", history=9)
    device.scheduler.add(asked(jam), 0.0)
    device.drain()
    ahead = device.scheduler.look_ahead(guesses=1)
    assert (ahead.copies, len(ahead.works)) == ((), 1)
    device.scheduler.looked_ahead(ahead, device.engine.run(ahead.works, ahead.bucket))
    assert device.scheduler.look_ahead(guesses=1) is None
    assert len(device.scheduler.look_ahead().copies) == 3
    assert [guesses_at(utilisation) for utilisation in (0.0, 0.49, 0.5, 0.84, 0.85, 1.0)] == [4, 4, 1, 1, 0, 0]
