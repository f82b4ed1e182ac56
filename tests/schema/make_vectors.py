"""Writes the golden vectors of `schema/vectors/`, from facts written by hand and the independent encoder `msgpack`. Shell.

Nothing here imports our code: a mistake in the codec or the commit rule cannot enter the vectors. SDKs of every
language read them in their tests. `python tests/schema/make_vectors.py` writes, `--check` fails if a file is stale.

Short hands used below:
    events   "0:60+ 3:60-"      key 60 goes down in frame 0 and up in frame 3
    melody   "60! 60 . 62!"     one word a frame: onset, hold, silence, onset
    frames   "N C! C Am!"       one word a frame: no chord, C struck, C sounds on, Am struck
    runs     "0+4 N, 4+8 C!"    frames 0..3 without chord, C struck in frame 4 and held to frame 11
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgpack

FOLDER = Path(__file__).parents[2] / "schema" / "vectors"
LOOSE = "other encoding: "  # names of messages that are legal but not written the way our codec writes them
MAX_FRAME, MAX_SEQ, MAX_SEED = 10_000_000, 2**53 - 1, 2**32 - 1

SETTINGS = {
    "bpm": 96.0,
    "beats_per_bar": 3,
    "model": "online-small",
    "temperature": 0.8,
    "lookahead_beats": 4,
    "commit_beats": 2,
    "silence_beats": 8,
    "density": "unspecified",
    "style": "unspecified",
    "voicing": "led",
}
EXTREMES = SETTINGS | {"bpm": 300.0, "beats_per_bar": 12, "temperature": 2.0, "lookahead_beats": 8, "commit_beats": 8, "silence_beats": 16}
LIMITS = {"max_message_bytes": 16384, "messages_per_second": 40.0, "message_burst": 80, "max_events_per_tick": 64, "history_frames": 256}
TIMING = {"gateway_ms": 12.5, "queue_ms": 0.25, "device_ms": 9.0, "steps": 16, "reused": 0.0, "batch": 1, "unrefined": 4}
CALM = {"gateway_ms": 0.0, "queue_ms": 0.0, "device_ms": 0.0, "steps": 0, "reused": 1.0, "batch": 0, "unrefined": 0}


def _runs(text: str) -> list[dict[str, Any]]:
    runs = []
    for part in text.split(", "):
        span, symbol = part.split()
        start, length = span.split("+")
        runs.append({"start": int(start), "length": int(length), "symbol": symbol.rstrip("!"), "onset": symbol.endswith("!")})
    return runs


def _symbols(text: str) -> list[dict[str, Any]]:
    """Runs as a client sends them: `onset` is left out where it is true."""
    return [{k: v for k, v in run.items() if k != "onset" or not v} for run in _runs(text)]


def _events(text: str) -> list[dict[str, Any]]:
    words = [word.split(":") for word in text.split()]
    return [{"frame": int(frame), "pitch": int(key[:-1]), "on": key[-1] == "+"} for frame, key in words]


def _frames(text: str) -> list[dict[str, Any]]:
    return [{"symbol": word.rstrip("!"), "onset": word.endswith("!")} for word in text.split()]


# fmt: off
CLIENT: list[tuple[str, dict[str, Any]]] = [
    ("hello, nothing given", {"type": "hello"}),
    ("hello, client and token", {"type": "hello", "client": "piano roll", "token": "s3cret"}),
    ("hello, beyond Latin letters", {"type": "hello", "client": "クラヴィア 🎹 ñ"}),
    ("hello, longest name", {"type": "hello", "client": "x" * 64, "token": "t" * 300}),
    ("configure, nothing", {"type": "configure"}),
    ("configure, one setting", {"type": "configure", "bpm": 96.0}),
    ("configure, lowest", {
        "type": "configure", "bpm": 20.0, "beats_per_bar": 2, "model": "", "temperature": 0.0, "lookahead_beats": 1, "commit_beats": 0,
        "silence_beats": 0, "density": "unspecified", "style": "unspecified", "voicing": "led"}),
    ("configure, highest", {
        "type": "configure", "bpm": 300.0, "beats_per_bar": 12, "model": "m" * 64, "temperature": 2.0, "lookahead_beats": 8,
        "commit_beats": 8, "silence_beats": 16, "density": "busy", "style": "folk", "voicing": "close"}),
    ("tick, no events", {"type": "tick", "seq": 0, "frame": 0}),
    ("tick, first note", {"type": "tick", "seq": 1, "frame": 0, "events": _events("0:64+")}),
    ("tick, all fields", {
        "type": "tick", "seq": 30, "frame": 29,
        "events": [{"frame": 28, "pitch": 0, "on": True, "velocity": 0}, {"frame": 29, "pitch": 127, "on": False, "velocity": 127}],
        "applied": {"seq": 29, "from_frame": 29}, "round_trip_ms": 31.75}),
    ("tick, largest numbers", {
        "type": "tick", "seq": MAX_SEQ, "frame": MAX_FRAME, "applied": {"seq": MAX_SEQ, "from_frame": MAX_FRAME},
        "round_trip_ms": 3_600_000.0}),
    ("tick, 64 events", {"type": "tick", "seq": 7, "frame": 6, "events": _events(" ".join(f"5:{p}+ 6:{p}-" for p in range(32, 64)))}),
    ("history, empty", {"type": "history", "frame": 0, "first_frame": 0}),
    ("history, melody and chords", {
        "type": "history", "frame": 36, "first_frame": 0,
        "melody": [{"start": 0, "length": 4, "pitch": 64}, {"start": 6, "length": 1, "pitch": 127}],
        "chords": _symbols("0+32 N!, 32+5 F#m7b5!"), "seed": 0}),
    ("history, with the plan it still holds", {
        "type": "history", "frame": 40, "first_frame": 36, "chords": _symbols("36+4 C, 40+1 Am!"),
        "plan": {"seq": 41, "committed_until": 44, "chords": _symbols("41+7 Am, 48+8 F!")}, "seed": MAX_SEED, "bar_line": 36}),
    ("history, musical signs in symbols", {
        "type": "history", "frame": 3, "first_frame": 0, "chords": _symbols("0+2 F♯m7♭5!, 2+2 B♭△7!")}),
    ("history, largest numbers", {
        "type": "history", "frame": MAX_FRAME, "first_frame": MAX_FRAME, "chords": _symbols(f"{MAX_FRAME}+1024 N!"),
        "bar_line": MAX_FRAME}),
    ("history, with a warm start", {
        "type": "history", "frame": 30, "first_frame": 0, "chords": [{"start": 0, "length": 31, "symbol": "N"}],
        "warm_start": _symbols("0+16 F!, 16+16 C!")}),
    ("harmonize", {
        "type": "harmonize", "seq": 7, "frames": 64,
        "melody": [{"start": 0, "length": 8, "pitch": 60}, {"start": 12, "length": 4, "pitch": 67}],
        "chords": _symbols("0+16 C!, 16+4 C"), "bar_line": 8}),
    ("harmonize, silence", {"type": "harmonize", "seq": 0, "frames": 1}),
    ("harmonize, largest numbers", {"type": "harmonize", "seq": MAX_SEQ, "frames": 1024, "bar_line": MAX_FRAME}),
    ("reset", {"type": "reset"}),
    ("bye", {"type": "bye"}),
    (LOOSE + "defaults written out", {
        "type": "tick", "seq": 1, "frame": 0, "events": [{"frame": 0, "pitch": 60, "on": True, "velocity": 80}],
        "applied": None, "round_trip_ms": None}),
    (LOOSE + "null for a setting that is not changed", {"type": "configure", "bpm": None, "commit_beats": 0}),
    (LOOSE + "whole numbers where a fraction may stand", {"type": "configure", "bpm": 120, "temperature": 1}),
    (LOOSE + "fields in another order", {"frame": 9, "events": [{"on": True, "pitch": 60, "frame": 8}], "seq": 3, "type": "tick"}),
]

GATEWAY: list[tuple[str, dict[str, Any]]] = [
    ("welcome", {
        "type": "welcome", "session": "f3a9", "seed": 2_463_534_242, "version": 1, "models": ["online-small", "rl-s"],
        "settings": SETTINGS, "limits": LIMITS}),
    ("welcome, no models, extremes", {
        "type": "welcome", "session": "", "seed": MAX_SEED, "version": 1, "models": [], "settings": EXTREMES, "limits": LIMITS}),
    ("configured", {"type": "configured", "settings": SETTINGS, "from_frame": 0}),
    ("configured, largest frame", {"type": "configured", "settings": EXTREMES, "from_frame": MAX_FRAME}),
    ("plan, first of a jam", {
        "type": "plan", "seq": 28, "first_frame": 28, "committed_until": 36, "chords": [
            {"start": 28, "length": 4, "symbol": "N", "pitches": [], "onset": False},
            {"start": 32, "length": 8, "symbol": "C", "pitches": [36, 60, 64, 67], "onset": True},
            {"start": 40, "length": 4, "symbol": "Am", "pitches": [45, 60, 64, 69], "onset": True}], "timing": TIMING}),
    ("plan, runs on", {
        "type": "plan", "seq": 30, "first_frame": 30, "committed_until": 38, "chords": [
            {"start": 30, "length": 16, "symbol": "F#m7b5", "pitches": [42, 57, 60, 64, 66], "onset": False}], "timing": CALM}),
    ("plan, largest numbers", {
        "type": "plan", "seq": MAX_SEQ, "first_frame": MAX_FRAME, "committed_until": MAX_FRAME + 32, "chords": [
            {"start": MAX_FRAME, "length": 32, "symbol": "N", "pitches": [], "onset": False}], "timing": CALM}),
    *[(f"keep, {reason}", {"type": "keep", "seq": seq, "reason": reason})
      for seq, reason in enumerate(("listening", "late", "busy", "superseded", "unavailable"))],
    ("error, without field or tick", {
        "type": "error", "code": "bad_message", "message": "expected one JSON object, got nothing; mend the encoder"}),
    ("error, all fields", {
        "type": "error", "code": "slow_down", "message": "expected at most 40 messages a second, got more; wait, then go on",
        "field": "$.tick.frame", "seq": 0, "retry": True}),
    ("error, quotes what came", {
        "type": "error", "code": "bad_field", "message": "$.hello.client: expected str of length <= 64, got 'クラ…🎹'",
        "field": "$.hello.client"}),
    ("plan, warm start", {
        "type": "plan", "seq": 28, "first_frame": 28, "committed_until": 36, "chords": [
            {"start": 28, "length": 4, "symbol": "N", "pitches": [], "onset": False},
            {"start": 32, "length": 12, "symbol": "C", "pitches": [36, 60, 64, 67], "onset": True}], "timing": TIMING,
        "warm_start": [{"start": 0, "length": 16, "symbol": "F"}, {"start": 16, "length": 16, "symbol": "C"}]}),
    ("harmonized, a part", {
        "type": "harmonized", "seq": 7, "first_frame": 16, "until": 32, "frames": 64, "chords": [
            {"start": 16, "length": 16, "symbol": "Am", "pitches": [45, 60, 64, 69], "onset": False}]}),
    ("harmonized, all of it", {
        "type": "harmonized", "seq": 0, "first_frame": 0, "until": 4, "frames": 4, "chords": [
            {"start": 0, "length": 4, "symbol": "N", "pitches": [], "onset": False}]}),
    ("moving", {"type": "moving", "within_ms": 5000}),
    ("moving, at once", {"type": "moving", "within_ms": 0}),
]
# fmt: on

# name, committed_until of the plan before (None: no plan), first frame, lookahead, commit -> committed_until, frames the plan covers
COMMITS: list[tuple[str, int | None, int, int, int, int, int]] = [
    ("the first plan commits from its own first frame", None, 1, 16, 8, 9, 16),
    ("nothing is committed at commit 0", None, 1, 16, 0, 1, 16),
    ("everything is committed at commit = lookahead", None, 1, 16, 16, 17, 16),
    ("each tick commits one frame more", 9, 2, 16, 8, 10, 16),
    ("a lower commit gives nothing back", 25, 10, 16, 0, 25, 16),
    ("a shorter lookahead still covers what is committed", 41, 10, 4, 0, 41, 31),
    ("after a jump over the committed part it begins anew", 20, 100, 16, 4, 104, 16),
    ("what was committed ends where the new plan begins", 30, 30, 8, 0, 30, 8),
]

# name, first frame, one word per frame, the runs
RUNS: list[tuple[str, int, str, str]] = [
    ("one chord", 8, "C! C C C", "8+4 C!"),
    ("a chord that was running", 8, "C C Am! Am", "8+2 C, 10+2 Am!"),
    ("the same chord struck again begins a run", 0, "C! C C! C", "0+2 C!, 2+2 C!"),
    ("no chord is a run too", 29, "N N N C! C N N", "29+3 N, 32+2 C!, 34+2 N"),
    ("every frame struck", 0, "C! Dm! G7! C!", "0+1 C!, 1+1 Dm!, 2+1 G7!, 3+1 C!"),
    ("one frame", MAX_FRAME, "Bb7sus4!", f"{MAX_FRAME}+1 Bb7sus4!"),
    ("no frames", 5, "", ""),
]

# name, (seq, arrives in frame, first frame, committed until, runs) of each plan, first frame asked, what sounds from there on
SOUNDING: list[tuple[str, list[tuple[int, int, int, int, str]], int, str]] = [
    ("before any plan nothing sounds", [], 0, "N N N"),
    ("a plan in time applies from its first frame", [(1, 0, 1, 3, "1+2 N, 3+3 C!")], 0, "N N N C! C C"),
    ("without a newer plan the last chord sounds on", [(1, 0, 1, 3, "1+1 C!, 2+2 G!")], 0, "N C! G! G G G G"),
    ("no chord sounds on as no chord", [(1, 0, 1, 3, "1+1 C!, 2+1 N")], 1, "C! N N N"),
    (
        "a newer plan that continues the chord does not strike it",
        [(1, 0, 1, 1, "1+8 C!"), (2, 1, 2, 2, "2+4 C, 6+4 F!")],
        1,
        "C! C C C C F! F",
    ),
    (
        "a newer plan strikes the same chord only where it says so",
        [(1, 0, 1, 1, "1+8 C!"), (2, 1, 2, 2, "2+2 C, 4+4 C!")],
        1,
        "C! C C C! C",
    ),
    ("a late plan applies from the next frame that begins", [(1, 0, 1, 1, "1+8 C!"), (2, 3, 2, 2, "2+1 C, 3+6 F!")], 1, "C! C C F! F"),
    ("the onset that came too late is struck late", [(1, 1, 1, 5, "1+8 Am!")], 0, "N N Am! Am Am"),
    ("a late plan does not strike what sounds already", [(1, 0, 1, 1, "1+8 C!"), (2, 4, 2, 2, "2+1 G!, 3+8 C!")], 1, "C! C C C C C"),
    ("of two plans in one frame the newer counts", [(1, 2, 1, 1, "1+8 C!"), (2, 2, 2, 2, "2+8 F!")], 0, "N N N F! F"),
    (
        "a plan changes what an older one left open",
        [(1, 0, 1, 3, "1+2 C!, 3+6 G!"), (2, 1, 2, 4, "2+1 C, 3+1 G!, 4+6 E7!")],
        1,
        "C! C G! E7! E7",
    ),
    ("after a rest a continued chord is struck", [(1, 0, 1, 1, "1+1 C!, 2+2 N"), (2, 3, 3, 3, "3+4 C")], 1, "C! N N C! C C"),
    ("a plan that came after all its frames changes nothing", [(1, 0, 1, 1, "1+8 C!"), (2, 6, 2, 2, "2+3 F!")], 5, "C C C"),
    ("the last chord sounds on for as long as it takes", [(1, 0, 1, 1, "1+1 N, 2+1 F#m7b5!")], 2, "F#m7b5!" + " F#m7b5" * 20),
]
_LATE_START = {"a plan that came after all its frames changes nothing": "C"}  # running before the first frame asked

# name, events in order of time, the melody frame by frame
MELODY: list[tuple[str, str, str]] = [
    ("silence", "", ". . ."),
    ("a note lasts until it is released", "1:60+ 4:60-", ". 60! 60 60 . ."),
    ("a note lasts at least its own frame", "1:60+ 1:60-", ". 60! . ."),
    ("a note that is not released sounds on", "0:60+", "60! 60 60 60"),
    ("of several notes in one frame the first wins", "0:60+ 0:64+ 0:67+", "60! 60 60"),
    ("releasing another note of the chord changes nothing", "0:60+ 0:64+ 2:64-", "60! 60 60 60"),
    ("a later onset replaces the note", "0:60+ 2:62+", "60! 60 62! 62"),
    ("releasing the replaced note changes nothing", "0:60+ 2:62+ 3:60-", "60! 60 62! 62 62"),
    ("legato: up and down in one frame", "0:60+ 2:60- 2:62+", "60! 60 62! 62"),
    ("legato: down before up in one frame", "0:60+ 2:62+ 2:60-", "60! 60 62! 62"),
    ("the same key again is a new onset", "0:60+ 2:60- 2:60+ 4:60-", "60! 60 60! 60 ."),
    ("a release without a note is nothing", "0:60- 1:61-", ". . ."),
    ("lowest and highest key", "0:0+ 1:0- 2:127+ 3:127-", "0! . 127! ."),
    ("a short note takes the place of a long one", "0:60+ 2:72+ 2:72- 5:60-", "60! 60 72! . . ."),
]


def _message(direction: str, name: str, message: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "direction": direction, "message": message, "msgpack": msgpack.packb(message, use_single_float=False).hex()}


def _melody(name: str, events: str, melody: str) -> dict[str, Any]:
    words = melody.split()
    values = [0 if word == "." else 1 + int(word[:-1]) if word.endswith("!") else 129 + int(word) for word in words]
    runs: list[dict[str, int]] = []
    for frame, word in enumerate(words):
        if word.endswith("!"):
            runs.append({"start": frame, "length": 1, "pitch": int(word[:-1])})
        elif word != ".":
            runs[-1]["length"] += 1
    return {"name": name, "events": _events(events), "values": values, "melody": runs}


def _sounding(name: str, plans: list[tuple[int, int, int, int, str]], first: int, frames: str) -> dict[str, Any]:
    names = ("seq", "arrives_in", "first_frame", "committed_until", "chords")
    told = [dict(zip(names, (*plan[:4], _runs(plan[4])), strict=True)) for plan in plans]
    return {"name": name, "running_before": _LATE_START.get(name, "N"), "plans": told, "from_frame": first, "frames": _frames(frames)}


def vectors() -> dict[str, str]:
    """File name -> its text."""
    commit_names = ("name", "previous_committed_until", "first_frame", "lookahead_frames", "commit_frames", "committed_until", "num_frames")
    messages = [_message("client", *v) for v in CLIENT] + [_message("gateway", *v) for v in GATEWAY]
    plans = {
        "commit": [dict(zip(commit_names, v, strict=True)) for v in COMMITS],
        "runs": [{"name": n, "first_frame": f, "frames": _frames(w), "runs": _runs(r) if r else []} for n, f, w, r in RUNS],
        "sounding": [_sounding(*v) for v in SOUNDING],
    }
    sections = ",\n".join(f"{json.dumps(name)}: {_lines(items)}" for name, items in plans.items())
    return {
        "messages.json": _lines(messages) + "\n",
        "plans.json": f"{{{sections}}}\n",
        "melody.json": _lines([_melody(*v) for v in MELODY]) + "\n",
    }


def _lines(items: list[dict[str, Any]]) -> str:
    """A JSON list, one item a line, so that a change shows as the lines it changed."""
    return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in items) + "\n]"


def stale() -> list[str]:
    """Names of the files that are not what this program would write."""
    return [name for name, text in vectors().items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text]


def main(arguments: list[str]) -> str | None:
    """Write the files, or with --check say which are stale."""
    if arguments == ["--check"]:
        late = stale()
        return f"stale: {', '.join(late)}; run python tests/schema/make_vectors.py" if late else None
    FOLDER.mkdir(exist_ok=True)
    for name, text in vectors().items():
        (FOLDER / name).write_text(text)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
