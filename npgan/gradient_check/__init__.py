"""The gradient checker: compares each ``bprop`` with central differences of its ``fprop``."""
from npgan.gradient_check.checking import check
from npgan.gradient_check.report import Report

__all__ = ["Report", "check"]
