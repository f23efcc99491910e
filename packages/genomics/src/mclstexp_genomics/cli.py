"""The commands: tokens, classify, gwas. Imports stand inside: help must not wait for torch."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from mclstexp.cli.terminal import cell, complain, print_table, say, show_warning
from mclstexp.cli.whole_numbers import require_whole
from mclstexp.core.doors import through
from mclstexp.core.errors import InputError
from mclstexp.core.progress import hushed
from mclstexp_genomics import __version__

if TYPE_CHECKING:
    from mclstexp_genomics.sequences import LabelledDNA

Preset = Literal["tiny", "small", "large"]

app = App(
    name="mclstexp-genomics",
    help="DNA and genotypes beside tissue. None of it predicts expression from H&E.\n\n"
    "`--debug` anywhere shows where an error came from, `--quiet` says nothing of how far it is.",
    version=__version__,
    config=require_whole,
    suppress_keyboard_interrupt=False,
)


@app.command
def tokens(data: Path, /, *, out: Path, preset: Preset = "tiny", part: str | None = None) -> None:
    """Learn a vocabulary of DNA after VQDNA, say what its codes are, and save it.

    Parameters
    ----------
    data
        Tab-separated text with columns sequence and label, and split if there are parts.
    out
        Folder for the vocabulary.
    preset
        Sizes: tiny takes minutes on two cores, small an hour, large a GPU.
    part
        Which part is learnt from; train, or all where there are no parts, by default.
    """
    from mclstexp_genomics.presets import PRESETS
    from mclstexp_genomics.sequences import encode
    from mclstexp_genomics.tokenizer import fit_tokenizer
    from mclstexp_genomics.vocabulary import (
        described,
        kept_of_words,
        reconstruction,
        require_free_folder,
        save_vocabulary,
    )

    learnt, out = _part(data, part), require_free_folder(out)
    bases = encode(learnt.sequences)
    tokenizer = fit_tokenizer(bases, PRESETS[preset].tokenizer)
    save_vocabulary(tokenizer, out)
    rows = [
        [str(level), *(cell(value) for value in row.values())]
        for level, row in enumerate(described(tokenizer, bases), 1)
    ]
    print_table(rows, heading=["level", "codes", "used", "perplexity", "share of variance"], title=str(data))
    say(f"{reconstruction(tokenizer, bases):.1%} of the bases are read back from their tokens")
    kept = kept_of_words(tokenizer, learnt.sequences)
    say(f"{kept:.1%} of what words of {tokenizer.options.patch} letters tell is kept: 100% is a table of all words")
    say(str(out))


@app.command
def classify(data: Path, /, *, preset: Preset = "tiny", vocabulary: Path | None = None, seed: int = 0) -> None:
    """Learn a task from labelled sequences, by a learnt vocabulary and beside it by counts of short words.

    Parameters
    ----------
    data
        Tab-separated text with columns sequence, label and split; of test sequences those that training holds are left
        out.
    preset
        Sizes: tiny takes minutes on two cores, small an hour, large a GPU.
    vocabulary
        Folder that `tokens` wrote; by default one is learnt from the training sequences.
    seed
        Start of the random numbers.
    """
    from mclstexp_genomics.classifier import fine_tune
    from mclstexp_genomics.kmers import bar, scores
    from mclstexp_genomics.masked import pretrain
    from mclstexp_genomics.presets import PRESETS
    from mclstexp_genomics.sequences import encode, without_seen
    from mclstexp_genomics.tokenizer import fit_tokenizer
    from mclstexp_genomics.vocabulary import load_vocabulary

    train, chosen = _part(data, "train"), PRESETS[preset]
    test, n_seen = without_seen(_part(data, "test"), train)
    if n_seen:
        say(f"{n_seen} test sequences are in training, and were left out: {len(test)} are tested")
    bases = encode(train.sequences)
    tokenizer = fit_tokenizer(bases, chosen.tokenizer) if vocabulary is None else load_vocabulary(vocabulary)
    model = pretrain(tokenizer, bases, replace(chosen.model, seed=seed))
    learner = fine_tune(model, train, replace(chosen.task, seed=seed))
    found = {f"counts of {k}-mers": bar(train, test, k) for k in (3, 4)}
    found["VQDNA"] = scores(test.labels, learner.chances(encode(test.sequences)))
    rows = [[name, *(f"{value:.3f}" for value in one.values())] for name, one in found.items()]
    print_table(rows, heading=["", *found["VQDNA"]], title=f"{data}, {len(test)} sequences")


@Parameter(name="*")
@dataclass(frozen=True)
class Scanning:
    """How a cohort is scanned."""

    components: int = 0
    """Principal components of the genotypes that are taken out too: they tell ancestry."""
    residualise: Literal["both", "traits"] = "both"
    """Which side covariates are taken out of; traits alone as TorchGWAS does."""
    permutations: int = 0
    """How many times individuals are exchanged for a p over the whole scan."""
    seed: int = 0
    """Start of the random numbers."""


@app.command
def gwas(
    genotypes: Path,
    /,
    *,
    traits: Path,
    out: Path,
    covariates: Path | None = None,
    scanning: Scanning = Scanning(),
    learnt_from: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Test every marker of a cohort against every trait.

    Parameters
    ----------
    genotypes
        PLINK files by the name they share: NAME.bed, NAME.bim, NAME.fam.
    traits
        Tab-separated text: a first column of people, then a column of numbers for each trait.
    out
        File for the table (.tsv, .tsv.gz).
    covariates
        The same, of what is taken out: age, sex, site.
    learnt_from
        Text with the people, one a line, from whom a model learnt the traits: they are refused.
    overwrite
        Replace a file that is already there.
    """
    from mclstexp.io.targets import require_free_file
    from mclstexp_genomics.gwas import GwasOptions, associate
    from mclstexp_genomics.plink import open_plink
    from mclstexp_genomics.tables import read_names, read_people

    require_free_file(out, what="the table", overwrite=overwrite, endings=(".tsv", ".tsv.gz"), made_of=[traits])
    cohort = open_plink(genotypes)
    found = associate(
        cohort,
        read_people(traits),
        None if covariates is None else read_people(covariates),
        options=GwasOptions(**vars(scanning)),
        learnt_from=() if learnt_from is None else read_names(learnt_from),
    )
    found.write(out)
    rows = [[cell(value) for value in row] for row in found.summary.itertuples(index=False)]
    title = f"{found.n_people} people, {len(cohort.markers)} markers; a hit has p of {found.threshold:.2g} or less"
    print_table(rows, heading=[*map(str, found.summary.columns)], title=title)
    if (n := scanning.permutations) > 0:
        say(f"the smallest p that {n} permutations can give is {1 / (1 + n):.2g}")
    say(str(out))


def _part(data: Path, name: str | None) -> LabelledDNA:
    from mclstexp_genomics.sequences import read_labelled

    parts = read_labelled(data)
    wanted = name or ("train" if "train" in parts else next(iter(parts)))
    if wanted not in parts:
        msg = f"a part {wanted} expected in {data}, found {', '.join(sorted(parts))}: name it in the column split"
        raise InputError(msg)
    return parts[wanted]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0, 2 (what was given cannot be used), 130 (interrupted), 1 (a bug)."""
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    debug, quiet = "--debug" in words, "--quiet" in words
    words = [word for word in words if word not in ("--debug", "--quiet")]
    with warnings.catch_warnings(), hushed(when=quiet):
        warnings.showwarning = show_warning
        try:
            with through("command"):
                app(words, exit_on_error=False, print_error=False, verbose=False, result_action="return_value")
        except KeyboardInterrupt:
            complain("interrupted", debug=False)
            return 130
        except (InputError, CycloptsError) as error:
            complain(str(error), debug=debug)
            return 2
        except Exception as error:  # noqa: BLE001  a bug: said in one line, shown on demand
            text = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
            complain(f"unexpected error ({text}): run again with --debug and report it", debug=debug)
            return 1
    return 0
