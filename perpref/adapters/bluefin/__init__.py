"""Bluefin's production exchange, bytecode and all, held against a statement of its rules."""

from perpref.adapters.bluefin.install import BluefinUnavailable

ENGINE = "bluefin"

__all__ = ["ENGINE", "BluefinUnavailable"]
