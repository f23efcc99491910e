"""What predicts one slide in tests of many: as always, but a file NAME beside the slides may tell it otherwise."""

import os
import signal
import time
from pathlib import Path
from unittest.mock import patch

from mclstexp.whole_slide import stream
from mclstexp.whole_slide.one import predict_slide_file


def predict(model, slide, *, on_progress=None, **given):
    """``NAME.die``: a death by SIGKILL; ``NAME.bug``: an error; ``NAME.wait``: half way, say so and wait once."""
    slide = Path(slide)
    if slide.with_suffix(".die").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if slide.with_suffix(".bug").exists():
        raise ZeroDivisionError("division by\nzero")

    def tell(done, total):
        if on_progress is not None:
            on_progress(done, total)
        if slide.with_suffix(".wait").exists() and done > total / 2:
            slide.with_suffix(".wait").rename(slide.with_suffix(".waited"))
            slide.with_suffix(".process").write_text(str(os.getpid()))
            time.sleep(60)

    with patch.object(stream, "BLOCK_TILES", {"cpu": 8, "cuda": 8}):
        return predict_slide_file(model, slide, on_progress=tell, **given)
