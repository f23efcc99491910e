"""What is looked up: measured spots and the index that finds them."""
