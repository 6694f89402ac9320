"""Zero skipping: units that multiply only what is not zero."""
