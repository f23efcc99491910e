"""A learnt vocabulary of DNA beside counts of short words: the table of docs/genomics.md.

Run `python packages/genomics/benchmarks/dna_tokens.py DATA [--preset tiny] [--seeds 3]`, DATA the folder that holds
ienhancer.tsv.gz and dnabert_dev.tsv.gz. Vocabulary and Transformer learn from the training sequences of iEnhancer
alone; test sequences that training holds are left out of the test. Of the promoter sample five folds are tested, each
by a Transformer that learnt the task on the other four.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold

from mclstexp_genomics.classifier import fine_tune
from mclstexp_genomics.kmers import bar, fit_counts, scores
from mclstexp_genomics.masked import pretrain
from mclstexp_genomics.presets import PRESETS
from mclstexp_genomics.sequences import encode, read_labelled, without_seen
from mclstexp_genomics.tokenizer import fit_tokenizer
from mclstexp_genomics.vocabulary import code_counts, described, kept_of_words, reconstruction

VOCABULARIES = {"coarse to fine (16, 64, 256)": (16, 64, 256), "one level (256)": (256,)}


def show(name, found):
    """Print a row: means, and standard deviations where there are several runs."""
    rows = found if isinstance(found, list) else [found]
    cells = [
        f"{np.mean([r[key] for r in rows]):.3f}" + (f" ± {np.std([r[key] for r in rows]):.3f}" if len(rows) > 1 else "")
        for key in ("accuracy", "mcc", "auc")
    ]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def bag(tokenizer, train, test):
    """Fit the bar's logistic regression on counts of codes."""
    sizes = tokenizer.options.sizes
    counts = [code_counts(tokenizer.tokens(encode(part.sequences)), sizes) for part in (train, test)]
    return scores(test.labels, fit_counts(counts[0], train.labels, counts[1]))


def folds(data):
    for taught, kept in StratifiedKFold(5, shuffle=True, random_state=0).split(data.labels, data.labels):
        yield data.take(taught), data.take(kept)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="tiny", choices=list(PRESETS))
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    parts = read_labelled(asked.data / "ienhancer.tsv.gz")
    train, whole = parts["train"], parts["test"]
    test, n_seen = without_seen(whole, train)
    promoters = read_labelled(asked.data / "dnabert_dev.tsv.gz")["all"]
    _, n_shared = without_seen(promoters, train)
    print(f"iEnhancer: {len(train)} train, {n_seen} of {len(whole)} test sequences are in training: {len(test)} left")
    print(f"promoters: {len(promoters)}, of which {n_shared} are in that training set")
    print("\n| iEnhancer, clean test | accuracy | MCC | AUC |\n|---|---|---|---|")
    for k in (3, 4, 5, 6):
        show(f"counts of {k}-mers", bar(train, test, k))
    show("counts of 4-mers, leaked test", bar(train, whole, 4))
    preset = PRESETS[asked.preset]
    models = {}
    for name, sizes in VOCABULARIES.items():
        begun = time.process_time()
        tokenizer = fit_tokenizer(encode(train.sequences), replace(preset.tokenizer, sizes=sizes))
        learnt = time.process_time() - begun
        unseen = encode(test.sequences)
        show(f"counts of codes, {name}", bag(tokenizer, train, test))
        levels = "; ".join(
            f"{r['perplexity']:.1f} of {r['size']}, {r['explained']:.3f}" for r in described(tokenizer, unseen)
        )
        right, kept = reconstruction(tokenizer, unseen), kept_of_words(tokenizer, test.sequences)
        print(f"<!-- {learnt:.0f} s; bases right {right:.3f}; words kept {kept:.3f}; perplexity, share: {levels} -->")
        for what, steps in (("", preset.model.steps), (", not pre-trained", 0)):
            found = []
            for seed in range(asked.seeds):
                begun = time.process_time()
                model = pretrain(tokenizer, encode(train.sequences), replace(preset.model, steps=steps, seed=seed))
                models[name + what, seed] = model
                learner = fine_tune(model, train, replace(preset.task, seed=seed))
                found.append(scores(test.labels, learner.chances(unseen)))
                print(
                    f"<!-- {name}{what}, seed {seed}: {found[-1]}, {time.process_time() - begun:.0f} s -->", flush=True
                )
            show(f"VQDNA, {name}{what}", found)
    print("\n| promoters, five folds | accuracy | MCC | AUC |\n|---|---|---|---|")
    for k in (3, 4, 5, 6):
        show(f"counts of {k}-mers", [bar(*fold, k) for fold in folds(promoters)])
    for (name, seed), model in models.items():
        if seed == 0:
            found = []
            for taught, kept in folds(promoters):
                learner = fine_tune(model, taught, preset.task)
                found.append(scores(kept.labels, learner.chances(encode(kept.sequences))))
            show(f"VQDNA, {name}", found)


if __name__ == "__main__":
    main()
