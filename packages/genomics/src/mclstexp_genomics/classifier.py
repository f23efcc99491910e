"""VQDNA, stage 3: the Transformer learns a task; everything but the vocabulary may move."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.metrics import matthews_corrcoef
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

from mclstexp_genomics.masked import MaskedModel, known_tokens
from mclstexp_genomics.sequences import Bases, LabelledDNA, encode, other_strand
from mclstexp_genomics.training import steps


@dataclass(frozen=True)
class TaskOptions:
    """How a task is learnt. None of the paper's values was available."""

    epochs: int = 20
    """Passes over the sequences, at most; the best by Matthews' coefficient on held-out training sequences is kept."""
    held_out: float = 0.15
    """Share of the training sequences that are held out for that."""
    batch: int = 64
    """Sequences in a batch."""
    rate: float = 1e-4
    """Learning rate of the Transformer."""
    head_rate: float = 1e-3
    """Learning rate of the head."""
    seed: int = 0
    """Start of the random numbers."""


class Classifier(nn.Module):
    """The mean over valid tokens, and a small net from it to the classes.

    Parameters
    ----------
    model
        The Transformer.
    n_classes
        How many.
    """

    def __init__(self, model: MaskedModel, n_classes: int) -> None:
        super().__init__()
        self.model = model
        width = model.options.width
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.1), nn.Linear(width, n_classes))

    def forward(
        self, codes: Int[Tensor, "n length n_levels"], valid: Bool[Tensor, "n length"]
    ) -> Float[Tensor, "n n_classes"]:
        """Return a score for each class."""
        seen, share = self.model(codes, valid), valid / valid.sum(dim=1, keepdim=True)
        return self.head((seen * share[..., None]).sum(dim=1))

    @torch.inference_mode()
    def chances(self, bases: Bases, *, batch: int = 256) -> Float[np.ndarray, "n n_classes"]:
        """Return the chance of each class, mean over both strands."""
        self.eval()
        strands = []
        for strand in (bases, other_strand(bases)):
            codes, valid = (torch.as_tensor(part) for part in self.seen(strand))
            parts = zip(codes.split(batch), valid.split(batch), strict=True)
            strands.append(torch.cat([functional.softmax(self(*part), dim=1) for part in parts]))
        return torch.stack(strands).mean(dim=0).numpy()

    def seen(self, bases: Bases) -> tuple[Int[np.ndarray, "n n_tokens n_levels"], Bool[np.ndarray, "n n_tokens"]]:
        """Return what is seen of sequences: the codes of their tokens, and which are valid."""
        tokenizer = self.model.tokenizer
        return tokenizer.tokens(bases), known_tokens(bases, tokenizer.options.patch)


def fine_tune(
    model: MaskedModel,
    train: LabelledDNA,
    options: TaskOptions = TaskOptions(),
) -> Classifier:
    """Learn a task from labelled sequences; the model that is given stays as it is.

    Parameters
    ----------
    model
        Of `pretrain`.
    train
        Training sequences; some are held out to say when to stop.
    options
        How.
    """
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    learner = Classifier(copy.deepcopy(model), int(train.labels.max()) + 1)
    body = [p for name, p in learner.named_parameters() if p.requires_grad and not name.startswith("head")]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": options.rate}, {"params": learner.head.parameters(), "lr": options.head_rate}]
    )
    bases = encode(train.sequences)
    taught, kept = train_test_split(
        np.arange(len(train)), test_size=options.held_out, stratify=train.labels, random_state=options.seed
    )
    strands = [tuple(map(torch.as_tensor, learner.seen(strand))) for strand in (bases, other_strand(bases))]
    codes, valid = (torch.stack(parts) for parts in zip(*strands, strict=True))
    labels, best, state = torch.as_tensor(train.labels), -2.0, copy.deepcopy(learner.state_dict())
    for _ in steps("Learning the task", options.epochs):
        learner.train()
        for rows in np.array_split(rng.permutation(taught), max(1, len(taught) // options.batch)):
            strand = rng.integers(2, size=len(rows))
            loss = functional.cross_entropy(learner(codes[strand, rows], valid[strand, rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        found = float(matthews_corrcoef(train.labels[kept], learner.chances(bases[kept]).argmax(axis=1)))
        if found > best:
            best, state = found, copy.deepcopy(learner.state_dict())
    learner.load_state_dict(state)
    return learner.eval()
