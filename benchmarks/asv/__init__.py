"""Ten figures that `asv` follows over the history of the repository; CONTRIBUTING.md says how."""
