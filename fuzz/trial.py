"""One case from its number to its outcome, in this process."""

from __future__ import annotations

import shutil
import time
import traceback
import unicodedata
import warnings
from pathlib import Path
from typing import Any

from fuzz.case import MAX_SENTENCE, Case, Outcome, Target
from fuzz.damage import damage
from fuzz.limits import OutOfTimeError, at_most
from mclstexp.core.errors import InputError

_PACKAGE = f"{Path('src') / 'mclstexp'}/"


class Trial:
    """Puts damaged copies of one target's inputs to it.

    Parameters
    ----------
    target
        The door.
    corpus
        Where `Target.make` has written.
    scratch
        An empty folder for the copies.
    seconds
        What a case may take.
    """

    def __init__(self, target: Target, corpus: Path, scratch: Path, *, seconds: float) -> None:
        self._target, self._scratch, self._seconds = target, scratch, seconds
        self._variants = sorted(path for path in corpus.iterdir() if path.is_dir() and not path.name.startswith("."))
        self._right: dict[str, Any] = {}

    def run(self, case: Case, *, keep: bool = False, debug: bool = False) -> Outcome:
        """Damage, use, judge; with `debug` whatever is raised goes on to the caller."""
        chance = case.random()
        variant = chance.choice(self._variants)
        right = self._expected(variant) if self._target.exact else None
        folder = self._copy(variant)
        said = f"{variant.name}: {damage(folder, self._target.files, chance)}"
        if self._target.mend is not None and chance.random() < 0.5:
            self._target.mend(folder, chance)
            said += ", and mended"
        started = time.monotonic()
        try:
            with at_most(self._seconds), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self._target.use(folder)
            wrong = "another result than that of the undamaged input" if self._target.exact and found != right else ""
            verdict, text, where = ("fault" if wrong else "read"), wrong, ""
        except InputError as error:
            text = str(error)
            text = text.replace(str(folder), "…")  # how long its path is, is the user's affair
            problem = "a message where it must be made again" if self._target.exact else _wrong_with(text)
            verdict, where = ("fault" if problem else "refused"), ""
            text = f"{problem}: {text[:400]}" if problem else text
        except OutOfTimeError as error:
            verdict, text, where = "fault", f"longer than {self._seconds:g} s", _place(error)
        except BaseException as error:  # whatever comes out of a door
            if debug or isinstance(error, KeyboardInterrupt):
                raise
            verdict, text, where = "fault", f"{type(error).__name__}: {error}"[:300], _place(error)
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
        return Outcome(case, verdict, said, text, where, time.monotonic() - started)  # type: ignore[arg-type]

    def _copy(self, variant: Path) -> Path:
        folder = self._scratch / variant.name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(variant, folder, symlinks=True)
        return folder

    def _expected(self, variant: Path) -> Any:
        if variant.name not in self._right:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._right[variant.name] = self._target.use(self._copy(variant))
        return self._right[variant.name]


def _wrong_with(sentence: str) -> str:
    """Say what is wrong with a message to the user; nothing if it is one."""
    if len(sentence) > MAX_SENTENCE:
        return f"a message of {len(sentence)} characters"
    odd = [letter for letter in sentence if unicodedata.category(letter) in ("Cc", "Cf")]
    return f"a message with {odd[0]!r}" if odd else ""


def _place(error: BaseException) -> str:
    """Name the last line of the package's own code that was at work."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if _PACKAGE in frame.filename]
    return f"{ours[-1].filename.partition(_PACKAGE)[2]}:{ours[-1].lineno} {ours[-1].name}" if ours else "outside"
