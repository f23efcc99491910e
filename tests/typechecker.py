"""beartype as the tests use it: an int may stand where a float is expected, as in any Python."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
