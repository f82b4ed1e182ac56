"""Chords by rule, the floor a trained model has to beat: one diatonic triad a bar. Pure.

The key is the one of 24 whose profile correlates best with how long each pitch class sounded (Krumhansl and Schmuckler; Krumhansl,
Cognitive Foundations of Musical Pitch, 1990, chapter 4). Its six consonant triads compete: the one that holds most of a bar's melody
wins; of equals the running one, then the one whose tones sounded longest. A triad that wins again is held.

*Online*: the chord of a bar looks at the bar before it, the key at the last KEY_BEATS, nothing later than the frame before the bar; the
first bar is N. *Offline*: the chord looks at its own bar, the key at the whole melody. A bar without a note keeps the running chord.
"""

import numpy as np

from schema.chords import Chord, pitch_classes
from schema.grid import FRAMES_PER_BEAT
from schema.tokens import NOTHING, NUM_PITCHES, chord_hold, chord_onset

KEY_BEATS = 32  # of melody the online rule estimates the key from: short enough to follow a change of key
# Krumhansl and Kessler 1982: how well each pitch class above the tonic fits.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_PROFILES = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
_PROFILES = (_PROFILES - _PROFILES.mean(axis=1, keepdims=True)) / _PROFILES.std(axis=1, keepdims=True)  # a product with them correlates
TRIADS = ((0, "maj"), (5, "maj"), (7, "maj"), (9, "min"), (2, "min"), (4, "min"))  # above a major tonic; a minor key has its relative's


def harmonise(melody: np.ndarray, beats_per_bar: int, *, offline: bool = False) -> np.ndarray:
    """Chord values int16 [T] for melody values [T] whose frame 0 is a bar line."""
    bar = beats_per_bar * FRAMES_PER_BEAT
    chords = np.zeros(len(melody), np.int16)
    running: Chord | None = None
    for start in range(0, len(melody), bar):
        heard = melody if offline else melody[max(0, start - KEY_BEATS * FRAMES_PER_BEAT) : start]
        judged = melody[start : start + bar] if offline else melody[max(0, start - bar) : start]
        chosen = best_triad(durations(heard), durations(judged), running)
        if chosen is None:
            continue
        chords[start : start + bar] = chord_hold(chosen)
        if chosen != running:
            chords[start] = chord_onset(chosen)
        running = chosen
    return chords


def durations(melody: np.ndarray) -> np.ndarray:
    """Frames each pitch class sounds: int [12]."""
    notes = melody[melody != NOTHING].astype(np.int64)
    return np.bincount((notes - 1) % NUM_PITCHES % 12, minlength=12)


def major_tonic(heard: np.ndarray) -> int:
    """Tonic of the best fitting major key, or of the relative major of the best fitting minor key; `heard` holds frames by pitch class."""
    mode, tonic = np.unravel_index((_PROFILES @ (heard - heard.mean())).argmax(), (2, 12))
    return int(tonic + 3 * mode) % 12


def best_triad(heard: np.ndarray, judged: np.ndarray, running: Chord | None) -> Chord | None:
    """The triad for a bar, from frames by pitch class; the running chord if the bar to judge by has no note."""
    if not judged.any():
        return running
    tonic = major_tonic(heard)
    triads = [Chord((tonic + degree) % 12, quality) for degree, quality in TRIADS]

    def worth(chord: Chord) -> tuple[int, bool, int]:
        tones = list(pitch_classes(chord))
        return int(judged[tones].sum()), chord == running, int(heard[tones].sum())

    return max(triads, key=worth)
