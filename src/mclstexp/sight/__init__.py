"""What is seen of a place: features of tiles, their views, symmetries and surroundings."""
