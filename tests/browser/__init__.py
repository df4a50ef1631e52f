"""Notebooks and widgets in Chromium, with JupyterLab and Voilà on this machine; skipped, with the
reason, where one is missing.
"""
