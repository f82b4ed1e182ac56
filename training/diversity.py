"""How different accompaniments are from one another: the Vendi score of their embeddings. Pure."""

import numpy as np


def vendi(embeddings: np.ndarray) -> float:
    """The effective number of different rows among unit vectors [N, D]: 1 if all are alike, N if no two have anything in common.

    The exponential of the entropy of the eigenvalues of the cosines over N (Friedman and Dieng, arXiv 2210.02410, equation 1).
    """
    values = np.linalg.eigvalsh(embeddings @ embeddings.T / len(embeddings))
    shares = values[values > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))
