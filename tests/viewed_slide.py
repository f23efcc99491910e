"""A small slide and its prediction as files, for the viewer."""

import threading
from contextlib import contextmanager

import numpy as np
from PIL import Image

from made_prediction import corner_slide, made_prediction
from mclstexp.io.predictions import write_rows
from mclstexp.io.slides import open_slide
from mclstexp.report.viewer import ViewServer


def write_slide(folder):
    """Write ``corner.png``, 900 by 600 pixels, its prediction ``corner.h5ad``, and a file nobody may ask for."""
    Image.fromarray(corner_slide().thumbnail(900)).save(folder / "corner.png")
    predicted = named_prediction(folder)
    rows = np.array_split(predicted.X, 3)
    del predicted.X
    write_rows(predicted, rows, folder / "corner.h5ad")
    (folder / "secret.txt").write_text("of the same folder")
    return folder


def named_prediction(folder, **said):
    """A prediction that says of which file it is, and whatever else is `said`."""
    predicted = made_prediction()
    sha256 = open_slide(folder / "corner.png", mpp=4.0).fingerprint()
    predicted.uns["mclstexp"].update(slide_file="corner.png", slide_sha256=sha256, **said)
    return predicted


@contextmanager
def served(view):
    """Serve a view from a thread of its own; yield the server."""
    with ViewServer(view) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def judged_prediction(folder):
    """A prediction that carries what a test of its model found of each gene, and what training held of some."""
    predicted = named_prediction(folder, verdicts={"tested_on": ["A", "B"], "method": "ridge"})
    predicted.var["verdict"] = ["predictable", "doubtful", "not predictable", ""]
    predicted.var["tested_pcc"] = [0.5, 0.3, 0.01, np.nan]
    predicted.var["ceiling"] = [0.8, 0.9, 0.4, np.nan]
    predicted.var["share"] = predicted.var["tested_pcc"] / predicted.var["ceiling"]
    predicted.var["training_low"] = [-10.0, 3.0, -1.0, np.nan]
    predicted.var["training_high"] = [90.0, 3.0, 1.0, np.nan]
    return predicted
