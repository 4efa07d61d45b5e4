"""Measurements, run by hand with `make bench`; they report, and never fail."""
