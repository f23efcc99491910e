"""Run a page's code blocks in order, in the folder one stands in: `python tests/run_page.py PAGE`; see `doc_world`.

The last line said is JSON: which blocks were run, and which lack a package that is not installed here.
"""

import json
import os
import signal
import subprocess
import sys
import types
import warnings
from pathlib import Path

os.environ |= {"MPLBACKEND": "Agg", "MCLSTEXP_QUIET": "1"}
warnings.simplefilter("ignore")  # of what libraries say of each other; ours are tested where they are made
sys.path.insert(0, str(Path(__file__).parent))

import tomllib  # noqa: E402

from doc_blocks import RUN, Block, blocks, why_not  # noqa: E402
from doc_given import WORDS  # noqa: E402
from doc_world import ENCODER, EXPERIMENT  # noqa: E402
from mclstexp.cli import run  # noqa: E402
from processes import mclstexp, started  # noqa: E402
from small_generators import TINY  # noqa: E402

SMALL = ("epochs=2", "k=5", "n_models=1", "n_components=8", "dim=8")
"""Options that make the flagship of a page small."""
GENERATED = [
    word for name in ("encoder", "side_px", "max_steps", "n_steps") for word in ("--option", f"{name}={TINY[name]}")
]
"""And a generator."""


def given(page: Path) -> dict:
    """What a page's Python takes for granted: the reader's sections, prediction, patients."""
    import mclstexp as mx

    make_small(mx)
    names: dict = {"mx": mx, "section": mx.read_sections("SECTION")[0]}
    return names | WORDS.get(page.stem, dict)()


def make_small(mx: types.ModuleType) -> None:
    """Let what a page creates be small, where it is not what the page is about."""
    create, create_generator = mx.create, mx.create_generator
    options = tomllib.loads("\n".join(SMALL))
    mx.create = lambda name, **given: create(name, **((options if name == "mclstexp" else {}) | given))
    mx.create_generator = lambda name, **given: create_generator(name, **({**TINY, **given}))


def run_command(words: list[str], block: Block) -> None:
    line = " ".join(words)
    if why_not(words):
        return None
    if words[:2] == ["mclstexp", "view"]:
        return look(words)
    if words[0] == "mclstexp":
        if words[1] == "fit":
            small = SMALL if words[2] == "mclstexp" else ()
            words = [*words, *(word for option in small for word in ("--option", option))]
            if "--encoder" not in words:  # the default's weights come from the hub; that of the world's experiments
                words += ["--encoder", ENCODER]
        if words[1:3] == ["generate", "fit"]:
            words = [*words, *GENERATED]
        code = run(words[1:])
    else:
        code = subprocess.run([sys.executable, *words[1:]], check=False).returncode
    # `check` finds fault with the example that breaks a promise, as the page says
    expected = 1 if words[1:3] == ["check", "brightness.py"] else 0
    assert code == expected, f"{block.where}: {line}: ended with {code}"
    return None


def look(words: list[str]) -> None:
    """Start the viewer, see that it says where it is, and end it as its page says."""
    with started(mclstexp(*words[1:], "--no-open"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:"), words
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, words


def run_toml(block: Block) -> None:
    """Read it as the experiment that it is, or is a part of."""
    from mclstexp.evaluation.experiment import read_experiment

    found = tomllib.loads(block.text)
    if "project" in found:  # an entry point: of a package's own file
        return
    whole = block.text if "data" in found else f"{EXPERIMENT}\n{block.text}"
    Path("read.toml").write_text(whole, encoding="utf-8")
    experiment = read_experiment(Path("read.toml"))
    assert experiment.make_methods()


def run_block(block: Block, names: dict) -> None:
    if "@register" in block.text:  # the file that the commands of its page name, and run: a name is given once
        Path("brightness.py").write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        exec(compile(block.text, block.where, "exec"), names)
    elif block.language == "toml":
        run_toml(block)
    else:
        for words in block.commands():
            run_command(words, block)


def main(page: Path) -> None:
    done, lacking = [], []
    names = given(page)
    for block in blocks(page):
        if block.language not in RUN or (block.language == "python" and block.not_run()):
            continue
        try:
            run_block(block, names)
            done.append(block.where)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("mclstexp"):
                raise
            lacking.append(block.where)
    print(json.dumps({"run": done, "lacking": lacking}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
