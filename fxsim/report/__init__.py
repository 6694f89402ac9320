"""Results -> tables, figures and one HTML page; runs no simulation."""
