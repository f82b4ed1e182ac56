"""Which session has which slot: claims, evictions, and the slots of guesses and of windows that come next. Pure.

A slot belongs to a session (its own), to a guess at what it asks next, to its history behind a window hop, or to nobody. Those of guesses
and hops are the first that others may have, then that of the session used least recently. A lost slot costs a prefill, never an error.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf

from inference.branches import after_hop
from inference.planner import Progress, SlotMemory, controls_of, known_values
from schema.engine_messages import PlanRequest

PLAYS_S = 2.0  # a session that asked so lately
PUSH_OUT_S = 0.25  # between two of those that lose their slots to others
CROWDED = 0.9  # of the slots: newcomers had better not be let in


@dataclass
class Session:
    """What is remembered of a session: its slot; guesses that are to be computed, that are, and that have been; the next window."""

    slot: int
    memory: SlotMemory
    asked: float = 0.0  # when it last had a request begun
    ahead: list[PlanRequest] = field(default_factory=list)
    guesses: list[Progress] = field(default_factory=list)  # in slots of their own, but for the first
    hop: Progress | None = None  # its history in the window that comes next, in a slot of its own


class Slots:
    """The slots of one model, split evenly over devices; slot // slots a device tells which."""

    def __init__(self, slots: int, devices: int) -> None:
        self._count = slots
        self._local_slots = slots // devices
        self._free = sorted(range(slots), key=lambda slot: (slot % self._local_slots, slot), reverse=True)  # from each device in turn
        self._pushed_out = -inf  # when somebody who plays lost a slot last
        self.sessions: OrderedDict[str, Session] = OrderedDict()  # least recently used first
        self.evictions = 0  # sessions forgotten for others

    def device_of(self, slot: int) -> int:
        """Where it is."""
        return slot // self._local_slots

    def crowded(self, now: float) -> bool:
        """Whether hardly a slot is left that is not of a session that plays."""
        playing = sum(now - session.asked < PLAYS_S for session in self.sessions.values())
        return playing >= CROWDED * self._count

    def claim(self, name: str, now: float, running: Collection[str]) -> Session | None:
        """The session's slot, a free one, one of a guess, or that of the least recently used session that is not `running`; None without.

        Who plays is pushed out now and then only, as long as there is anything else to compute: were it at every request, a single session
        more than slots would have all of them computed from nothing each time.
        """
        if name not in self.sessions:
            if not self._free:
                for other in self.sessions.values():
                    self._drop_guesses(other)
                    self._drop_hop(other)
            if not self._free:
                idle = next((other for other in self.sessions if other not in running), None)
                if idle is None:
                    return None
                if running and now - self.sessions[idle].asked < PLAYS_S:
                    if now - self._pushed_out < PUSH_OUT_S:
                        return None
                    self._pushed_out = now
                self._free.append(self.sessions.pop(idle).slot)
                self.evictions += 1
            self.sessions[name] = Session(self._free.pop(), SlotMemory())
        self.sessions.move_to_end(name)
        return self.sessions[name]

    def take_best_guess(self, session: Session, request: PlanRequest) -> None:
        """Go on from what was fed for the request's window, or from the guess that agrees with it for longest. Raises BadRequest."""
        if session.guesses:
            chords, melody = known_values(request)

            def agreement(memory: SlotMemory) -> int:
                return memory.agreement(chords, melody)

            best = max(session.guesses, key=lambda guess: agreement(guess.memory))
            if agreement(best.memory) > agreement(session.memory):
                session.slot, best.slot = best.slot, session.slot
                session.memory = best.memory
        self._drop_guesses(session)
        hop, controls = session.hop, controls_of(request)
        if hop is not None and hop.memory.controls == controls != session.memory.controls:
            hop.memory.take_draft(session.memory)
            session.slot, hop.slot = hop.slot, session.slot
            session.memory = hop.memory
            self._drop_hop(session)

    def begin_guess(self, session: Session) -> list[tuple[int, int]]:
        """Start on the next guess of a session, in its own slot or a free one; the slots to copy. Without a free slot it is dropped."""
        request = session.ahead.pop(0)
        if not session.guesses:
            session.guesses.append(Progress(request, session.slot, session.memory))
            return []
        device = self.device_of(session.slot)
        slot = next((slot for slot in self._free if self.device_of(slot) == device), None)
        if slot is None:
            session.ahead.clear()
            return []
        self._free.remove(slot)
        session.guesses.append(Progress(request, slot, session.memory.copy()))
        return [(session.slot, slot)]

    def prepare_hop(self, session: Session, request: PlanRequest) -> None:
        """Have the history fed as it will stand when the window hops, if that is soon and a slot is free."""
        moved = after_hop(request)
        if moved is None:
            self._drop_hop(session)
        elif session.hop is not None:
            session.hop = Progress(moved, session.hop.slot, session.hop.memory)
        elif self._free:
            session.hop = Progress(moved, self._free.pop(), SlotMemory())

    def forget(self) -> None:
        """Forget all sessions."""
        for session in self.sessions.values():
            self._drop_guesses(session)
            self._drop_hop(session)
            self._free.append(session.slot)
        self.sessions.clear()

    def _drop_guesses(self, session: Session) -> None:
        """Free the slots of guesses."""
        self._free += {guess.slot for guess in session.guesses} - {session.slot}
        session.guesses.clear()
        session.ahead.clear()

    def _drop_hop(self, session: Session) -> None:
        """Free the slot of the window that comes next."""
        if session.hop is not None:
            self._free.append(session.hop.slot)
            session.hop = None
