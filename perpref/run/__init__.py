"""Scenarios carried out, told, and accounted for."""
