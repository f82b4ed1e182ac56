"""A client that keeps its own account of everything: its notes, what it played, the plans it holds. Pure.

Written from PROTOCOL.md, not from the gateway, so that the two can be held against each other.
"""

import itertools
from typing import NamedTuple

import msgspec

from schema.client_messages import Applied, History, MelodyRun, NoteEvent, PendingPlan, Plan, SymbolRun

KNOWN_FRAMES = 256  # what a history holds at least


class Sounded(NamedTuple):
    """One frame as the client played it; pitches are None where only an earlier connection knew them."""

    symbol: str
    struck: bool
    pitches: tuple[int, ...] | None


class Player:
    """The client of one session."""

    def __init__(self) -> None:
        self.chords = [Sounded("N", False, ())]  # by frame; the last one sounds
        self.events: list[NoteEvent] = []
        self.playing: Plan | None = None
        self.playing_from = 0
        self.newest: Plan | None = None
        self.pitches_known = True  # those of `newest`
        self.owed: list[NoteEvent] = []  # to be told again, after a history
        self.warm_start: list[SymbolRun] = []

    @property
    def frame(self) -> int:
        return len(self.chords) - 1

    def begin_frame(self) -> None:
        """The next frame begins: a plan that came meanwhile applies from here (P3)."""
        if self.newest is not self.playing:
            self.playing, self.playing_from = self.newest, self.frame + 1
        running = self.chords[-1]
        run = next((r for r in self.playing.chords if r.start <= self.frame + 1 < r.start + r.length), None) if self.playing else None
        if run is None or (run.symbol == running.symbol and not (run.onset and run.start == self.frame + 1)):
            self.chords.append(running._replace(struck=False))
        else:
            known = tuple(run.pitches) if self.pitches_known or self.playing is not self.newest else None
            self.chords.append(Sounded(run.symbol, run.symbol != "N", known))

    def applied(self) -> Applied | None:
        return Applied(self.playing.seq, self.playing_from) if self.playing else None

    def history(self, seed: int, bar_line: int, extra_frames: int) -> History:
        """Everything a gateway must know to go on (H2, H4)."""
        first = max(0, self.frame + 1 - KNOWN_FRAMES - extra_frames)
        return History(
            frame=self.frame,
            first_frame=first,
            melody=self._melody(first),
            chords=self._chord_runs(first),
            plan=self._pending(),
            seed=seed,
            bar_line=bar_line,
            warm_start=self.warm_start,
        )

    def events_again(self) -> list[NoteEvent]:
        """Events for the tick after a history: those from its frame on; a note that ended in its first frame just before is ended again."""
        last = self._notes_by_frame().get(self.frame - 1)
        begun = [NoteEvent(self.frame, last[1], False)] if last and last[0] == last[2] == self.frame - 1 else []
        return begun + [event for event in self.events if event.frame >= self.frame]

    def _notes_by_frame(self) -> dict[int, tuple[int, int, int]]:
        """For each sounding frame below the open one: start, pitch and last frame of its note."""
        notes: list[tuple[int, int, int]] = []
        for frame, group in itertools.groupby(self.events, key=lambda event: event.frame):
            here = list(group)
            begun = next((index for index, event in enumerate(here) if event.on), None)
            before = here if begun is None else here[: begun + 1]
            if notes and notes[-1][2] >= frame and (begun is not None or any(e.pitch == notes[-1][1] for e in before)):
                notes[-1] = (*notes[-1][:2], frame - 1)
            if begun is not None:
                pitch = here[begun].pitch
                ended = any(not e.on and e.pitch == pitch for e in here[begun:])
                notes.append((frame, pitch, frame if ended else 10**9))
        return {frame: note for note in notes for frame in range(note[0], min(note[2] + 1, self.frame))}

    def _melody(self, first: int) -> list[MelodyRun]:
        runs: list[MelodyRun] = []
        for note, group in itertools.groupby(sorted(self._notes_by_frame().items()), key=lambda item: item[1]):
            sounding = [frame for frame, _ in group if frame >= first]
            if sounding:
                runs.append(MelodyRun(sounding[0], len(sounding), note[1]))
        return runs

    def _chord_runs(self, first: int) -> list[SymbolRun]:
        runs: list[SymbolRun] = []
        for frame in range(first, self.frame + 1):
            chord = self.chords[frame]
            if runs and not chord.struck and runs[-1].symbol == chord.symbol:
                runs[-1] = msgspec.structs.replace(runs[-1], length=runs[-1].length + 1)
            else:
                runs.append(SymbolRun(frame, 1, chord.symbol, chord.struck))
        return runs

    def _pending(self) -> PendingPlan | None:
        if self.newest is None:
            return None
        chords = [SymbolRun(run.start, run.length, run.symbol, run.onset) for run in self.newest.chords]
        return PendingPlan(self.newest.seq, self.newest.committed_until, chords)
