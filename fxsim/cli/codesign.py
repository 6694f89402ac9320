"""``fxsim codesign``."""


def codesign() -> None:
    """Evaluate, explore, generate, verify, synthesize and report in one go."""
