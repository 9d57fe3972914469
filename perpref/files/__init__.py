"""Files that people write: rulebooks and scenarios, read with the line of every value."""
