"""How good a reward model is on held-out songs: retrieval of the right chords, and telling real from shuffled. Pure.

Measures of ReaLchords, appendix E (arXiv 2506.14723): recall at k, mean average precision, precision, recall, F1.
"""

import numpy as np

RECALL_AT = (1, 5, 10)


def retrieval(cosines: np.ndarray) -> dict[str, float]:
    """Of each row (a melody) over the columns (chords, the own ones on the diagonal), both directions averaged.

    With one right answer to a question its average precision is one over its rank.
    """
    ranks = np.concatenate([_ranks(cosines), _ranks(cosines.T)])
    recalls = {f"recall_at_{k}": float((ranks <= k).mean()) for k in RECALL_AT}
    return recalls | {"mean_average_precision": float((1.0 / ranks).mean()), "pool": float(len(cosines))}


def _ranks(cosines: np.ndarray) -> np.ndarray:
    """1 for a row whose diagonal entry is the largest; what is equally large counts as before it."""
    own = np.diag(cosines)[:, None]
    return np.asarray(np.maximum(1, (cosines >= own).sum(axis=1)))


def detection(real: np.ndarray, shuffled: np.ndarray) -> dict[str, float]:
    """Of probabilities that pairs are real, for real and for shuffled pairs, at the threshold of one half."""
    found, wrong = float((real > 0.5).sum()), float((shuffled > 0.5).sum())
    precision = found / max(1.0, found + wrong)
    recall = found / max(1, len(real))
    f1 = 2 * precision * recall / (precision + recall) if found else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "mean_real": float(real.mean()), "mean_shuffled": float(shuffled.mean())}
