"""A melody of any length as `harmonize` messages that fit, one after the other, and their answers as one run of chords (W5). Pure."""

from collections.abc import Callable, Sequence

import msgspec

from sideman_client.generated.messages import MAX_HISTORY_FRAMES, ChordRun, Harmonize, MelodyRun, SymbolRun

CONTEXT_FRAMES = 128  # chords of the stretch before that the next one begins with, if there are so many
HEARD_AHEAD_FRAMES = 64  # at the end of a stretch: the model could not hear on, so these are decided anew by the next one


class Stretches:
    """What to send next, and what has been decided so far; frames count from the beginning of the melody."""

    def __init__(
        self, melody: Sequence[MelodyRun], num_frames: int, *, bar_frames: int, bar_line: int, fits: Callable[[Harmonize], bool]
    ) -> None:
        """`bar_line` is a frame on which a bar begins; `fits` says whether a message may be sent as it is."""
        self.chords: list[ChordRun] = []
        self.num_frames = num_frames
        self._melody = melody
        self._bar_frames = bar_frames
        self._bar_line = bar_line
        self._fits = fits
        self._begin = self._end = 0  # of the stretch that was sent last

    @property
    def decided(self) -> int:
        """Frames that have their chord."""
        return self.chords[-1].start + self.chords[-1].length if self.chords else 0

    @property
    def begin(self) -> int:
        """First frame of the stretch that was sent last."""
        return self._begin

    @property
    def done(self) -> bool:
        """Whether all of the melody has."""
        return self.decided >= self.num_frames

    def message(self, seq: int) -> Harmonize:
        """The next stretch: from a bar line some bars before the end of what is decided, as long as fits."""
        earliest = max(0, self.decided - CONTEXT_FRAMES)
        self._begin = max(0, earliest - (earliest - self._bar_line) % self._bar_frames)
        self._end = min(self.num_frames, self._begin + MAX_HISTORY_FRAMES)
        while not self._fits(message := self._stretch(seq)) and self._end > self.decided + 2 * HEARD_AHEAD_FRAMES:
            self._end -= HEARD_AHEAD_FRAMES
        return message

    def take(self, chords: Sequence[ChordRun]) -> None:
        """The answer to the last message, all of it; its frames count from the stretch's own beginning."""
        decided = self.decided
        until = self._end if self._end == self.num_frames else self._end - HEARD_AHEAD_FRAMES
        for run in chords:
            start, end = max(self._begin + run.start, decided), min(self._begin + run.start + run.length, until)
            if start < end:
                onset = run.onset and self._begin + run.start >= decided
                self._add(ChordRun(start, end - start, run.symbol, run.pitches, onset))

    def _stretch(self, seq: int) -> Harmonize:
        begin, end = self._begin, self._end
        inside = ((max(run.start, begin), min(run.start + run.length, end), run.pitch) for run in self._melody)
        melody = [MelodyRun(start - begin, stop - start, pitch) for start, stop, pitch in inside if start < stop]
        bar_line = (self._bar_line - begin) % self._bar_frames
        return Harmonize(seq, end - begin, melody, self._context(), bar_line)

    def _context(self) -> list[SymbolRun]:
        """The chords decided since the stretch began; the first one strikes (W3)."""
        runs = [run for run in self.chords if run.start + run.length > self._begin]
        starts = [max(run.start, self._begin) for run in runs]
        return [
            SymbolRun(start - self._begin, run.start + run.length - start, run.symbol, index == 0 or run.onset)
            for index, (run, start) in enumerate(zip(runs, starts, strict=True))
        ]

    def _add(self, run: ChordRun) -> None:
        """A run that continues the one before becomes part of it."""
        last = self.chords[-1] if self.chords else None
        if last is not None and not run.onset and run.symbol == last.symbol:
            self.chords[-1] = msgspec.structs.replace(last, length=last.length + run.length)
        else:
            self.chords.append(run)
