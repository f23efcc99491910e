"""How parts are fitted."""
