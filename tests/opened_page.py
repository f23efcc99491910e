"""A report opened without a browser, and one of other names."""

import base64
import dataclasses
import html
import json
import re
import zlib

import numpy as np

from mclstexp.analysis.pairs import Pair
from mclstexp.report.page_study import Study


def data_of(page):
    """The JSON that the page's scripts read."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def blob_of(page, name, dtype):
    """An array, as the page's scripts unpack it."""
    text = re.search(rf'<script type="text/plain" id="blob-{name}">(.*?)</script>', page)[1]
    return unpack(text, dtype)


def unpack(text, dtype):
    return np.frombuffer(zlib.decompress(base64.b64decode(text), -zlib.MAX_WBITS), dtype)


def text_of(page):
    """What a reader without scripts sees."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def renamed(study, *, section, gene):
    """The same study of sections and genes of other names."""
    pairs = []
    for pair in study.pairs:
        counts, predicted = pair.section.counts.copy(), pair.predicted.copy()
        counts.var_names = [gene(name) for name in counts.var_names]
        predicted.var_names = [gene(name) for name in predicted.var_names]
        pairs.append(Pair(dataclasses.replace(pair.section, id=section(pair.id), counts=counts), predicted))
    scores = study.scores.assign(
        section=[section(name) if name else "" for name in study.scores["section"]],
        gene=[gene(name) if name else "" for name in study.scores["gene"]],
    )
    of = {"sections": study.record["sections"], "patients": study.record["patients"]}
    record = {
        **study.record,
        **{part: {section(name): value for name, value in found.items()} for part, found in of.items()},
    }
    return Study(record, scores, study.method, pairs)
