"""One file per kind of file: what a program that writes such files gets wrong, or a stranger does on purpose."""
