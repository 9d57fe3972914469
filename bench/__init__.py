"""How fast the reference and the checker are, side by side in one run: `python -m bench`."""
