"""What pyproject.toml cannot say: the installed package carries the samples, the weights and the
lessons, which lie outside of nbtools/.
"""

from pathlib import Path

from setuptools import find_packages, setup

CARRIED = {"nbtools._data": "data", "nbtools._lessons": "notebooks", "nbtools._fast": "tests"}
FOUND = {package: folder for package, folder in CARRIED.items() if Path(folder).is_dir()}

setup(
    packages=[*find_packages(include=["nbtools", "nbtools.*"]), *FOUND],
    package_dir=FOUND,
    package_data={
        "nbtools": ["**/*.js", "**/*.css", "**/*.html", "**/*.toml", "**/*.md"],
        "nbtools._data": ["*.toml", "*.md", "samples/**/*", "weights/**/*"],
        "nbtools._lessons": ["*.ipynb"],
        "nbtools._fast": ["fast.toml"],
    },
)
