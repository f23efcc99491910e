"""DNA and genotypes beside tissue: a learnt vocabulary of DNA, PLINK files, association over a cohort.

Nothing here predicts expression from H&E, and `mclstexp` never imports it.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mclstexp-genomics")
except PackageNotFoundError:  # run from the source tree
    __version__ = "0.1.0"
