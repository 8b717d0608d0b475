"""JupyterLab as the course opens it, and how it reads and writes notebooks."""
