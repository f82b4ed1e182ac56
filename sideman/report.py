"""What `sideman evaluate` found, for people: two tables and three pictures. Shell."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from sideman.accompany import RULE, SILENCE_BEATS
from training.evaluate import Curve, Kind, Measured

COLD_START, AFTER_SILENCE, JUMP = "cold start", "after silence", "jump"
JUMP_BEAT, JUMP_SEMITONES = 16, 6  # where and how far the melody jumps (ReaLchords, section 5.4)
BEFORE, AFTER_A_BEAT = (JUMP_BEAT // 2, JUMP_BEAT), (JUMP_BEAT + 1, JUMP_BEAT + 2)  # beats whose comparison says who is back within a beat
BEGINNING = ((0, 4), (4, 8), (8, 16), (16, 32))
SPANS = {COLD_START: BEGINNING, AFTER_SILENCE: BEGINNING, JUMP: (BEFORE, (16, 17), AFTER_A_BEAT, (18, 20), (20, 24), (24, 48))}  # beats
COLUMNS = (  # field of Figures, header, decimals
    ("note_in_chord", "NiC\npooled", 3),
    ("note_in_chord_by_song", "NiC by\nsong", 3),
    ("first_bar", "first\nbar", 3),
    ("onset_interval_emd", "onset\nEMD", 1),
    ("length_entropy", "length\nentropy", 2),
    ("silent_share", "silent\nshare", 3),
    ("overlong_share", "over-\nlong", 3),
    ("change_on_bar", "on\nbar", 3),
    ("change_on_beat", "on\nbeat", 3),
    ("chords_per_song", "chords\n/song", 1),
    ("beats_per_change", "beats\n/change", 2),
    ("tones_per_chord", "tones\n/chord", 2),
    ("revised_share", "re-\nvised", 3),
    ("steps_per_plan", "steps\n/plan", 2),
)


class Row(msgspec.Struct, frozen=True):
    """One line of the table: who chose the chords, and in which way; without a model there is none."""

    name: str
    kind: Kind
    way: str
    measured: Measured
    vendi: float | None = None  # effective number of different accompaniments of WINDOW_FRAMES; None if no reward model was named


class Report(msgspec.Struct, frozen=True):
    """The whole evaluation; `adaptation` holds the curves of each short jam by its name."""

    corpora: list[str]
    pop909_chords: str
    resamples: int
    confidence: float
    rows: list[Row]
    adaptation_way: str  # in which live models play the short jams
    adaptation: dict[str, list[Curve]]
    warm_gain: dict[str, tuple[float, float, float]] = {}  # by model: first bar's note in chord with a warm start, less without; interval

    @property
    def songs(self) -> str:
        """What was played, in words."""
        chords = {"cl": "CL's chords", "chord_midi": "chord_midi"}[self.pop909_chords]
        names = [f"{name}, {chords}" if name == "pop909" else name for name in self.corpora]
        return f"{self.rows[0].measured.songs} held-out songs ({'; '.join(names)})"


def figures_table(report: Report) -> Table:
    """The rows as people read them; below each figure half the width of its confidence interval."""
    caption = f"± half of the {report.confidence:.0%} confidence interval by bootstrap over songs; EMD in thousandths, entropy in nats"
    table = _table(report.songs, caption)
    for _, header, _ in COLUMNS:
        table.add_column(header, justify="right")
    heard = any(row.vendi is not None for row in report.rows)
    if heard:
        table.add_column("Vendi", justify="right")
    for row in report.rows:
        value, low, high = row.measured.figures, row.measured.low, row.measured.high
        cells = [_cell(getattr(value, name), getattr(low, name), getattr(high, name), digits) for name, _, digits in COLUMNS]
        cells += [Text("" if row.vendi is None else f"{row.vendi:.1f}")] * heard
        table.add_row(Text.assemble(row.name, "\n", (row.way, "dim")), *cells)
    return table


def adaptation_table(report: Report) -> Table:
    """Mean note in chord of spans of beats in the short jams."""
    caption = (
        f"in beats since the chords began: with the melody (cold start, jump) or {SILENCE_BEATS} beats behind it (after silence)\n"
        f"jump: {JUMP_SEMITONES:+d} semitones at beat {JUMP_BEAT}; back: the second beat after it, in parts of beats "
        f"{BEFORE[0]} to {BEFORE[1]}; live models play {report.adaptation_way}"
    )
    table = _table("Note in chord by beats", caption)
    for jam, spans in SPANS.items():
        for begin, end in spans:
            table.add_column(f"{jam}\n{begin}-{end}".replace(" ", "\n"), justify="right")
    table.add_column(f"{JUMP}\nback\n", justify="right")
    drawn = {jam: {curve.name: curve for curve in report.adaptation[jam]} for jam in SPANS}
    for name in dict.fromkeys(name for curves in drawn.values() for name in curves):
        means = [_mean(drawn[jam].get(name), span) for jam, spans in SPANS.items() for span in spans]
        back = recovery(drawn[JUMP].get(name))
        table.add_row(name, *("" if mean is None else f"{mean:.3f}" for mean in means), "" if back is None else f"{back:.0%}")
    for name, (value, low, high) in report.warm_gain.items():
        table.caption = f"{table.caption}\nwarm start, {name}: first bar {value:+.3f} ({low:+.3f} to {high:+.3f})"
    return table


def recovery(curve: Curve | None) -> float | None:
    """How much of its level before the jump is there a beat after it: nobody who plays along can know in the first beat.

    None if there is nothing to compare.
    """
    before, after = _mean(curve, BEFORE), _mean(curve, AFTER_A_BEAT)
    return None if after is None or not before else after / before


def draw(report: Report, folder: Path) -> None:
    """Three pictures: cold_start.png, jump.png, chord_lengths.png."""
    from training import plots  # whoever does not draw needs no matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    about = f"{report.songs}; live models: {report.adaptation_way}"
    panels = {
        "chords begin with the melody": report.adaptation[COLD_START],
        f"chords begin after {SILENCE_BEATS} beats of listening": report.adaptation[AFTER_SILENCE],
    }
    plots.draw_cold_start(folder / "cold_start.png", panels, about)
    plots.draw_jump(folder / "jump.png", report.adaptation[JUMP], about, (JUMP_BEAT, JUMP_SEMITONES))
    written, *others = (plots.Lengths(row.name, row.kind, row.measured.chord_lengths) for row in first_ways(report).values())
    plots.draw_lengths(folder / "chord_lengths.png", written, others, about)


def first_ways(report: Report) -> Mapping[str, Row]:
    """By name, people, the floor that plays along, and of each model the first of its rows: the way in which it plays the short jams."""
    return {row.name: row for row in reversed(report.rows) if row.kind != "floor" or row.name == RULE}


def _table(title: str, caption: str) -> Table:
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left", padding=(0, 1, 0, 0), box=SIMPLE_HEAD)
    table.add_column("chords")
    return table


def _cell(value: float | None, low: float | None, high: float | None, digits: int) -> Text:
    if value is None or low is None or high is None:
        return Text()
    return Text.assemble(f"{value:.{digits}f}", "\n", (f"±{(high - low) / 2:.{digits}f}", "dim"))


def _mean(curve: Curve | None, beats: tuple[int, int]) -> float | None:
    """Of the beats in which somebody is heard, if there are any."""
    shares = np.array(curve.value[slice(*beats)]) if curve else np.zeros(0)
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if len(known) else None
