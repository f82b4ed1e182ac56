"""The figures of a report, each on a jam small enough to count by hand."""

from collections.abc import Sequence

from sideman_client.generated.messages import ChordRun, Keep, MelodyRun, Plan, Settings, Timing
from sideman_client.jam import Jam, Sounding
from sideman_client.report import JamLog, RoundTrip, beat_of, note_in_chord, round_trip, tones

TIMING = Timing(1.0, 0.0, 0.0, 1, 1.0, 1)
BUDGET_MS = 100.0


def plan(seq: int, first_frame: int, symbols: str, *, committed: int = 0) -> Plan:
    """One frame per letter; a small letter is held, a dot is no chord."""
    runs = [
        ChordRun(first_frame + i, 1, "N" if letter == "." else letter.upper(), [], letter.isupper()) for i, letter in enumerate(symbols)
    ]
    return Plan(seq, first_frame, first_frame + committed, runs, TIMING)


def listen(log: JamLog, plans: Sequence[Plan]) -> Jam:
    """A jam in which every plan arrives in the frame before its first."""
    jam = Jam(Settings(silence_beats=0, model="toy"))
    for each in plans:
        jam.begin_frame(each.first_frame - 1)
        jam.receive(each)
        log.num_ticks += 1
        log.take(each, 10.0, budget_ms=BUDGET_MS, next_frame=len(jam.frames))
    return jam


def test_answers_are_counted_and_only_timely_ones_are_in_the_budget():
    log = JamLog()
    log.num_ticks = 10
    log.take(plan(1, 1, "C"), 100.0, budget_ms=BUDGET_MS, next_frame=1)
    log.take(plan(2, 2, "C"), 100.1, budget_ms=BUDGET_MS, next_frame=2)
    log.take(plan(3, 3, "C"), None, budget_ms=BUDGET_MS, next_frame=3)
    for reason in ("listening", "late", "busy", "superseded", "unavailable"):
        log.take(Keep(4, reason), 1.0, budget_ms=BUDGET_MS, next_frame=4)
    log.take(Keep(5, "listening"), 100.1, budget_ms=BUDGET_MS, next_frame=4)
    report = log.report(Jam(), [], budget_ms=BUDGET_MS)
    assert (report.plans, report.keeps, report.share_in_budget) == (3, 6, 0.2)
    assert report.round_trip_ms == RoundTrip(100.0, 100.1, 100.1, 100.1)


def test_a_jam_in_which_nothing_happened():
    report = JamLog().report(Jam(), [], budget_ms=BUDGET_MS)
    assert (report.frames, report.chord_changes, report.late_frames, report.unplanned_frames) == (0, 0, 0, 0)
    assert (report.share_in_budget, report.note_in_chord, report.revised_share, report.decision_age_frames) == (None,) * 4
    assert report.round_trip_ms == RoundTrip(None, None, None, None)


def test_revised_is_what_the_next_plan_says_otherwise():
    log = JamLog()
    jam = listen(log, [plan(1, 1, "CccG"), plan(2, 2, "cGgg"), plan(3, 3, "Gg")])
    assert log.report(jam, [], budget_ms=BUDGET_MS).revised_share == 0.4  # of five: c became G, and G was struck no more


def test_the_age_of_a_decision_counts_from_the_tick_that_last_could_choose():
    log = JamLog()
    jam = listen(log, [plan(1, 1, "Cccc", committed=2), plan(2, 2, "cccc", committed=2), plan(3, 3, "cccc", committed=2)])
    jam.begin_frame(8)
    report = log.report(jam, [], budget_ms=BUDGET_MS)
    # frames 1 and 2 by the tick of 0, 3 by that of 1 (2 was committed), 4 to 6 by that of 2; 7 and 8 nobody chose
    assert report.decision_age_frames == round((1 + 2 + 2 + 2 + 3 + 4) / 6, 4)
    assert report.unplanned_frames == 2


def test_an_answer_to_an_older_tick_revises_nothing():
    log = JamLog()
    log.take(plan(2, 2, "C"), 1.0, budget_ms=BUDGET_MS, next_frame=1)
    log.take(plan(1, 1, "GG"), 1.0, budget_ms=BUDGET_MS, next_frame=1)
    assert log.report(Jam(), [], budget_ms=BUDGET_MS).revised_share is None


def test_changes_late_and_unplanned_frames():
    log = JamLog()
    jam = listen(log, [plan(1, 1, "CcG.C")])
    jam.begin_frame(7)
    report = log.report(jam, [MelodyRun(1, 3, 64)], budget_ms=BUDGET_MS)
    assert report.chord_changes == 4
    assert report.late_frames == 6
    assert report.unplanned_frames == 2
    assert report.note_in_chord == round(2 / 3, 4)
    assert (report.frames, report.model, report.settings.model) == (8, "toy", "toy")


def test_before_the_silence_ends_nothing_is_judged():
    log = JamLog()
    jam = Jam(Settings(silence_beats=1))
    jam.begin_frame(4)
    report = log.report(jam, [MelodyRun(0, 5, 60)], budget_ms=BUDGET_MS)
    assert (report.unplanned_frames, report.note_in_chord) == (1, None)


def test_frames_without_note_or_chord_do_not_count():
    chords = [Sounding(frame, symbol, (), False, True, False) for frame, symbol in enumerate(["N", "C", "C", "Am7", "C"])]
    assert note_in_chord(chords, [MelodyRun(0, 2, 60), MelodyRun(2, 1, 61), MelodyRun(3, 1, 67)]) == round(2 / 3, 4)


def test_p9_an_unknown_symbol_has_the_tones_of_its_pitches():
    assert tones(Sounding(0, "C13#11", (36, 66), True, True, False)) == {0, 6}


def test_percentiles_by_nearest_rank():
    assert round_trip([float(n) for n in range(1, 201)]) == RoundTrip(100.0, 190.0, 198.0, 200.0)
    assert round_trip([7.0]) == RoundTrip(7.0, 7.0, 7.0, 7.0)


def test_beats_count_from_one():
    assert [beat_of(frame) for frame in (0, 3, 4)] == [1, 1, 2]
