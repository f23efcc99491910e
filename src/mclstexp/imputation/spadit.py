"""Diffusion over genes after the idea of SpaDiT (Li, Zhu and Min 2024), in a space where it can be learnt."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mclstexp.core.errors import InputError
from mclstexp.core.imputer import Imputed, Imputer, register
from mclstexp.core.pairing import Pairing
from mclstexp.imputation.gene_space import GeneSpace, gene_space
from mclstexp.imputation.patterns import at_level
from mclstexp.nn.gene_diffusion import GeneDenoiser, kept_signal, sample
from mclstexp.training.progress import epoch_progress

_N_TIMES: Final = 50
"""Steps from clean to noise."""
_AT_ONCE: Final = 200
"""Genes that are asked for together: a matter of memory alone."""
_LOOK_EVERY: Final = 20
_PATIENCE: Final = 5


@register("spadit")
@dataclass
class SpaDiT(Imputer):
    """A conditional diffusion transformer over genes, after SpaDiT's idea (Li, Zhu and Min 2024): draws, and their sd.

    A gene is a token: its answer in a few maps of the section, noised or known, and what the cells say of it. A fifth
    of the genes is noised at a time, and cleaned by the others; genes that are asked for start from noise alone.
    """

    n_maps: int = 20
    """Patterns over the spots that a gene's answer is made of."""
    n_scores: int = 40
    """Principal scores of a gene over the cells."""
    n_genes: int = 500
    """Most genes that are learnt from: those that vary most over the spots."""
    max_steps: int = 400
    """Steps of training at most; it stops earlier where left-out genes get no better."""
    learning_rate: float = 9e-4
    """Of AdamW."""
    n_draws: int = 10
    """Draws that are averaged; their standard deviation is the layer "sd"."""
    seed: int = 0
    """Of weights, noise and left-out genes."""

    def __post_init__(self) -> None:
        least = {"n_maps": 1, "n_scores": 1, "n_genes": 10, "max_steps": 1, "n_draws": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                msg = f"{name} of {low} or more expected, found {getattr(self, name)}"
                raise InputError(msg)
        if not self.learning_rate > 0:
            msg = f"learning_rate must be positive, found {self.learning_rate}"
            raise InputError(msg)

    def _impute(self, known: Pairing) -> Imputed:
        rng = np.random.default_rng(self.seed)
        genes = np.sort(np.argsort(-known.spots.std(axis=0), kind="stable")[: self.n_genes])
        order = rng.permutation(len(genes))
        n_left_out = max(1, len(genes) // 10)
        left_out, made_of = np.sort(order[:n_left_out]), np.sort(order[n_left_out:])
        space = gene_space(known, genes=genes, made_of=made_of, n_maps=self.n_maps, n_scores=self.n_scores)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = self._train(space, made_of=torch.tensor(made_of), left_out=torch.tensor(left_out))
        draws = self._draw(network, space)
        patterns = np.stack([at_level(known, space.patterns(draw).T) for draw in draws])
        return Imputed(patterns.mean(axis=0), patterns.std(axis=0))

    def _train(self, space: GeneSpace, *, made_of: Tensor, left_out: Tensor) -> GeneDenoiser:
        """Noise a fifth of the genes at a time; return the network at which genes that were left out fared best."""
        answers, scores = _tensor(space.answers), _tensor(space.scores)
        weight = _tensor(space.spread**2 / np.mean(space.spread**2))
        network = GeneDenoiser(answers.shape[1], scores.shape[1])
        adam = torch.optim.AdamW(network.parameters(), self.learning_rate, weight_decay=0.01)
        held, start = torch.cat([made_of, left_out]), torch.randn(4, answers.shape[1])
        best, least, waited = copy.deepcopy(network.state_dict()), np.inf, 0
        with epoch_progress(self.name, self.max_steps, unit="step") as on_step:
            for step in range(1, self.max_steps + 1):
                loss = _loss(network.train(), answers[made_of], scores[made_of], weight=weight)
                adam.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1)
                adam.step()
                on_step(step, float(loss.detach()))
                if step % _LOOK_EVERY and step < self.max_steps:
                    continue
                found = sample(network.eval(), answers[made_of], scores[held], noise=start, n_steps=_N_TIMES, n_stops=2)
                error = float((weight * (found.mean(dim=0) - answers[left_out]) ** 2).mean())
                waited += 1
                if error < least:
                    best, least, waited = copy.deepcopy(network.state_dict()), error, 0
                elif waited >= _PATIENCE:
                    break
        network.load_state_dict(best)
        return network.eval()

    def _draw(self, network: GeneDenoiser, space: GeneSpace) -> np.ndarray:
        """Return (n_draws, n_targets, n_maps) answers; all genes that are learnt from are known."""
        noise = _tensor(np.random.default_rng(self.seed).standard_normal((self.n_draws, space.answers.shape[1])))
        context, scores = _tensor(space.answers), _tensor(space.scores)
        parts = [
            sample(network, context, torch.cat([scores, _tensor(some)]), noise=noise, n_steps=_N_TIMES)
            for some in np.array_split(space.asked, max(1, -(-len(space.asked) // _AT_ONCE)))
        ]
        return torch.cat(parts, dim=1).double().numpy()


def _loss(network: GeneDenoiser, clean: Tensor, scores: Tensor, *, weight: Tensor) -> Tensor:
    """Return how far noised answers of a fifth of the genes are from clean when the network has seen the others'."""
    n_genes = len(clean)
    noised = torch.randperm(n_genes) < max(1, n_genes // 5)
    time = torch.where(noised, torch.randint(1, _N_TIMES + 1, (n_genes,)), 0)
    kept = kept_signal(_N_TIMES)[time][:, None]  # 1 where nothing is noised
    given = kept.sqrt() * clean + (1 - kept).sqrt() * torch.randn_like(clean)
    return (weight * (network(given, scores, time.float()) - clean) ** 2)[noised].mean()


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)
