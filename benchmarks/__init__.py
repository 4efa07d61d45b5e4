"""Measurements, run by hand with `make bench`; they report, they never judge."""
