"""What pyproject.toml cannot say: the installed package carries the samples, the weights and the lessons, which lie outside of nbtools/."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["nbtools", "nbtools.*"]), "nbtools._data", "nbtools._lessons", "nbtools._fast"],
    package_dir={"nbtools._data": "data", "nbtools._lessons": "notebooks", "nbtools._fast": "tests"},
    package_data={
        "nbtools": ["**/*.js", "**/*.css", "**/*.html", "**/*.toml", "**/*.md"],
        "nbtools._data": ["*.toml", "*.md", "samples/**/*", "weights/**/*"],
        "nbtools._lessons": ["*.ipynb"],
        "nbtools._fast": ["fast.toml"],
    },
)
