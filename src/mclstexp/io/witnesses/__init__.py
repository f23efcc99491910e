"""Everything in an input that places or scales it, weighed against everything else, whichever reader found it.

Readers fill an `Evidence`; `weigh` and `weigh_section` compare and say where two witnesses disagree; `tell` warns of
it, or refuses where nothing sensible could come out.
"""

from mclstexp.io.witnesses.evidence import Evidence, Finding, Statement, StoredPicture
from mclstexp.io.witnesses.placement import colour_findings, tissue_shares, weigh_section
from mclstexp.io.witnesses.scale import settle_mpp
from mclstexp.io.witnesses.weigh import tell, weigh

__all__ = [
    "Evidence",
    "Finding",
    "Statement",
    "StoredPicture",
    "colour_findings",
    "settle_mpp",
    "tell",
    "tissue_shares",
    "weigh",
    "weigh_section",
]
