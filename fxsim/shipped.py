"""The models that come with fxsim."""

from pathlib import Path


def models_folder() -> Path:
    """``models/`` of a source checkout, or its copy in an installed package."""
    package = Path(__file__).parent
    checkout = (package.parent / "pyproject.toml").is_file()
    return package.parent / "models" if checkout else package / "_models"
