"""What a session may ask next: guesses that the device computes while it is idle (DESIGN 4, "branch while idle"). Pure.

A guess is a whole request, computed like any other, in the session's own slot or in a copy of it. Nobody relies on a guess: when the
real request comes, whichever slot agrees with it for longest is taken, by value. So a wrong guess costs idle time and nothing else.

That the window will hop is no guess: then every position has another frame, and all of the history must be fed anew, in a slot beside.
"""

import msgspec

from inference.planner import SlotMemory
from schema.engine_messages import PlanRequest, pack_values
from schema.grid import window_start

HOP_NOTICE_FRAMES = 12  # before a window hops: time to feed the history as it stands behind the hop, a chunk now and then
OTHERS = 3  # likeliest melody values beside the anticipated one: hold, rest or another note


def guesses(request: PlanRequest, memory: SlotMemory) -> list[PlanRequest]:
    """The request of the next tick, after `request` was answered whole: first as anticipated, then with the likeliest other melody values.

    One frame more has sounded, one chord more is committed or sounds, one melody value more is known. None if the window hops then.
    """
    first = request.first_frame + 1
    if window_start(first, request.lookahead_frames) > request.window_start:
        return []
    num_chords, num_melody = len(request.chords) // 2, len(request.melody) // 2
    if num_chords >= len(memory.frames):  # all of the plan was given: what is given next cannot be known
        return []
    chords = request.chords + pack_values([memory.frames[num_chords].chord])
    open_frame = memory.frames[num_melody]
    likeliest = list(dict.fromkeys((open_frame.melody, *open_frame.likely)))[: 1 + OTHERS]
    return [
        msgspec.structs.replace(request, first_frame=first, chords=chords, melody=request.melody + pack_values([value]))
        for value in likeliest
    ]


def after_hop(request: PlanRequest) -> PlanRequest | None:
    """A request as it stands in the window that one of the next requests will have; None while that is far off."""
    start = window_start(request.first_frame + HOP_NOTICE_FRAMES, request.lookahead_frames)
    gone = 2 * (start - request.window_start)  # bytes
    if gone <= 0:
        return None
    return msgspec.structs.replace(request, window_start=start, chords=request.chords[gone:], melody=request.melody[gone:])
