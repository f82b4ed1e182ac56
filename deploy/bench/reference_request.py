"""Times requests of the public reference, PyPI `realjam`, at its own size with random weights. Shell.

Runs in the environment that `against_reference.py` makes for it, and prints one JSON object. The weights cannot be had without the
network that hosts them; what a request costs does not depend on the numbers in them. The request is the package's own
`Agent.generate_live` over a full context: 240 frames of history, 16 to plan, 8 of the plan before committed.
"""

import json
import logging
import random
import sys
import time
from functools import partial
from typing import Any

CHORD_NAMES = 2800  # with these the network has the 39.6 million parameters of the published one
FRAME, LOOKAHEAD, COMMIT = 320, 16, 8


def agent() -> Any:
    """The reference's agent with a network of its own, nothing downloaded."""
    import torch
    from realjam import agent_interface as reference
    from realjam.core.gen_model import DecoderTransformer
    from realjam.core.tokenizer import HooktheoryTokenizer

    logging.disable(logging.CRITICAL)
    torch.manual_seed(0)
    tokenizer = HooktheoryTokenizer(chord_names=[f"C{number}" for number in range(CHORD_NAMES)])
    made = reference.Agent.__new__(reference.Agent)
    made.device, made.compile, made.onnx, made.max_frames, made.tokenizer = torch.device("cpu"), False, False, 256, tokenizer
    network = DecoderTransformer(dim=512, depth=8, heads=8, num_tokens=tokenizer.num_tokens, max_seq_len=513, pad_value=tokenizer.pad_token)
    made.models = {"random": made._prepare_model(network)}
    made.online_model_filter_fn = partial(
        reference.filter_invalid_tokens_generate_unconditional, model_part="chord", tokenizer=tokenizer, filter_opposite_part=True
    )
    made.online_model_commit_filter_fn = partial(reference.filter_invalid_tokens_generate_online, model_part="melody", tokenizer=tokenizer)
    made.online_model_filter_kwargs, made.online_model_commit_filter_kwargs = {}, {}
    return made


def request(made: Any, rng: random.Random) -> float:
    """Seconds of one request in mid-session."""
    names = made.tokenizer.name_to_id
    notes = [
        {"pitch": pitch, "frame": frame + offset, "on": offset == 0}
        for frame in range(0, FRAME, 4)
        for pitch in [rng.randrange(55, 80)]
        for offset in (0, 4)
    ]
    chords = [names[f"CHORD_{'ON_' * (frame % 8 == 0)}C{frame // 8}"] for frame in range(FRAME + LOOKAHEAD - 1)]
    began = time.perf_counter()
    made.generate_live("random", notes, chords, FRAME, LOOKAHEAD, COMMIT, 1.0, 32, True)
    return time.perf_counter() - began


def main() -> None:
    """Some requests after one that is not counted."""
    made, rng = agent(), random.Random(0)
    request(made, rng)
    took_s = [request(made, rng) for _ in range(int(sys.argv[1]))]
    parameters = sum(weight.numel() for weight in made.models["random"].parameters())
    print(json.dumps({"parameters": parameters, "took_s": took_s}))


if __name__ == "__main__":
    main()
