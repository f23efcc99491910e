"""How fitted parts are used."""
