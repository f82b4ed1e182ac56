"""Model cards (Mitchell et al., arXiv 1810.03993): what a checkpoint is for, what it was made of, how good it is. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from schema.engine_messages import OFFLINE
from schema.manifest import DataSource, ModelSizes

CARD_NAME = "CARD.md"

Teaching = Literal["likelihood", "reinforcement"]

_HEARS = {
    False: "It hears the melody up to the frame before the chord it chooses, so it can play along with a person.",
    True: "It hears the whole melody before it chooses the first chord, so it is for what is already played, never for playing along.",
}
_USE = {
    False: "Live accompaniment of one melody line, for pleasure and practice.",
    True: "Chords under a finished melody, as a draft for people who write and arrange (`sideman harmonize`); the silence before a live "
    "session's first chord (warm start); the teacher of reinforcement learning.",
}
_LIMITS = (
    "The grid is sixteenth notes: swing and triplets are rounded to it.",
    "One melody note at a time; chords have no bass of their own but the root, and there are 21 qualities.",
    "It knows the music above, most of it in 4/4. Other music, other metres and modes beyond major and minor are guesses.",
    "Chord progressions of its training data may come back in what it plays.",
)


_TAUGHT: dict[Teaching, str] = {
    "likelihood": "It was trained by maximum likelihood alone: it imitates, and was never told what players like.",
    "reinforcement": "It was rewarded by models that learnt from songs what goes together, by rules, and by an offline teacher; no person "
    "has rated it. What such rewards do not hear, it does not care for. One rule, on accented notes, is close to note-in-chord.",
}


class CardFacts(NamedTuple):
    """What the weights are."""

    name: str
    variant: str
    sizes: ModelSizes
    taught: Teaching
    parameters: int
    step: int


def card(facts: CardFacts, *, data: Sequence[DataSource], metrics: Mapping[str, float]) -> str:
    """The card as Markdown."""
    name, variant, sizes, taught, parameters, step = facts
    offline = variant == OFFLINE
    listening = f", {sizes.listening_layers} more to listen" if sizes.listening_layers else ""
    shape = f"{sizes.layers} layers of width {sizes.width}{listening}, {sizes.heads} heads over {sizes.kv_heads} key/value heads"
    rows = [f"| {source.name} | {source.licence} | {source.songs:,} | {source.frames:,} |" for source in data]
    figures = [f"| {key} | {value:g} |" for key, value in sorted(metrics.items())]
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A Transformer that chooses chords for a melody, frame by frame (a sixteenth note). {_HEARS[offline]}",
            "",
            f"Variant {variant} · {parameters:,} parameters in bfloat16 · {shape} · train step {step:,} · Apache-2.0.",
            "",
            "## Data",
            "",
            "| corpus | licence | tunes | frames |",
            "|---|---|---:|---:|",
            *rows,
            "",
            "The training side only: a tune and its near-duplicates are on one side of the split. Transposed to all twelve keys.",
            "",
            "## Figures",
            "",
            "On held-out songs, by the serving code (`sideman evaluate`). Note-in-chord: the share of frames whose note is a chord tone.",
            "",
            "| figure | value |",
            "|---|---:|",
            *figures,
            "",
            "## Use",
            "",
            _USE[offline],
            "",
            "## Limits",
            "",
            *(f"- {limit}" for limit in (_TAUGHT[taught], *_LIMITS)),
            "",
        ]
    )
