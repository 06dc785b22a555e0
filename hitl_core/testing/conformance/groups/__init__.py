"""The standard tests, by what they are about; `suite.py` puts them together."""
