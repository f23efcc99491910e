"""Messages name options by what they are called at the door that was used, and doors know no other names."""

import ast
import dataclasses
import inspect
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import mclstexp
from mclstexp.api import find_domains, predict_files, run_experiment, validate
from mclstexp.api.adaptation import adapt_model
from mclstexp.api.exports import export_prediction
from mclstexp.api.tile_values import explain_slide
from mclstexp.cli.application import app
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.experiment import OutcomeExperiment
from mclstexp.core.doors import OPTIONS, method_option, through, word
from mclstexp.core.fine_lattice import fine_tiles
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import FitConfig
from mclstexp.evaluation.exam import Rules
from mclstexp.evaluation.experiment import Experiment
from mclstexp.imputation.targets import impute_targets
from mclstexp.io.h5ad import read_h5ad
from mclstexp.io.read import READERS, Choices, read_sections
from mclstexp.io.spatialdata import read_spatialdata
from mclstexp.io.visium_hd import read_visium_hd
from mclstexp.methods import create
from mclstexp.report.build_page import write_report
from mclstexp.whole_slide.settings import SlideSettings

SOURCE = Path(mclstexp.__file__).parent
NAMED = re.compile(r"(?<![\w./-])(--[a-z][\w-]*|[a-z_]\w*=(?!=))")
NO_OPTION = {
    "charset=": "a content type",
    "--debug": "said by the command line alone",
    "--quiet": "said by the command line alone",
    "--array": "SLURM's",
}
ALONE = {
    "core/doors.py": "the table itself",
    "api/doctor.py": "says how to install and to clear, whoever asks",
    "core/display.py": "writes HTML, whose attributes look alike",
    "demo.py": "prints commands",
    "demo_cohort.py": "prints commands",
    "whole_slide/wsi_tiles.py": "gives a line of LazySlide's Python, to whom uses it from there",
}


def _literals(tree):
    """Yield (line, text) of every string with a blank in it that is no docstring; what is put in stands as {}."""
    passed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))  # a docstring, or the sentence under a field
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            text = node.value
        else:
            continue
        if " " in text.strip():
            yield node.lineno, text


def _named(text):
    return [found for found in NAMED.findall(text) if found and found not in NO_OPTION]


def test_the_search_finds_what_it_is_for():
    code = 'def f():\n    """Give mpp=."""\n    raise InputError(f"{x}: nothing found: give mpp= or {y} (--slide-mpp)")'
    (text,) = [text for _, text in _literals(ast.parse(code))]
    assert _named(text) == ["mpp=", "--slide-mpp"]
    assert not _named("a == b, x >= 3, 3-4")


def test_no_message_names_an_option_but_by_the_table():
    said = [
        f"{path.relative_to(SOURCE)}:{line}: {text}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).as_posix() not in ALONE and path.parent.name != "cli"
        for line, text in _literals(ast.parse(path.read_text(encoding="utf-8")))
        if _named(text)
    ]
    assert said == []


def test_the_command_line_names_its_own_flags_alone():
    flags = {name for command in _commands() for name in _flags(command)} | set(NO_OPTION)
    texts = [
        text for path in (SOURCE / "cli").glob("*.py") for _, text in _literals(ast.parse(path.read_text("utf-8")))
    ]
    named = {found for text in texts for found in NAMED.findall(text) if found}
    assert named - flags - {"--preset"} == set()
    assert "--out" in named


def test_every_word_in_the_source_is_in_the_table():
    used = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "word":
                used |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    assert used <= set(OPTIONS)
    assert {"mpp", "image", "overwrite"} <= used


def _commands(of=app, before=()):
    """Yield each command as its words; those of a group by two."""
    for name in of:
        if not name.startswith("-"):
            if of[name].default_command is None:
                yield from _commands(of[name], (*before, name))
            else:
                yield " ".join((*before, name))


def _flags(command):
    found = app
    for name in command.split():
        found = found[name]
    return {name for argument in found.assemble_argument_collection() for name in argument.names}


def test_flags_exist():
    known = {command: _flags(command) for command in _commands()}
    reads = ("validate", "fit", "predict", "import-checkpoint")
    everywhere = ("mpp", "format", "image", "sections", "patients", *Choices.__annotations__)
    for name in everywhere:
        assert all(OPTIONS[name].command in known[command] for command in reads), name
    for name, option in OPTIONS.items():
        assert option.command is None or any(option.command in flags for flags in known.values()), name
        assert option.command or option.file, f"{name}: a message on the command line could not name it"
    for command in ("fit", "evaluate", "predict", "import-checkpoint"):
        assert OPTIONS["overwrite"].command in known[command]


def test_keys_of_files_exist():
    for name, option in OPTIONS.items():
        table, _, key = (option.file or "").rpartition(".")
        found: set[str] = set()
        for whole in (Experiment, FitConfig, OutcomeExperiment):
            hints = get_type_hints(whole)
            if table in hints:
                part = next((some for some in get_args(hints[table]) if dataclasses.is_dataclass(some)), hints[table])
                found |= {field.name for field in dataclasses.fields(part)}
        if found:
            assert key in found, name
        else:
            assert not option.file or key in get_type_hints(FitConfig), name


def test_arguments_exist():
    takers = [read_sections, read_h5ad, read_spatialdata, read_visium_hd, predict_files, run_experiment, write_report]
    takers += [find_domains, fine_tiles, SlideSettings, create, FitConfig, Rules, mclstexp.core.doors.Option]
    takers += [impute_targets, TileSpec, CohortConfig, explain_slide, validate, export_prediction, adapt_model]
    known = {name for taker in takers for name in inspect.signature(taker).parameters}
    known |= set(Choices.__annotations__) | {"by"}  # of Fold, a dataclass of the layer above
    assert {option.python for option in OPTIONS.values()} <= known


def test_what_a_format_takes_its_reader_takes():
    for name, form in READERS.items():
        assert form.takes <= set(inspect.signature(form.read).parameters), name
        assert form.takes <= {"image", *Choices.__annotations__}, name
        assert "sections" in inspect.signature(form.read).parameters or not form.holds_many, name


@pytest.mark.parametrize(
    ("door", "said"),
    [
        ("python", ["mpp=", 'by="section"', "overwrite=True", "bin_um=16", 'protocol="paper"']),
        (
            "command",
            ["--slide-mpp", 'by = "section" in [folds]', "--overwrite", "--bin-um 16", "--option protocol=paper"],
        ),
    ],
)
def test_a_door_has_its_words(door, said):
    with through(door):
        assert said == [
            word("mpp"),
            word("by", "section"),
            word("overwrite"),
            word("bin_um", 16),
            method_option("protocol", "paper"),
        ]
    assert word("mpp") == "mpp="


def test_a_file_that_a_command_reads_has_its_own_words_and_the_commands():
    with through("command"), through("file"):
        assert [word("mpp"), word("by", "section"), word("preset", "published"), word("overwrite")] == [
            "mpp in [data]",
            'by = "section" in [folds]',
            'preset = "published"',
            "--overwrite",
        ]
    with through("file"):
        assert [word("image"), word("overwrite")] == ["image in [data]", "overwrite=True"]
